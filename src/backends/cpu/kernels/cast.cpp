// Cast between f32 and the 16-bit floats, small integers and bool, in any dense order; the other
// types are copies (copy.cpp). Floats beyond an integer type take its nearest bound, NaN 0.
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "ops/math/catalog.h"
#include "tensor/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/cast.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using D = Tag<float>;
using DI = Tag<int32_t>;

template <class T>
struct ToInteger {  // T of 8 or 16 bits
  using To = T;
  HWY_INLINE auto operator()(hn::Vec<D> x) const {
    const D d;
    const auto low = hn::Set(d, static_cast<float>(hwy::LowestValue<T>()));
    const auto high = hn::Set(d, static_cast<float>(hwy::HighestValue<T>()));
    const auto number = hn::IfThenElseZero(hn::Eq(x, x), x);
    const auto bounded = hn::Min(hn::Max(number, low), high);
    return hn::DemoteTo(hn::Rebind<T, D>(), hn::ConvertTo(DI(), bounded));
  }
};
struct ToI32 {
  using To = int32_t;
  HWY_INLINE auto operator()(hn::Vec<D> x) const {
    const D d;
    const DI di;
    // 2^31 is no i32: what reaches it takes the largest one.
    const auto past = hn::RebindMask(di, hn::Ge(x, hn::Set(d, 2147483648.0F)));
    const auto number = hn::IfThenElseZero(hn::Eq(x, x), x);
    const auto bounded = hn::Max(number, hn::Set(d, -2147483648.0F));
    return hn::IfThenElse(past, hn::Set(di, 2147483647), hn::ConvertTo(di, bounded));
  }
};
struct ToFlag {  // a bool's byte
  using To = uint8_t;
  HWY_INLINE auto operator()(hn::Vec<D> x) const {
    const DI di;
    // "Not equal" does not take NaN on every target, so the zeros are looked for.
    const auto zero = hn::RebindMask(di, hn::Eq(x, hn::Zero(D())));
    const auto flag = hn::IfThenZeroElse(zero, hn::Set(di, 1));
    return hn::DemoteTo(hn::Rebind<uint8_t, DI>(), flag);
  }
};

template <class Op>
void from_f32(const void* from, void* to, size_t count) {
  const D d;
  const hn::Rebind<typename Op::To, D> dt;
  const auto* x = static_cast<const float*>(from);
  auto* y = static_cast<typename Op::To*>(to);
  const Op op;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(op(hn::LoadU(d, x + i)), dt, y + i);
  if (i < count) store_part(op(load_part(d, x + i, count - i)), dt, y + i, count - i);
}

// Through i32 where all lanes fit, one by one where not.
void f32_to_i64(const void* from, void* to, size_t count) {
  const Tag<int64_t> wide;
  const hn::Rebind<float, Tag<int64_t>> d;
  const hn::Rebind<int32_t, Tag<int64_t>> di;
  const auto* x = static_cast<const float*>(from);
  auto* y = static_cast<int64_t*>(to);
  const size_t lanes = hn::Lanes(wide);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    if (hn::AllTrue(d, hn::Lt(hn::Abs(v), hn::Set(d, 2147483648.0F))))
      hn::StoreU(hn::PromoteTo(wide, hn::ConvertTo(di, v)), wide, y + i);
    else
      for (size_t k = i; k < i + lanes; ++k) y[k] = convert<int64_t>(x[k]);
  }
  for (; i < count; ++i) y[i] = convert<int64_t>(x[i]);
}

template <class T, bool kFlag>
HWY_INLINE hn::Vec<D> floats_of(hn::Vec<hn::Rebind<T, D>> x) {
  const D d;
  const DI di;
  if constexpr (sizeof(T) == 4)
    return hn::ConvertTo(d, x);
  else if constexpr (kFlag)  // any byte but 0 is true
    return hn::ConvertTo(d, hn::Min(hn::PromoteTo(di, x), hn::Set(di, 1)));
  else
    return hn::ConvertTo(d, hn::PromoteTo(di, x));
}

template <class T, bool kFlag = false>
void to_f32(const void* from, void* to, size_t count) {
  const D d;
  const hn::Rebind<T, D> dt;
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<float*>(to);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(floats_of<T, kFlag>(hn::LoadU(dt, x + i)), d, y + i);
  if (i < count)
    store_part(floats_of<T, kFlag>(load_part(dt, x + i, count - i)), d, y + i, count - i);
}

ConvertFn find_conversion(DType from, DType to) {
  if (from == DType::f32) {
    switch (to) {
      case DType::u8: return from_f32<ToInteger<uint8_t>>;
      case DType::i8: return from_f32<ToInteger<int8_t>>;
      case DType::u16: return from_f32<ToInteger<uint16_t>>;
      case DType::i16: return from_f32<ToInteger<int16_t>>;
      case DType::i32: return from_f32<ToI32>;
      case DType::i64: return f32_to_i64;
      case DType::boolean: return from_f32<ToFlag>;
      default: return nullptr;
    }
  }
  if (to != DType::f32) return nullptr;
  switch (from) {
    case DType::u8: return to_f32<uint8_t>;
    case DType::i8: return to_f32<int8_t>;
    case DType::u16: return to_f32<uint16_t>;
    case DType::i16: return to_f32<int16_t>;
    case DType::i32: return to_f32<int32_t>;
    case DType::boolean: return to_f32<uint8_t, true>;
    default: return nullptr;
  }
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_conversion);

struct CastKernel final : Kernel {
  ConvertFn convert;
  int64_t count, from_size, to_size;

  void run(const RunContext& ctx) const override {
    parallel_for(0, count, 32768, [&](int64_t begin, int64_t end) {
      convert(ctx.input<std::byte>(0) + begin * from_size,
              ctx.output<std::byte>(0) + begin * to_size, static_cast<size_t>(end - begin));
    });
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const DType to = ctx.outputs[0].dtype;
  auto kernel = std::make_unique<CastKernel>();
  kernel->convert = half_conversion(x.dtype, to);
  if (!kernel->convert) kernel->convert = cast_conversion(x.dtype, to);
  if (!kernel->convert) return refuse(fmt::format("not from {} to {}", name(x.dtype), name(to)));
  if (!take_order(x, ctx.outputs[0])) return refuse("only dense elements");
  kernel->count = x.numel();
  kernel->from_size = static_cast<int64_t>(size_of(x.dtype));
  kernel->to_size = static_cast<int64_t>(size_of(to));
  return kernel;
}

}  // namespace

ConvertFn cast_conversion(DType from, DType to) {
  return HWY_DYNAMIC_DISPATCH(find_conversion)(from, to);
}

constinit const KernelList cast{{&op::Cast, "cpu.cast", prepare, Strides::any}};

}  // namespace tenon::cpu
#endif
