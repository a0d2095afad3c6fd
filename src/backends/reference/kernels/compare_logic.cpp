// Comparisons, truth values and bits.
#include <cmath>
#include <functional>
#include <string>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/logic/catalog.h"

namespace tenon::reference {

namespace {

// z = fn(x, y), broadcast; x and y are read as Wide, z is written as uint64_t (bool) or Wide.
template <class Wide, class WideOut, class Fn>
Prepared zip(const PrepareContext& ctx, Fn fn) {
  const Shape shape = ctx.outputs[0].shape;
  const std::array strides{broadcast_strides(ctx.inputs[0].shape, shape),
                           broadcast_strides(ctx.inputs[1].shape, shape)};
  const DType type = ctx.inputs[0].dtype, out_type = ctx.outputs[0].dtype;
  return make_kernel([=](const RunContext& run) {
    const In<Wide> x(type, run.in[0]), y(type, run.in[1]);
    const Out<WideOut> z(out_type, run.out[0]);
    for_each_broadcast(shape, strides, [&](int64_t i, const auto& at) {
      z.set(i, static_cast<WideOut>(fn(x[at[0]], y[at[1]])));
    });
  });
}

template <class Fn>
Prepared compare(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype,
                   [&]<class Wide>() { return zip<Wide, uint64_t>(ctx, Fn{}); });
}

template <class Fn>
Prepared bits(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype, [&]<class Wide>() -> Prepared {
    if constexpr (std::is_same_v<Wide, double>)
      fail_bug(__FILE__, __LINE__, "floats have no bits to combine");
    else
      return zip<Wide, Wide>(ctx, Fn{});
  });
}

Prepared equal(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::string) return compare<std::equal_to<>>(ctx);
  const Shape shape = ctx.outputs[0].shape;
  const std::array strides{broadcast_strides(ctx.inputs[0].shape, shape),
                           broadcast_strides(ctx.inputs[1].shape, shape)};
  return make_kernel([=](const RunContext& run) {
    const auto* x = run.input<std::string>(0);
    const auto* y = run.input<std::string>(1);
    auto* z = run.output<bool>(0);
    for_each_broadcast(shape, strides,
                       [&](int64_t i, const auto& at) { z[i] = x[at[0]] == y[at[1]]; });
  });
}

// y = fn(x), where x is read as Wide and y is written as uint64_t (bool) or Wide.
template <class Wide, class WideOut, class Fn>
Prepared map(const PrepareContext& ctx, Fn fn) {
  const int64_t count = ctx.inputs[0].numel();
  const DType type = ctx.inputs[0].dtype, out_type = ctx.outputs[0].dtype;
  return make_kernel([=](const RunContext& run) {
    const In<Wide> x(type, run.in[0]);
    const Out<WideOut> y(out_type, run.out[0]);
    for (int64_t i = 0; i < count; ++i) y.set(i, static_cast<WideOut>(fn(x[i])));
  });
}

Prepared logical_not(const PrepareContext& ctx) {
  return map<uint64_t, uint64_t>(ctx, [](uint64_t x) { return x == 0; });
}

Prepared is_nan(const PrepareContext& ctx) {
  return map<double, uint64_t>(ctx, [](double x) { return std::isnan(x); });
}

Prepared is_inf(const PrepareContext& ctx) {
  const bool negative = ctx.i("detect_negative") != 0, positive = ctx.i("detect_positive") != 0;
  return map<double, uint64_t>(
      ctx, [=](double x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

Prepared bitwise_not(const PrepareContext& ctx) {
  return map<uint64_t, uint64_t>(ctx, [](uint64_t x) { return ~x; });
}

Prepared bit_shift(const PrepareContext& ctx) {
  const uint64_t width = 8 * size_of(ctx.inputs[0].dtype);
  const bool left = ctx.s("direction") == "LEFT";
  return zip<uint64_t, uint64_t>(ctx, [=](uint64_t x, uint64_t places) -> uint64_t {
    if (places >= width) return 0;
    return left ? x << places : x >> places;
  });
}

}  // namespace

constinit const KernelList compare_logic{
    {&op::Equal, "reference.equal", equal},
    {&op::Greater, "reference.greater", compare<std::greater<>>},
    {&op::GreaterOrEqual, "reference.greater_or_equal", compare<std::greater_equal<>>},
    {&op::Less, "reference.less", compare<std::less<>>},
    {&op::LessOrEqual, "reference.less_or_equal", compare<std::less_equal<>>},
    {&op::And, "reference.and", compare<std::logical_and<>>},
    {&op::Or, "reference.or", compare<std::logical_or<>>},
    {&op::Xor, "reference.xor", compare<std::not_equal_to<>>},
    {&op::Not, "reference.not", logical_not},
    {&op::IsNaN, "reference.is_nan", is_nan},
    {&op::IsInf, "reference.is_inf", is_inf},
    {&op::BitShift, "reference.bit_shift", bit_shift},
    {&op::BitwiseAnd, "reference.bitwise_and", bits<std::bit_and<>>},
    {&op::BitwiseOr, "reference.bitwise_or", bits<std::bit_or<>>},
    {&op::BitwiseXor, "reference.bitwise_xor", bits<std::bit_xor<>>},
    {&op::BitwiseNot, "reference.bitwise_not", bitwise_not},
};

}  // namespace tenon::reference
