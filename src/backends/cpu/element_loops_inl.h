// The loops that elementwise kernels are made of: a functor on vectors becomes an ElementFn.
// Included through simd.h's scheme, once a target.
#include "backends/cpu/simd.h"

#if defined(TENON_CPU_ELEMENT_LOOPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_ELEMENT_LOOPS_INL_H
#undef TENON_CPU_ELEMENT_LOOPS_INL_H
#else
#define TENON_CPU_ELEMENT_LOOPS_INL_H
#endif

#include "backends/cpu/elementwise.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

// Base of functors that use no attributes.
struct NoAttrs {
  explicit NoAttrs(const ElementAttrs&) {}
};

// y = Op(attrs)(d, x)
template <class Op, class T>
void unary_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs& attrs) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  const T* x = static_cast<const T*>(in[0]);
  T* y = static_cast<T*>(out);
  const Op op(attrs);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < n) store_part(op(d, load_part(d, x + i, n - i)), d, y + i, n - i);
}

template <class Op, class T, bool kScalarA, bool kScalarB>
HWY_INLINE void binary_case(const T* a, const T* b, T* y, size_t n, const ElementAttrs& attrs) {
  const Tag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto all_a = hn::Set(d, *a);
  const auto all_b = hn::Set(d, *b);
  const Op op(attrs);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto va = all_a;
    auto vb = all_b;
    if constexpr (!kScalarA) va = hn::LoadU(d, a + i);
    if constexpr (!kScalarB) vb = hn::LoadU(d, b + i);
    hn::StoreU(op(d, va, vb), d, y + i);
  }
  if (i == n) return;
  auto va = all_a;
  auto vb = all_b;
  if constexpr (!kScalarA) va = load_part(d, a + i, n - i);
  if constexpr (!kScalarB) vb = load_part(d, b + i, n - i);
  store_part(op(d, va, vb), d, y + i, n - i);
}

// y = Op(attrs)(d, a, b)
template <class Op, class T>
void binary_loop(const void* const* in, void* out, size_t n, unsigned scalars,
                 const ElementAttrs& attrs) {
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  T* y = static_cast<T*>(out);
  if (scalars == 0)
    binary_case<Op, T, false, false>(a, b, y, n, attrs);
  else if (scalars == 1)
    binary_case<Op, T, true, false>(a, b, y, n, attrs);
  else
    binary_case<Op, T, false, true>(a, b, y, n, attrs);
}

// Functors on single elements, for what vectors do not have; the compiler makes of them what it
// can.
template <class Op, class T, class Result>
void scalar_binary(const void* const* in, void* out, size_t n, unsigned scalars,
                   const ElementAttrs&) {
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  Result* y = static_cast<Result*>(out);
  const Op op;
  if (scalars == 0) {
    for (size_t i = 0; i < n; ++i) y[i] = op(a[i], b[i]);
  } else if (scalars == 1) {
    const T all = *a;
    for (size_t i = 0; i < n; ++i) y[i] = op(all, b[i]);
  } else {
    const T all = *b;
    for (size_t i = 0; i < n; ++i) y[i] = op(a[i], all);
  }
}

// Which loops a functor has, by element type; null for others. The rows of a kernel's table.
template <class Op>
ElementFn unary_f32(DType type) {
  return type == DType::f32 ? unary_loop<Op, float> : nullptr;
}
template <class Op>
ElementFn unary_floats(DType type) {
  if (type == DType::f32) return unary_loop<Op, float>;
  if (type == DType::f64) return unary_loop<Op, double>;
  return nullptr;
}
template <class Op>
ElementFn unary_signed(DType type) {
  if (type == DType::i32) return unary_loop<Op, int32_t>;
  if (type == DType::i64) return unary_loop<Op, int64_t>;
  return unary_floats<Op>(type);
}
template <class Op>
ElementFn binary_f32(DType type) {
  return type == DType::f32 ? binary_loop<Op, float> : nullptr;
}
template <class Op>
ElementFn binary_floats(DType type) {
  if (type == DType::f32) return binary_loop<Op, float>;
  if (type == DType::f64) return binary_loop<Op, double>;
  return nullptr;
}
template <class Op>
ElementFn binary_signed(DType type) {
  if (type == DType::i32) return binary_loop<Op, int32_t>;
  if (type == DType::i64) return binary_loop<Op, int64_t>;
  return binary_floats<Op>(type);
}

struct ElementRow {
  const OpDef* op;
  ElementFn (*of)(DType);
};

template <size_t N>
ElementFn find_row(const ElementRow (&rows)[N], const OpDef& op, DType type) {
  for (const ElementRow& row : rows)
    if (row.op == &op) return row.of(type);
  return nullptr;
}

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
