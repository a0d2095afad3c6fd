// Elementwise arithmetic of two inputs, and of any number folded: Sum, Mean, Min, Max.
#include <cmath>
#include <type_traits>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"
#include "ops/nn/precision.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/binary.cpp"
#include "backends/cpu/element_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct AddOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Add(a, b);
  }
};
struct SubOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Sub(a, b);
  }
};
struct MulOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};
struct DivOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Div(a, b);
  }
};
// A NaN in either operand gives NaN, as NumPy's minimum and maximum do.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V nan_of_either(D, V a, V b, V otherwise) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>())
    return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, otherwise));
  else
    return otherwise;
}
struct MinOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return nan_of_either(d, a, b, hn::Min(a, b));
  }
};
struct MaxOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return nan_of_either(d, a, b, hn::Max(a, b));
  }
};
struct ReluGradOf : NoAttrs {  // dy where y > 0
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V dy, V y) const {
    return hn::IfThenElseZero(hn::Gt(y, hn::Zero(d)), dy);
  }
};
struct WrappingMul {  // integers wrap; vectors lack a 64-bit product
  template <class T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
struct Fmod {  // C's fmod: exact, with the sign of a
  template <class T>
  T operator()(T a, T b) const {
    return std::fmod(a, b);
  }
};

ElementFn mul_row(DType type) {
  if (type == DType::i32) return scalar_binary<WrappingMul, int32_t, int32_t>;
  if (type == DType::i64) return scalar_binary<WrappingMul, int64_t, int64_t>;
  return binary_floats<MulOf>(type);
}

ElementFn fmod_row(DType type) {
  if (type == DType::f32) return scalar_binary<Fmod, float, float>;
  if (type == DType::f64) return scalar_binary<Fmod, double, double>;
  return nullptr;
}

ElementFn find_binary(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Add, binary_signed<AddOf>},
      {&op::Sub, binary_signed<SubOf>},
      {&op::Mul, mul_row},
      {&op::Div, binary_floats<DivOf>},
      {&op::Min, binary_signed<MinOf>},
      {&op::Max, binary_signed<MaxOf>},
      {&op::Sum, binary_floats<AddOf>},
      {&op::Mean, binary_floats<AddOf>},
      {&op::Mod, fmod_row},
      {&op::ReluGrad, binary_signed<ReluGradOf>},
  };
  return find_row(rows, op, type);
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_binary);

Prepared prepare(const PrepareContext& ctx) {
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_binary), kCheapGrain);
}

Prepared prepare_mod(const PrepareContext& ctx) {
  if (ctx.i("fmod") == 0) return refuse("only fmod=1, the modulus of floats");
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_binary), kCostlyGrain);
}

Prepared prepare_variadic(const PrepareContext& ctx) {
  const FindLoop find = HWY_DYNAMIC_DISPATCH(find_binary);
  const DType given = ctx.inputs[0].dtype;
  const DType type = compute_type(given);
  const ElementFn fn = find(ctx.op, type);
  if (!fn) return refuse_type(ctx, find);
  const ElementLoop loop{fn, {type, type, type}, type, kCheapGrain};
  if (&ctx.op != &op::Mean) return prepare_fold(ctx, loop);
  if (type != DType::f32) return refuse("only f16, bf16, f32; data_0 is f64");
  return prepare_fold(ctx, loop, find(op::Div, type), {.a = static_cast<float>(ctx.inputs.size())});
}

}  // namespace

constinit const KernelList binary{
    {&op::Add, "cpu.add", prepare, Strides::any},
    {&op::Sub, "cpu.sub", prepare, Strides::any},
    {&op::Mul, "cpu.mul", prepare, Strides::any},
    {&op::Div, "cpu.div", prepare, Strides::any},
    {&op::Mod, "cpu.fmod", prepare_mod, Strides::any},
    {&op::ReluGrad, "cpu.relu_grad", prepare, Strides::any},
    {&op::Min, "cpu.min", prepare_variadic, Strides::any},
    {&op::Max, "cpu.max", prepare_variadic, Strides::any},
    {&op::Sum, "cpu.sum", prepare_variadic, Strides::any},
    {&op::Mean, "cpu.mean", prepare_variadic, Strides::any},
};

}  // namespace tenon::cpu
#endif
