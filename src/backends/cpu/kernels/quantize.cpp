// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear of f32 and integers. A row is a run of
// elements that lie side by side and have one scale, or a scale each.
#include <algorithm>
#include <array>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "ops/quant/catalog.h"
#include "ops/quant/granularity.h"
#include "tensor/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantize.cpp"
#include "backends/cpu/simd.h"

#ifndef TENON_CPU_QUANTIZE_TYPES
#define TENON_CPU_QUANTIZE_TYPES
namespace tenon::cpu {
namespace {

// n elements of x; one scale and zero point, or n of each.
using ScaledRow = void (*)(const void* x, void* y, size_t n, const float* scales,
                           const float* zeros);
struct ScaledRows {
  ScaledRow one_scale = nullptr, each_scale = nullptr;
};

struct Extremes {
  float low = 0, high = 0;  // 0 is always between them
};
struct QuantizeLoops {
  ScaledRows (*quantize)(DType to) = nullptr;
  ScaledRows (*dequantize)(DType from) = nullptr;
  Extremes (*extremes)(const float* x, size_t n) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using D = Tag<float>;
using DI = Tag<int32_t>;
using V = hn::Vec<D>;

HWY_INLINE V read(const float* from, size_t n) {
  const D d;
  return n >= hn::Lanes(d) ? hn::LoadU(d, from) : load_part(d, from, n);
}

// As the reference: the quotient is rounded before the zero point is added, NaN becomes the lowest.
template <class T, bool kEach>
void quantize_row(const void* x, void* y, size_t n, const float* scales, const float* zeros) {
  const D d;
  const hn::Rebind<T, D> dt;
  const size_t lanes = hn::Lanes(d);
  const V low = hn::Set(d, static_cast<float>(hwy::LowestValue<T>()));
  const V high = hn::Set(d, static_cast<float>(hwy::HighestValue<T>()));
  V scale = hn::Set(d, *scales), zero = hn::Set(d, *zeros);
  const auto* from = static_cast<const float*>(x);
  auto* to = static_cast<T*>(y);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i;
    if constexpr (kEach) {
      scale = read(scales + i, left);
      zero = read(zeros + i, left);
    }
    V v = hn::Add(hn::Round(hn::Div(read(from + i, left), scale)), zero);
    v = hn::Min(hn::IfThenElse(hn::Gt(v, low), v, low), high);
    const auto narrow = hn::DemoteTo(dt, hn::ConvertTo(DI(), v));
    if (left >= lanes)
      hn::StoreU(narrow, dt, to + i);
    else
      store_part(narrow, dt, to + i, left);
  }
}

// Codes of 4 bits are those of bytes, i4's with a sign to extend.
template <class T, int kBits>
HWY_INLINE hn::Vec<DI> widen(const T* from, size_t n) {
  const DI di;
  if constexpr (sizeof(T) == 4) {
    return n >= hn::Lanes(di) ? hn::LoadU(di, from) : load_part(di, from, n);
  } else {
    const hn::Rebind<T, DI> dt;
    const auto narrow = n >= hn::Lanes(di) ? hn::LoadU(dt, from) : load_part(dt, from, n);
    const auto wide = hn::PromoteTo(di, narrow);
    if constexpr (kBits == 8 * sizeof(T)) return wide;
    const auto code = hn::And(wide, hn::Set(di, (1 << kBits) - 1));
    if constexpr (hwy::IsSigned<T>()) {
      const auto sign = hn::Set(di, 1 << (kBits - 1));
      return hn::Sub(hn::Xor(code, sign), sign);
    } else {
      return code;
    }
  }
}

template <class T, int kBits, bool kEach>
void dequantize_row(const void* x, void* y, size_t n, const float* scales, const float* zeros) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V scale = hn::Set(d, *scales), zero = hn::Set(d, *zeros);
  const auto* from = static_cast<const T*>(x);
  auto* to = static_cast<float*>(y);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t left = n - i;
    if constexpr (kEach) {
      scale = read(scales + i, left);
      zero = read(zeros + i, left);
    }
    const V steps = hn::Sub(hn::ConvertTo(d, widen<T, kBits>(from + i, left)), zero);
    const V v = hn::Mul(steps, scale);
    if (left >= lanes)
      hn::StoreU(v, d, to + i);
    else
      store_part(v, d, to + i, left);
  }
}

Extremes extremes_of(const float* x, size_t n) {
  const D d;
  V low = hn::Zero(d), high = hn::Zero(d);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const V v = read(x + i, n - i);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
  }
  return {hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high))};
}

template <class T>
ScaledRows quantize_to() {
  return {quantize_row<T, false>, quantize_row<T, true>};
}
ScaledRows find_quantize(DType to) {
  switch (to) {
    case DType::u8: return quantize_to<uint8_t>();
    case DType::i8: return quantize_to<int8_t>();
    case DType::u16: return quantize_to<uint16_t>();
    case DType::i16: return quantize_to<int16_t>();
    default: return {};
  }
}

template <class T, int kBits = 8 * sizeof(T)>
ScaledRows dequantize_from() {
  return {dequantize_row<T, kBits, false>, dequantize_row<T, kBits, true>};
}
ScaledRows find_dequantize(DType from) {
  switch (from) {
    case DType::u8: return dequantize_from<uint8_t>();
    case DType::i8: return dequantize_from<int8_t>();
    case DType::u16: return dequantize_from<uint16_t>();
    case DType::i16: return dequantize_from<int16_t>();
    case DType::i32: return dequantize_from<int32_t>();
    case DType::u4: return dequantize_from<uint8_t, 4>();
    case DType::i4: return dequantize_from<int8_t, 4>();
    default: return {};
  }
}

QuantizeLoops find_loops() { return {find_quantize, find_dequantize, extremes_of}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_loops);

using op::quant::Granularity;
using op::quant::ScaleLayout;

constexpr int64_t kGrain = 16384;  // elements worth a thread of their own

struct Scaled final : Kernel {
  ScaledRows rows;
  ScaleLayout layout;
  int64_t x_size, y_size;  // bytes of an element
  int64_t scale_count;
  ConvertRun zero;  // zero points to f32; nothing where there are none

  void run(const RunContext& ctx) const override {
    const auto* scales = ctx.input<float>(1);
    auto* zeros = static_cast<float*>(ctx.scratch);
    if (zero)
      zero(ctx.in[2], zeros, scale_count);
    else
      std::fill_n(zeros, scale_count, 0.0F);
    const auto* x = ctx.input<std::byte>(0);
    auto* y = ctx.output<std::byte>(0);
    for_each_row([&](ScaledRow row, int64_t at, int64_t n, int64_t scale) {
      row(x + at * x_size, y + at * y_size, static_cast<size_t>(n), scales + scale, zeros + scale);
    });
  }

  // fn(loop, first element, elements, first scale)
  template <class Fn>
  void for_each_row(Fn&& fn) const {
    const ScaleLayout& l = layout;
    if (l.granularity == Granularity::tensor)
      return parallel_for(0, l.inner, kGrain, [&](int64_t begin, int64_t end) {
        fn(rows.one_scale, begin, end - begin, 0);
      });
    if (l.inner > 1)
      return split(l.outer * l.axis, l.inner, [&](int64_t r) {
        const int64_t o = r / l.axis, a = r % l.axis;
        fn(l.granularity == Granularity::axis ? rows.one_scale : rows.each_scale, r * l.inner,
           l.inner, o * l.outer_step + a / l.block * l.axis_step);
      });
    if (l.granularity == Granularity::axis)
      return split(l.outer, l.axis, [&](int64_t o) { fn(rows.each_scale, o * l.axis, l.axis, 0); });
    split(l.outer * l.blocks, l.block, [&](int64_t b) {
      const int64_t from = b % l.blocks * l.block;
      fn(rows.one_scale, b / l.blocks * l.axis + from, std::min(l.block, l.axis - from), b);
    });
  }

  template <class Fn>
  static void split(int64_t count, int64_t length, Fn&& fn) {
    parallel_for(0, count, std::max<int64_t>(1, kGrain / std::max<int64_t>(length, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) fn(i);
                 });
  }
};

// Of f32 on one side and what has loops on the other.
Prepared prepare_scaled(const PrepareContext& ctx, const ScaledRows& rows, size_t real) {
  const TensorSpec &x = ctx.inputs[0], &scale = ctx.inputs[1], &y = ctx.outputs[0];
  const DType real_type = real == 0 ? x.dtype : y.dtype;
  if (!rows.one_scale || real_type != DType::f32 || scale.dtype != DType::f32)
    return refuse(fmt::format("not from {} to {} with a scale of {}", name(x.dtype), name(y.dtype),
                              name(scale.dtype)));
  auto kernel = std::make_unique<Scaled>();
  kernel->rows = rows;
  kernel->layout = op::quant::scale_layout(ctx, x.shape, scale.shape);
  kernel->x_size = static_cast<int64_t>(size_of(x.dtype));
  kernel->y_size = static_cast<int64_t>(size_of(y.dtype));
  kernel->scale_count = scale.numel();
  kernel->scratch_bytes = static_cast<size_t>(scale.numel()) * sizeof(float);
  if (ctx.has_input(2)) kernel->zero = convert_run(ctx.inputs[2].dtype, DType::f32);
  return kernel;
}

Prepared prepare_quantize(const PrepareContext& ctx) {
  const int64_t precision = ctx.i("precision");
  if (precision != 0 && static_cast<DType>(precision) != DType::f32)
    return refuse(fmt::format("divides in f32, not {}", name(static_cast<DType>(precision))));
  const QuantizeLoops loops = HWY_DYNAMIC_DISPATCH(find_loops)();
  return prepare_scaled(ctx, loops.quantize(ctx.outputs[0].dtype), 0);
}

Prepared prepare_dequantize(const PrepareContext& ctx) {
  const QuantizeLoops loops = HWY_DYNAMIC_DISPATCH(find_loops)();
  return prepare_scaled(ctx, loops.dequantize(ctx.inputs[0].dtype), 1);
}

// One scale for all elements, whatever their order: channels-last stays channels-last.
template <PrepareFn kPrepare>
Prepared prepare_flat(const PrepareContext& ctx) {
  if (op::quant::granularity_of(ctx, to_dims(ctx.inputs[1].shape)) != Granularity::tensor)
    return refuse("only one scale for all");
  if (!take_order(ctx.inputs[0], ctx.outputs[0])) return refuse("only dense elements");
  return kPrepare(ctx);
}

struct Dynamic final : Kernel {
  static constexpr int64_t kBlock = 32768;
  QuantizeLoops loops;
  ScaledRow row = nullptr;
  int64_t count = 0;
  bool wants_scale = false, wants_zero = false;

  void run(const RunContext& ctx) const override {
    const auto* x = ctx.input<float>(0);
    auto* found = static_cast<Extremes*>(ctx.scratch);
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        found[b] = loops.extremes(x + b * kBlock,
                                  static_cast<size_t>(std::min(kBlock, count - b * kBlock)));
    });
    Extremes all;
    for (int64_t b = 0; b < blocks; ++b)
      all = {std::min(all.low, found[b].low), std::max(all.high, found[b].high)};
    const float range = all.high - all.low;
    const float scale = range == 0 ? 1 : range / 255;
    // The number that 0 becomes is rounded, halves to even, as any element's is.
    uint8_t zero = 0;
    const float start = 0 - all.low, none = 0;
    row(&start, &zero, 1, &scale, &none);
    const auto zero_point = static_cast<float>(zero);
    parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
      row(x + begin, ctx.output<uint8_t>(0) + begin, static_cast<size_t>(end - begin), &scale,
          &zero_point);
    });
    if (wants_scale) *ctx.output<float>(1) = scale;
    if (wants_zero) *ctx.output<uint8_t>(2) = zero;
  }
};

Prepared prepare_dynamic(const PrepareContext& ctx) {
  if (!take_order(ctx.inputs[0], ctx.outputs[0])) return refuse("only dense elements");
  auto kernel = std::make_unique<Dynamic>();
  kernel->loops = HWY_DYNAMIC_DISPATCH(find_loops)();
  kernel->row = kernel->loops.quantize(DType::u8).one_scale;
  kernel->count = ctx.inputs[0].numel();
  kernel->wants_scale = ctx.wants_output(1);
  kernel->wants_zero = ctx.wants_output(2);
  kernel->scratch_bytes =
      static_cast<size_t>(kernel->count / Dynamic::kBlock + 1) * sizeof(Extremes);
  return kernel;
}

}  // namespace

constinit const KernelList quantize{
    {&op::QuantizeLinear, "cpu.quantize_flat", prepare_flat<prepare_quantize>, Strides::any},
    {&op::QuantizeLinear, "cpu.quantize", prepare_quantize},
    {&op::DequantizeLinear, "cpu.dequantize_flat", prepare_flat<prepare_dequantize>, Strides::any},
    {&op::DequantizeLinear, "cpu.dequantize", prepare_dequantize},
    {&op::DynamicQuantizeLinear, "cpu.dynamic_quantize_flat", prepare_dynamic, Strides::any},
    {&op::DynamicQuantizeLinear, "cpu.dynamic_quantize", prepare_dynamic},
};

}  // namespace tenon::cpu
#endif
