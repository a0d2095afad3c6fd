// Integers: division, remainders, bits and shifts. Divisions by 0 give 0, overflow wraps.
#include <type_traits>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/integer.cpp"
#include "backends/cpu/element_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct QuotientOf {  // toward 0
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>)
      if (b == -1)
        return static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(a));
    return static_cast<T>(a / b);
  }
};
struct RemainderOf {  // with the sign of a
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return 0;
    return static_cast<T>(a % b);
  }
};
struct ModuloOf {  // with the sign of b
  template <class T>
  T operator()(T a, T b) const {
    const T rest = RemainderOf()(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  }
};
struct AndOf {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct OrOf {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct XorOf {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};
struct LeftOf {  // bits shifted out are gone, all of them past the width
  template <class T>
  T operator()(T a, T b) const {
    return b >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << b);
  }
};
struct RightOf {
  template <class T>
  T operator()(T a, T b) const {
    return b >= 8 * sizeof(T) ? T{0} : static_cast<T>(a >> b);
  }
};

template <class Op>
ElementFn signed_row(DType type) {
  if (type == DType::i32) return scalar_binary<Op, int32_t, int32_t>;
  if (type == DType::i64) return scalar_binary<Op, int64_t, int64_t>;
  if (type == DType::u8) return scalar_binary<Op, uint8_t, uint8_t>;
  return nullptr;
}
template <class Op>
ElementFn unsigned_row(DType type) {
  switch (type) {
    case DType::u8: return scalar_binary<Op, uint8_t, uint8_t>;
    case DType::u16: return scalar_binary<Op, uint16_t, uint16_t>;
    case DType::u32: return scalar_binary<Op, uint32_t, uint32_t>;
    case DType::u64: return scalar_binary<Op, uint64_t, uint64_t>;
    default: return nullptr;
  }
}
template <class Op>
ElementFn bits_row(DType type) {
  switch (type) {
    case DType::i8: return unsigned_row<Op>(DType::u8);
    case DType::i16: return unsigned_row<Op>(DType::u16);
    case DType::i32: return unsigned_row<Op>(DType::u32);
    case DType::i64: return unsigned_row<Op>(DType::u64);
    default: return unsigned_row<Op>(type);
  }
}

template <class T>
void not_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs&) {
  const T* x = static_cast<const T*>(in[0]);
  T* y = static_cast<T*>(out);
  for (size_t i = 0; i < n; ++i) y[i] = static_cast<T>(~x[i]);
}
ElementFn not_row(DType type) {
  switch (size_of(type)) {
    case 1: return not_loop<uint8_t>;
    case 2: return not_loop<uint16_t>;
    case 4: return not_loop<uint32_t>;
    default: return not_loop<uint64_t>;
  }
}

ElementFn find_integer(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Div, signed_row<QuotientOf>}, {&op::Mod, signed_row<ModuloOf>},
      {&op::BitwiseAnd, bits_row<AndOf>}, {&op::BitwiseOr, bits_row<OrOf>},
      {&op::BitwiseXor, bits_row<XorOf>}, {&op::BitShift, unsigned_row<LeftOf>},
  };
  if (!is_int(type)) return nullptr;
  return find_row(rows, op, type);
}
ElementFn find_bitwise_not(const OpDef&, DType type) {
  return is_int(type) ? not_row(type) : nullptr;
}
ElementFn find_remainder(const OpDef&, DType type) { return signed_row<RemainderOf>(type); }
ElementFn find_right_shift(const OpDef&, DType type) { return unsigned_row<RightOf>(type); }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_integer);
HWY_EXPORT(find_bitwise_not);
HWY_EXPORT(find_remainder);
HWY_EXPORT(find_right_shift);

Prepared prepare(const PrepareContext& ctx) {
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_integer), kCheapGrain);
}

Prepared prepare_not(const PrepareContext& ctx) {
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_bitwise_not), kCheapGrain);
}

Prepared prepare_mod(const PrepareContext& ctx) {
  if (ctx.i("fmod") == 0) return prepare(ctx);
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_remainder), kCheapGrain);
}

Prepared prepare_shift(const PrepareContext& ctx) {
  if (ctx.s("direction") == "LEFT") return prepare(ctx);
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_right_shift), kCheapGrain);
}

}  // namespace

constinit const KernelList integer{
    {&op::Div, "cpu.div_integer", prepare, Strides::any},
    {&op::Mod, "cpu.mod_integer", prepare_mod, Strides::any},
    {&op::BitwiseAnd, "cpu.bitwise_and", prepare, Strides::any},
    {&op::BitwiseOr, "cpu.bitwise_or", prepare, Strides::any},
    {&op::BitwiseXor, "cpu.bitwise_xor", prepare, Strides::any},
    {&op::BitwiseNot, "cpu.bitwise_not", prepare_not, Strides::any},
    {&op::BitShift, "cpu.bit_shift", prepare_shift, Strides::any},
};

}  // namespace tenon::cpu
#endif
