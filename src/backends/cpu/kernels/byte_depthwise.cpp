// QLinearConv of one channel a group and one map a channel (depthwise), channels-last, whose
// weights are a constant: a vector of channels at a time, two taps of the kernel in one
// multiplication.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "backends/cpu/byte_product.h"
#include "backends/cpu/channels_last.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/conv_rules.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"
#include "runtime/packed_store.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/byte_depthwise.cpp"
#include "backends/cpu/simd.h"

#ifndef TENON_CPU_BYTE_DEPTHWISE
#define TENON_CPU_BYTE_DEPTHWISE
namespace tenon::cpu {
namespace {

// One pixel of the result. Channels are worked on in blocks, each with its parameters: `pairs`
// times the weights of two taps, the biases and the scales, all in the order of loops.lane_channel.
struct DepthwisePixel {
  const void* const* taps;  // 2 * pairs pixels of the image
  size_t pairs;
  const int32_t* starts;  // the first channel of each block
  size_t blocks;
  const int16_t* weights;  // [blocks][pairs][block][2]
  const int32_t* bias;     // [blocks][block]
  const float* scale;      // [blocks][block]
  int32_t zero_point;
  void* y;
};

struct DepthwiseLoops {
  size_t block = 0;  // channels
  // [x is i8][y is i8]
  void (*pixel[2][2])(const DepthwisePixel& at) = {};
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using Narrow = hn::ScalableTag<int16_t>;
using Wide = hn::Repartition<int32_t, Narrow>;
using Floats = hn::RebindToFloat<Wide>;
using WideVector = hn::Vec<Wide>;

template <class T>
HWY_INLINE WideVector requantized(WideVector sum, const int32_t* bias, const float* scale,
                                  int32_t zero_point) {
  const Wide d;
  const Floats df;
  const auto low = hn::Set(df, static_cast<float>(hwy::LimitsMin<T>() - zero_point));
  const auto high = hn::Set(df, static_cast<float>(hwy::LimitsMax<T>() - zero_point));
  const auto x = hn::Mul(hn::ConvertTo(df, hn::Add(sum, hn::LoadU(d, bias))), hn::LoadU(df, scale));
  const auto above = hn::IfThenElse(hn::Gt(x, low), x, low);
  const auto clamped = hn::IfThenElse(hn::Lt(above, high), above, high);
  return hn::Add(hn::NearestInt(clamped), hn::Set(d, zero_point));
}

template <class X, class Y>
void depthwise_pixel(const DepthwisePixel& at) {
  const Narrow d;
  const Wide dw;
  const hn::Rebind<X, Narrow> dx;
  const hn::Rebind<Y, Narrow> dy;
  const size_t lanes = hn::Lanes(d), half = lanes / 2;
  const int16_t* w = at.weights;
  for (size_t b = 0; b < at.blocks; ++b) {
    const auto first = static_cast<size_t>(at.starts[b]);
    WideVector low = hn::Zero(dw), low_odd = low, high = low, high_odd = low;
    for (size_t k = 0; k < at.pairs; ++k, w += 2 * lanes) {
      const auto one =
          hn::PromoteTo(d, hn::LoadU(dx, static_cast<const X*>(at.taps[2 * k]) + first));
      const auto two =
          hn::PromoteTo(d, hn::LoadU(dx, static_cast<const X*>(at.taps[2 * k + 1]) + first));
      low = hn::ReorderWidenMulAccumulate(dw, hn::InterleaveLower(d, one, two), hn::LoadU(d, w),
                                          low, low_odd);
      high = hn::ReorderWidenMulAccumulate(dw, hn::InterleaveUpper(d, one, two),
                                           hn::LoadU(d, w + lanes), high, high_odd);
    }
    low = hn::RearrangeToOddPlusEven(low, low_odd);
    high = hn::RearrangeToOddPlusEven(high, high_odd);
    const int32_t* bias = at.bias + b * lanes;
    const float* scale = at.scale + b * lanes;
    const auto y0 = requantized<Y>(low, bias, scale, at.zero_point);
    const auto y1 = requantized<Y>(high, bias + half, scale + half, at.zero_point);
    hn::StoreU(hn::DemoteTo(dy, hn::ReorderDemote2To(d, y0, y1)), dy,
               static_cast<Y*>(at.y) + first);
  }
}

DepthwiseLoops find_depthwise() {
  return {hn::Lanes(Narrow()),
          {{depthwise_pixel<uint8_t, uint8_t>, depthwise_pixel<uint8_t, int8_t>},
           {depthwise_pixel<int8_t, uint8_t>, depthwise_pixel<int8_t, int8_t>}}};
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_depthwise);

using conv_rules::Geometry;

// The channel of lane i of a block: interleaving and demoting work on runs of 8 channels, whose
// first halves stand in the lower vector.
size_t lane_channel(size_t block, size_t lane) {
  const size_t half = block / 2, in_half = lane % half;
  return in_half / 4 * 8 + (lane / half) * 4 + in_half % 4;
}

constexpr int64_t kGrain = 1 << 18;  // multiplications worth a thread of their own

struct ByteDepthwise final : Kernel {
  Geometry g;
  DepthwiseLoops loops;
  Tensor weights;  // i16, then the sum of each map's weights
  std::vector<int32_t> starts;
  std::vector<Shape> taps;  // places in the kernel
  DType x_type, y_type;
  bool has_x_zero;
  int64_t scale_step;
  size_t pairs = 0;
  ChannelsLastBytes image;
  // In the scratch, behind the image: biases, scales, then a pixel of zero points.
  size_t terms_at = 0;

  void run(const RunContext& ctx) const override {
    const std::byte* x = image.at(ctx.in[0], ctx.scratch);
    const size_t lanes = starts.size() * loops.block;
    auto* bias = reinterpret_cast<int32_t*>(static_cast<std::byte*>(ctx.scratch) + terms_at);
    auto* scale = reinterpret_cast<float*>(bias + lanes);
    auto* padding = reinterpret_cast<std::byte*>(scale + lanes);
    find_terms(ctx, bias, scale);
    std::fill_n(padding, g.channels, static_cast<std::byte>(x_zero(ctx)));
    const int64_t windows = g.windows.output.numel(), row = g.windows.output.back();
    const int64_t lines = g.batch * windows / row;
    const auto run_pixel = loops.pixel[x_type == DType::i8][y_type == DType::i8];
    auto* y = ctx.output<std::byte>(0);
    const int64_t work = std::max<int64_t>(1, row * g.channels * static_cast<int64_t>(taps.size()));
    parallel_for(0, lines, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
      std::vector<const void*> pixels(2 * pairs, padding);
      DepthwisePixel at{pixels.data(),
                        pairs,
                        starts.data(),
                        starts.size(),
                        weights.data<int16_t>(),
                        bias,
                        scale,
                        byte_at(ctx.in[7], y_type, 0),
                        nullptr};
      for (int64_t line = begin; line < end; ++line) {
        const std::byte* from = x + line / (windows / row) * g.channels * g.windows.input.numel();
        for (int64_t i = 0; i < row; ++i) {
          find_pixels(from, line % (windows / row) * row + i, padding, pixels.data());
          at.y = y + (line * row + i) * g.channels;
          run_pixel(at);
        }
      }
    });
  }

  int32_t x_zero(const RunContext& ctx) const {
    return has_x_zero ? byte_at(ctx.in[2], x_type, 0) : 0;
  }

  // The sum of (x - zero) * w is that of x * w less zero times the sum of w.
  void find_terms(const RunContext& ctx, int32_t* bias, float* scale) const {
    const auto* given = ctx.input<int32_t>(8);
    const auto* w_scale = ctx.input<float>(4);
    const float x_scale = *ctx.input<float>(1), y_scale = *ctx.input<float>(6);
    const auto zero = static_cast<uint32_t>(x_zero(ctx));
    const auto* sums = reinterpret_cast<const int32_t*>(weights.data<int16_t>() +
                                                        starts.size() * pairs * 2 * loops.block);
    for (size_t b = 0; b < starts.size(); ++b)
      for (size_t lane = 0; lane < loops.block; ++lane, ++bias, ++scale) {
        const int64_t map = starts[b] + static_cast<int64_t>(lane_channel(loops.block, lane));
        *bias = static_cast<int32_t>((given ? static_cast<uint32_t>(given[map]) : 0U) -
                                     zero * static_cast<uint32_t>(sums[map]));
        *scale = x_scale * w_scale[map * scale_step] / y_scale;
      }
  }

  // The pixels under the kernel at a window; the padding's where it reaches outside.
  void find_pixels(const std::byte* from, int64_t window, const std::byte* padding,
                   const void** pixels) const {
    const Windows& w = g.windows;
    Shape at(w.rank(), 0);
    for (size_t axis = w.rank(); axis-- > 0; window /= w.output[axis])
      at[axis] = w.start(axis, window % w.output[axis]);
    for (size_t k = 0; k < taps.size(); ++k) {
      int64_t place = 0;
      bool inside = true;
      for (size_t axis = 0; axis < w.rank(); ++axis) {
        const int64_t here = at[axis] + taps[k][axis] * w.dilations[axis];
        inside = inside && here >= 0 && here < w.input[axis];
        place = place * w.input[axis] + here;
      }
      pixels[k] = inside ? from + place * g.channels : padding;
    }
  }
};

template <class T>
void pack(const T* w, const ByteZeroPoints& zeros, const ByteDepthwise& kernel, int16_t* to) {
  const auto taps = static_cast<int64_t>(kernel.taps.size());
  const auto element = [&](int64_t map, size_t tap) {
    return static_cast<int64_t>(tap) < taps
               ? int32_t{w[map * taps + static_cast<int64_t>(tap)]} - zeros.at(map)
               : 0;
  };
  for (int32_t start : kernel.starts)
    for (size_t k = 0; k < kernel.pairs; ++k)
      for (size_t lane = 0; lane < kernel.loops.block; ++lane) {
        const int64_t map = start + static_cast<int64_t>(lane_channel(kernel.loops.block, lane));
        *to++ = static_cast<int16_t>(element(map, 2 * k));
        *to++ = static_cast<int16_t>(element(map, 2 * k + 1));
      }
  auto* sums = reinterpret_cast<int32_t*>(to);
  for (int64_t map = 0; map < kernel.g.maps; ++map) {
    sums[map] = 0;
    for (size_t k = 0; k < kernel.taps.size(); ++k) sums[map] += element(map, k);
  }
}

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec &x = ctx.inputs[0], &w = ctx.inputs[3];
  const Geometry g = conv_rules::of_conv(ctx, x.shape, w.shape);
  if (g.groups != g.channels || g.maps != g.channels)
    return refuse("only of one channel and one map a group");
  if (!ctx.is_constant(3) || !ctx.is_constant(5)) return refuse("the weights are not a constant");
  for (size_t i = 1; i < ctx.inputs.size(); ++i)
    if (ctx.inputs[i].present() && !ctx.inputs[i].contiguous)
      return refuse(fmt::format("{} is strided", ctx.op.inputs[i].name));
  if (ctx.outputs[0].numel() == 0 || x.numel() == 0) return refuse("nothing to compute");
  auto kernel = std::make_unique<ByteDepthwise>();
  kernel->loops = HWY_DYNAMIC_DISPATCH(find_depthwise)();
  const auto block = static_cast<int64_t>(kernel->loops.block);
  if (g.channels < block) return refuse(fmt::format("fewer channels than {}", block));
  kernel->g = g;
  kernel->x_type = x.dtype;
  kernel->y_type = ctx.outputs[0].dtype;
  kernel->has_x_zero = ctx.has_input(2);
  kernel->scale_step = ctx.inputs[4].numel() > 1 ? 1 : 0;
  // The last block ends with the last channel, over the one before it.
  for (int64_t start = 0; start < g.channels; start += block)
    kernel->starts.push_back(static_cast<int32_t>(std::min(start, g.channels - block)));
  const Shape& sizes = g.windows.kernel;
  Shape tap(sizes.rank(), 0);
  for (int64_t k = 0; k < sizes.numel(); ++k) {
    kernel->taps.push_back(tap);
    for (size_t axis = sizes.rank(); axis-- > 0;) {
      if (++tap[axis] < sizes[axis]) break;
      tap[axis] = 0;
    }
  }
  kernel->pairs = (kernel->taps.size() + 1) / 2;
  const ByteZeroPoints zeros{ctx.inputs[5].constant, w.dtype, ctx.inputs[5].numel()};
  std::string key = fmt::format("byte depthwise {} {} {}", block, w.shape.str(), name(w.dtype));
  for (int64_t j = 0; j < zeros.count; ++j) key += fmt::format(" {}", zeros.at(j));
  const int64_t count =
      static_cast<int64_t>(kernel->starts.size() * kernel->pairs) * 2 * block + 2 * g.maps;
  const auto pack_now = [&] {
    Tensor made = Tensor::empty({count}, DType::i16);
    if (w.dtype == DType::i8)
      pack(static_cast<const int8_t*>(w.constant), zeros, *kernel, made.data<int16_t>());
    else
      pack(static_cast<const uint8_t*>(w.constant), zeros, *kernel, made.data<int16_t>());
    return made;
  };
  kernel->weights = ctx.packed->get(w.constant, key, pack_now, {DType::i16, count});
  kernel->image = ChannelsLastBytes(x);
  kernel->terms_at = kernel->image.scratch_bytes();
  kernel->scratch_bytes = kernel->terms_at + kernel->starts.size() * kernel->loops.block * 8 +
                          static_cast<size_t>(g.channels);
  set_channels_last(ctx.outputs[0]);
  return kernel;
}

}  // namespace

constinit const KernelList byte_depthwise{
    {&op::QLinearConv, "cpu.byte_depthwise", prepare, Strides::any},
};

}  // namespace tenon::cpu
#endif
