// Functions of one element.
#include <cmath>
#include <numbers>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::reference {

namespace {

template <class Wide, class Fn>
Prepared map(const PrepareContext& ctx, Fn fn) {
  const DType type = ctx.inputs[0].dtype;
  const int64_t count = ctx.inputs[0].numel();
  return make_kernel([type, count, fn](const RunContext& run) {
    const In<Wide> x(type, run.in[0]);
    const Out<Wide> y(type, run.out[0]);
    for (int64_t i = 0; i < count; ++i) y.set(i, fn(x[i]));
  });
}

// Functions of floats; integers (Erf takes them) are computed as floats and truncated.
template <double (*fn)(double)>
Prepared floats(const PrepareContext& ctx) {
  return map<double>(ctx, fn);
}

// Functions of every type, generic over the wide type.
template <class Fn>
Prepared numbers(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype, [&]<class Wide>() { return map<Wide>(ctx, Fn{}); });
}

struct AbsOf {
  template <class Wide>
  Wide operator()(Wide x) const {
    if constexpr (std::is_same_v<Wide, double>)
      return std::fabs(x);
    else
      return x < 0 ? negate(x) : x;
  }
};

struct NegOf {
  template <class Wide>
  Wide operator()(Wide x) const {
    return negate(x);
  }
};

struct SignOf {
  template <class Wide>
  Wide operator()(Wide x) const {
    if (x != x) return x;
    return static_cast<Wide>((x > 0) - (x < 0));
  }
};

struct ReluOf {
  template <class Wide>
  Wide operator()(Wide x) const {
    return x < 0 ? Wide{0} : x;
  }
};

double reciprocal(double x) { return 1 / x; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return greater_of(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double softsign(double x) { return x / (1 + std::fabs(x)); }
double mish(double x) { return x * std::tanh(softplus(x)); }
double hard_sigmoid_of(double x, double alpha, double beta) {
  return greater_of(lesser_of(alpha * x + beta, 1.0), 0.0);
}
double hard_swish(double x) { return x * hard_sigmoid_of(x, 1.0 / 6, 0.5); }

double gelu_exact(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }
double gelu_tanh(double x) {
  constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // sqrt(2 / pi)
  return 0.5 * x * (1 + std::tanh(kScale * (x + 0.044715 * x * x * x)));
}

Prepared gelu(const PrepareContext& ctx) {
  return map<double>(ctx, ctx.s("approximate") == "tanh" ? gelu_tanh : gelu_exact);
}

Prepared hard_sigmoid(const PrepareContext& ctx) {
  return map<double>(ctx, [alpha = ctx.f("alpha"), beta = ctx.f("beta")](double x) {
    return hard_sigmoid_of(x, alpha, beta);
  });
}

Prepared leaky_relu(const PrepareContext& ctx) {
  return map<double>(ctx, [alpha = ctx.f("alpha")](double x) { return x < 0 ? alpha * x : x; });
}

Prepared thresholded_relu(const PrepareContext& ctx) {
  return map<double>(ctx, [alpha = ctx.f("alpha")](double x) { return x > alpha ? x : 0; });
}

Prepared elu(const PrepareContext& ctx) {
  return map<double>(
      ctx, [alpha = ctx.f("alpha")](double x) { return x > 0 ? x : alpha * std::expm1(x); });
}

Prepared selu(const PrepareContext& ctx) {
  return map<double>(ctx, [alpha = ctx.f("alpha"), gamma = ctx.f("gamma")](double x) {
    return gamma * (x > 0 ? x : alpha * std::expm1(x));
  });
}

Prepared celu(const PrepareContext& ctx) {
  return map<double>(ctx, [alpha = ctx.f("alpha")](double x) {
    return greater_of(x, 0.0) + lesser_of(alpha * std::expm1(x / alpha), 0.0);
  });
}

Prepared clip(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  const int64_t count = ctx.inputs[0].numel();
  const bool has_low = ctx.has_input(1), has_high = ctx.has_input(2);
  return with_wide(type, [&]<class Wide>() -> Prepared {
    return make_kernel([=](const RunContext& run) {
      const In<Wide> x(type, run.in[0]);
      const Out<Wide> y(type, run.out[0]);
      const Wide low = has_low ? In<Wide>(type, run.in[1])[0] : Wide{0};
      const Wide high = has_high ? In<Wide>(type, run.in[2])[0] : Wide{0};
      for (int64_t i = 0; i < count; ++i) {
        Wide value = x[i];
        if (has_low) value = greater_of(value, low);
        if (has_high) value = lesser_of(value, high);
        y.set(i, value);
      }
    });
  });
}

}  // namespace

constinit const KernelList elementwise_unary{
    {&op::Abs, "reference.abs", numbers<AbsOf>},
    {&op::Neg, "reference.neg", numbers<NegOf>},
    {&op::Sign, "reference.sign", numbers<SignOf>},
    {&op::Relu, "reference.relu", numbers<ReluOf>},
    {&op::Clip, "reference.clip", clip},
    {&op::Reciprocal, "reference.reciprocal", floats<reciprocal>},
    {&op::Sqrt, "reference.sqrt", floats<std::sqrt>},
    {&op::Exp, "reference.exp", floats<std::exp>},
    {&op::Log, "reference.log", floats<std::log>},
    {&op::Floor, "reference.floor", floats<std::floor>},
    {&op::Ceil, "reference.ceil", floats<std::ceil>},
    {&op::Round, "reference.round", floats<std::nearbyint>},  // halves to even by default
    {&op::Erf, "reference.erf", floats<std::erf>},
    {&op::Sin, "reference.sin", floats<std::sin>},
    {&op::Cos, "reference.cos", floats<std::cos>},
    {&op::Tan, "reference.tan", floats<std::tan>},
    {&op::Asin, "reference.asin", floats<std::asin>},
    {&op::Acos, "reference.acos", floats<std::acos>},
    {&op::Atan, "reference.atan", floats<std::atan>},
    {&op::Sinh, "reference.sinh", floats<std::sinh>},
    {&op::Cosh, "reference.cosh", floats<std::cosh>},
    {&op::Tanh, "reference.tanh", floats<std::tanh>},
    {&op::Asinh, "reference.asinh", floats<std::asinh>},
    {&op::Acosh, "reference.acosh", floats<std::acosh>},
    {&op::Atanh, "reference.atanh", floats<std::atanh>},
    {&op::Sigmoid, "reference.sigmoid", floats<sigmoid>},
    {&op::Softplus, "reference.softplus", floats<softplus>},
    {&op::Softsign, "reference.softsign", floats<softsign>},
    {&op::Mish, "reference.mish", floats<mish>},
    {&op::HardSwish, "reference.hard_swish", floats<hard_swish>},
    {&op::HardSigmoid, "reference.hard_sigmoid", hard_sigmoid},
    {&op::Gelu, "reference.gelu", gelu},
    {&op::LeakyRelu, "reference.leaky_relu", leaky_relu},
    {&op::ThresholdedRelu, "reference.thresholded_relu", thresholded_relu},
    {&op::Elu, "reference.elu", elu},
    {&op::Selu, "reference.selu", selu},
    {&op::Celu, "reference.celu", celu},
};

}  // namespace tenon::reference
