// Functions of two elements, broadcast.
#include <cmath>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"
#include "tensor/convert.h"

namespace tenon::reference {

namespace {

// z = fn(x, y), where x and z are read and written as Wide and y as WideY.
template <class Wide, class WideY, class Fn>
Prepared zip(const PrepareContext& ctx, Fn fn) {
  const Shape shape = ctx.outputs[0].shape;
  const std::array strides{broadcast_strides(ctx.inputs[0].shape, shape),
                           broadcast_strides(ctx.inputs[1].shape, shape)};
  const DType type = ctx.inputs[0].dtype, y_type = ctx.inputs[1].dtype;
  return make_kernel([=](const RunContext& run) {
    const In<Wide> x(type, run.in[0]);
    const In<WideY> y(y_type, run.in[1]);
    const Out<Wide> z(type, run.out[0]);
    for_each_broadcast(shape, strides,
                       [&](int64_t i, const auto& at) { z.set(i, fn(x[at[0]], y[at[1]])); });
  });
}

// For functions that are generic over the wide type.
template <class Fn>
Prepared numbers(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype, [&]<class Wide>() { return zip<Wide, Wide>(ctx, Fn{}); });
}

struct Sum {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return reference::add(a, b);
  }
};

struct Difference {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return subtract(a, b);
  }
};

struct Product {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return multiply(a, b);
  }
};

struct Quotient {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return divide(a, b);
  }
};

struct Remainder {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return reference::remainder(a, b);
  }
};

struct Modulo {
  template <class Wide>
  Wide operator()(Wide a, Wide b) const {
    return modulo(a, b);
  }
};

struct Sloped {
  template <class Wide>
  Wide operator()(Wide x, Wide slope) const {
    return x < 0 ? multiply(slope, x) : x;
  }
};

struct Gated {
  template <class Wide>
  Wide operator()(Wide dy, Wide y) const {
    return y > 0 ? dy : Wide{0};
  }
};

Prepared mod(const PrepareContext& ctx) {
  return ctx.i("fmod") != 0 ? numbers<Remainder>(ctx) : numbers<Modulo>(ctx);
}

// Squares and multiplies, modulo 2^64.
int64_t power(int64_t base, uint64_t exponent) {
  int64_t result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1U) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

// 1 / base^-exponent, truncated toward 0, where the exponent is negative.
int64_t signed_power(int64_t base, int64_t exponent) {
  if (exponent >= 0) return power(base, static_cast<uint64_t>(exponent));
  if (base == 1) return 1;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  return 0;
}

Prepared pow(const PrepareContext& ctx) {
  const DType exponent = ctx.inputs[1].dtype;
  if (is_float(ctx.inputs[0].dtype))
    return zip<double, double>(ctx, [](double x, double y) { return std::pow(x, y); });
  if (is_float(exponent))
    return zip<int64_t, double>(ctx, [](int64_t x, double y) {
      return convert<int64_t>(std::pow(static_cast<double>(x), y));
    });
  return is_signed_int(exponent) ? zip<int64_t, int64_t>(ctx, signed_power)
                                 : zip<int64_t, uint64_t>(ctx, power);
}

}  // namespace

constinit const KernelList elementwise_binary{
    {&op::Add, "reference.add", numbers<Sum>},
    {&op::Sub, "reference.sub", numbers<Difference>},
    {&op::Mul, "reference.mul", numbers<Product>},
    {&op::Div, "reference.div", numbers<Quotient>},
    {&op::Mod, "reference.mod", mod},
    {&op::Pow, "reference.pow", pow},
    {&op::PRelu, "reference.prelu", numbers<Sloped>},
    {&op::ReluGrad, "reference.relu_grad", numbers<Gated>},
};

}  // namespace tenon::reference
