// Comparisons, logic, and choosing between elements: Where and Clip.
#include <functional>
#include <limits>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"
#include "ops/nn/precision.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/compare.cpp"
#include "backends/cpu/element_loops_inl.h"
#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

// Plain loops, which the compiler vectorises for each target. Bytes, since it knows no bool
// vectors.
struct EqualOf {
  template <class T>
  uint8_t operator()(T a, T b) const {
    return a == b;
  }
};
struct GreaterOf {
  template <class T>
  uint8_t operator()(T a, T b) const {
    return a > b;
  }
};
struct GreaterOrEqualOf {
  template <class T>
  uint8_t operator()(T a, T b) const {
    return a >= b;
  }
};
struct LessOf {
  template <class T>
  uint8_t operator()(T a, T b) const {
    return a < b;
  }
};
struct LessOrEqualOf {
  template <class T>
  uint8_t operator()(T a, T b) const {
    return a <= b;
  }
};
struct AndOf {
  uint8_t operator()(uint8_t a, uint8_t b) const { return a & b; }
};
struct OrOf {
  uint8_t operator()(uint8_t a, uint8_t b) const { return a | b; }
};
struct XorOf {
  uint8_t operator()(uint8_t a, uint8_t b) const { return a ^ b; }
};

template <class Op>
ElementFn order_row(DType type) {
  if (type == DType::f32) return scalar_binary<Op, float, uint8_t>;
  if (type == DType::f64) return scalar_binary<Op, double, uint8_t>;
  if (type == DType::i32) return scalar_binary<Op, int32_t, uint8_t>;
  if (type == DType::i64) return scalar_binary<Op, int64_t, uint8_t>;
  if (type == DType::u8) return scalar_binary<Op, uint8_t, uint8_t>;
  return nullptr;
}
ElementFn equal_row(DType type) {
  if (type == DType::boolean) return scalar_binary<EqualOf, uint8_t, uint8_t>;
  return order_row<EqualOf>(type);
}
template <class Op>
ElementFn logic_row(DType type) {
  return type == DType::boolean ? scalar_binary<Op, uint8_t, uint8_t> : nullptr;
}

ElementFn find_comparison(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Equal, equal_row},
      {&op::Greater, order_row<GreaterOf>},
      {&op::GreaterOrEqual, order_row<GreaterOrEqualOf>},
      {&op::Less, order_row<LessOf>},
      {&op::LessOrEqual, order_row<LessOrEqualOf>},
      {&op::And, logic_row<AndOf>},
      {&op::Or, logic_row<OrOf>},
      {&op::Xor, logic_row<XorOf>},
  };
  return find_row(rows, op, type);
}

void not_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs&) {
  const auto* x = static_cast<const uint8_t*>(in[0]);
  auto* y = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < n; ++i) y[i] = x[i] ^ 1;
}

// y = c ? a : b for elements of T's size.
template <class T, bool kScalarA, bool kScalarB>
void where_case(const uint8_t* c, const T* a, const T* b, T* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const T va = a[kScalarA ? 0 : i];
    const T vb = b[kScalarB ? 0 : i];
    y[i] = c[i] ? va : vb;
  }
}
template <class T>
void where_loop(const void* const* in, void* out, size_t n, unsigned scalars, const ElementAttrs&) {
  const auto* c = static_cast<const uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  T* y = static_cast<T*>(out);
  if (scalars & 1) {
    const T* from = *c ? a : b;
    if (scalars & (*c ? 2U : 4U)) {
      const T all = *from;
      for (size_t i = 0; i < n; ++i) y[i] = all;
    } else {
      std::memmove(y, from, n * sizeof(T));
    }
    return;
  }
  switch (scalars >> 1) {
    case 0: return where_case<T, false, false>(c, a, b, y, n);
    case 1: return where_case<T, true, false>(c, a, b, y, n);
    case 2: return where_case<T, false, true>(c, a, b, y, n);
    default: return where_case<T, true, true>(c, a, b, y, n);
  }
}
ElementFn find_where(size_t element_size) {
  switch (element_size) {
    case 1: return where_loop<uint8_t>;
    case 2: return where_loop<uint16_t>;
    case 4: return where_loop<uint32_t>;
    case 8: return where_loop<uint64_t>;
    default: return nullptr;
  }
}

// min(max(x, low), high): the upper bound wins where they cross; NaN stays NaN.
template <class T>
void clip_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs&) {
  const Tag<T> d;
  using Limits = std::numeric_limits<T>;
  const auto low = hn::Set(d, in[1]                  ? *static_cast<const T*>(in[1])
                              : Limits::has_infinity ? -Limits::infinity()
                                                     : Limits::lowest());
  const auto high = hn::Set(d, in[2]                  ? *static_cast<const T*>(in[2])
                               : Limits::has_infinity ? Limits::infinity()
                                                      : Limits::max());
  const T* x = static_cast<const T*>(in[0]);
  T* y = static_cast<T*>(out);
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const bool whole = i + lanes <= n;
    auto v = whole ? hn::LoadU(d, x + i) : load_part(d, x + i, n - i);
    v = hn::IfThenElse(hn::Lt(v, low), low, v);
    v = hn::IfThenElse(hn::Gt(v, high), high, v);
    if (whole)
      hn::StoreU(v, d, y + i);
    else
      store_part(v, d, y + i, n - i);
  }
}
ElementFn find_clip(const OpDef&, DType type) {
  if (type == DType::f32) return clip_loop<float>;
  if (type == DType::f64) return clip_loop<double>;
  if (type == DType::i32) return clip_loop<int32_t>;
  if (type == DType::i64) return clip_loop<int64_t>;
  return nullptr;
}

ElementFn find_not() { return not_loop; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_comparison);
HWY_EXPORT(find_where);
HWY_EXPORT(find_clip);
HWY_EXPORT(find_not);

Prepared prepare_comparison(const PrepareContext& ctx) {
  const FindLoop find = HWY_DYNAMIC_DISPATCH(find_comparison);
  const DType given = ctx.inputs[0].dtype;
  const DType type = compute_type(given);
  const ElementFn fn = find(ctx.op, type);
  if (!fn) return refuse_type(ctx, find);
  return prepare_elementwise(ctx, {fn, {type, type, type}, DType::boolean, kCheapGrain});
}

Prepared prepare_not(const PrepareContext& ctx) {
  return prepare_elementwise(
      ctx, {HWY_DYNAMIC_DISPATCH(find_not)(), {DType::boolean}, DType::boolean, kCheapGrain});
}

Prepared prepare_where(const PrepareContext& ctx) {
  const DType type = ctx.inputs[1].dtype;
  const ElementFn fn =
      type == DType::string ? nullptr : HWY_DYNAMIC_DISPATCH(find_where)(size_of(type));
  if (!fn) return refuse(fmt::format("only elements of 1, 2, 4 or 8 bytes; X is {}", name(type)));
  return prepare_elementwise(ctx, {fn, {DType::boolean, type, type}, type, kCheapGrain});
}

Prepared prepare_clip(const PrepareContext& ctx) {
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_clip), kCheapGrain);
}

}  // namespace

constinit const KernelList compare{
    {&op::Equal, "cpu.equal", prepare_comparison, Strides::any},
    {&op::Greater, "cpu.greater", prepare_comparison, Strides::any},
    {&op::GreaterOrEqual, "cpu.greater_or_equal", prepare_comparison, Strides::any},
    {&op::Less, "cpu.less", prepare_comparison, Strides::any},
    {&op::LessOrEqual, "cpu.less_or_equal", prepare_comparison, Strides::any},
    {&op::And, "cpu.and", prepare_comparison, Strides::any},
    {&op::Or, "cpu.or", prepare_comparison, Strides::any},
    {&op::Xor, "cpu.xor", prepare_comparison, Strides::any},
    {&op::Not, "cpu.not", prepare_not, Strides::any},
    {&op::Where, "cpu.where", prepare_where, Strides::any},
    {&op::Clip, "cpu.clip", prepare_clip, Strides::any},
};

}  // namespace tenon::cpu
#endif
