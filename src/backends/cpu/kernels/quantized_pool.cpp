// QLinearGlobalAveragePool and QLinearAveragePool: exact sums of bytes, channels-last, scaled once.
#include <algorithm>
#include <vector>

#include "backends/cpu/channels_last.h"
#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/windows.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 65536;  // additions worth a thread of their own

template <class T>
void add_pixel(const T* x, int64_t channels, int32_t* sums) {
  for (int64_t c = 0; c < channels; ++c) sums[c] += x[c];
}

template <class T>
int32_t sum_of(const T* x, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  return sum;
}

struct Pool : Kernel {
  DType type;
  int64_t batch, channels;
  bool has_x_zero, has_y_zero;

  explicit Pool(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype),
        batch(ctx.inputs[0].shape[0]),
        channels(ctx.i("channels_last") ? ctx.inputs[0].shape.back() : ctx.inputs[0].shape[1]),
        has_x_zero(ctx.has_input(2)),
        has_y_zero(ctx.has_input(4)) {}

 protected:
  int32_t x_zero(const RunContext& ctx) const {
    return has_x_zero ? byte_at(ctx.in[2], type, 0) : 0;
  }
  int32_t y_zero(const RunContext& ctx) const {
    return has_y_zero ? byte_at(ctx.in[4], type, 0) : 0;
  }
  void add(const std::byte* pixel, int32_t* sums) const {
    if (type == DType::i8)
      add_pixel(reinterpret_cast<const int8_t*>(pixel), channels, sums);
    else
      add_pixel(reinterpret_cast<const uint8_t*>(pixel), channels, sums);
  }
};

struct GlobalPool final : Pool {
  int64_t pixels;
  bool planes;  // [N, C, spatial...] in that order

  GlobalPool(const PrepareContext& ctx, bool by_planes)
      : Pool(ctx), pixels(ctx.inputs[0].numel() / (batch * channels)), planes(by_planes) {}

  void run(const RunContext& ctx) const override {
    const auto* x = ctx.input<std::byte>(0);
    auto* y = ctx.output<std::byte>(0);
    const float scale = *ctx.input<float>(1) / (*ctx.input<float>(3) * static_cast<float>(pixels));
    const int32_t zero = x_zero(ctx) * static_cast<int32_t>(pixels), offset = y_zero(ctx);
    const auto finished = [&](int32_t sum) {
      return static_cast<std::byte>(
          integer_rules::quantized(static_cast<float>(sum - zero) * scale, offset, type));
    };
    if (planes)
      return parallel_for(
          0, batch * channels, std::max<int64_t>(1, kGrain / pixels),
          [&](int64_t begin, int64_t end) {
            for (int64_t c = begin; c < end; ++c) {
              const std::byte* plane = x + c * pixels;
              y[c] = finished(type == DType::i8
                                  ? sum_of(reinterpret_cast<const int8_t*>(plane), pixels)
                                  : sum_of(reinterpret_cast<const uint8_t*>(plane), pixels));
            }
          });
    parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      std::vector<int32_t> sums(static_cast<size_t>(channels));
      for (int64_t n = begin; n < end; ++n) {
        std::ranges::fill(sums, 0);
        for (int64_t i = 0; i < pixels; ++i) add(x + (n * pixels + i) * channels, sums.data());
        for (int64_t c = 0; c < channels; ++c)
          y[n * channels + c] = finished(sums[static_cast<size_t>(c)]);
      }
    });
  }
};

// Sums of 32 bits hold so many bytes.
constexpr int64_t kMostPixels = int64_t{1} << 23;

Prepared prepare_global(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.numel() == 0) return refuse("nothing to compute");
  const bool last = ctx.i("channels_last") != 0;
  const int64_t channels = last ? x.shape.back() : x.shape[1];
  if (x.numel() / (x.shape[0] * channels) > kMostPixels)
    return refuse(fmt::format("only images up to {} pixels", kMostPixels));
  if (x.contiguous) return std::make_unique<GlobalPool>(ctx, !last);
  if (last || ChannelsLastBytes(x).scratch_bytes() > 0)
    return refuse("only row-major and channels-last images");
  return std::make_unique<GlobalPool>(ctx, false);
}

struct WindowPool final : Pool {
  Windows w;
  bool count_padding;
  ChannelsLastBytes image;

  WindowPool(const PrepareContext& ctx, Windows windows)
      : Pool(ctx), w(std::move(windows)), count_padding(ctx.i("count_include_pad") != 0) {
    if (ctx.i("channels_last") == 0) image = ChannelsLastBytes(ctx.inputs[0]);
    scratch_bytes = image.scratch_bytes();
  }

  void run(const RunContext& ctx) const override {
    const std::byte* x = image.at(ctx.in[0], ctx.scratch);
    auto* y = ctx.output<std::byte>(0);
    const float x_scale = *ctx.input<float>(1), y_scale = *ctx.input<float>(3);
    const int32_t zero = x_zero(ctx);
    const auto offset = static_cast<float>(y_zero(ctx));
    const int64_t windows = w.output.numel(), pixels = w.input.numel();
    const int64_t work = std::max<int64_t>(1, channels * w.kernel.numel());
    parallel_for(
        0, batch * windows, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
          std::vector<int32_t> sums(static_cast<size_t>(channels));
          for (int64_t at = begin; at < end; ++at) {
            std::ranges::fill(sums, 0);
            const auto [inside, counted] =
                add_window(x + at / windows * pixels * channels, at % windows, sums);
            const int32_t zeros = zero * static_cast<int32_t>(inside);
            const auto count = static_cast<float>(counted);
            for (int64_t c = 0; c < channels; ++c) {
              const float sum = static_cast<float>(sums[static_cast<size_t>(c)] - zeros) * x_scale;
              y[at * channels + c] = static_cast<std::byte>(
                  integer_rules::quantized(sum / count / y_scale + offset, 0, type));
            }
          }
        });
  }

  struct Counts {
    int64_t inside = 0, counted = 0;  // pixels in the image; and with the padding, where it counts
  };
  Counts add_window(const std::byte* from, int64_t window, std::vector<int32_t>& sums) const {
    Shape index(w.rank(), 0), first(w.rank(), 0), end(w.rank(), 0);
    Counts counts{1, 1};
    for (size_t axis = w.rank(); axis-- > 0; window /= w.output[axis]) {
      index[axis] = window % w.output[axis];
      const auto taps = w.taps(axis, index[axis], false);
      first[axis] = taps.first;
      end[axis] = taps.second;
      counts.inside *= taps.second - taps.first;
      counts.counted *= w.covered(axis, index[axis], count_padding);
    }
    Shape tap = first;
    for (int64_t i = 0; i < counts.inside; ++i) {
      int64_t place = 0;
      for (size_t axis = 0; axis < w.rank(); ++axis)
        place = place * w.input[axis] + w.start(axis, index[axis]) + tap[axis] * w.dilations[axis];
      add(from + place * channels, sums.data());
      for (size_t axis = w.rank(); axis-- > 0;) {
        if (++tap[axis] < end[axis]) break;
        tap[axis] = first[axis];
      }
    }
    return counts;
  }
};

Prepared prepare_average(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.numel() == 0 || ctx.outputs[0].numel() == 0) return refuse("nothing to compute");
  const bool last = ctx.i("channels_last") != 0;
  if (last && !x.contiguous) return refuse("the image is strided");
  Shape spatial;
  for (size_t i = last ? 1 : 2; i + (last ? 1 : 0) < x.rank(); ++i) spatial.push_back(x.shape[i]);
  const Shape kernel(ctx.ints("kernel_shape"));
  if (kernel.numel() > kMostPixels) return refuse("the window is too large");
  auto made = std::make_unique<WindowPool>(ctx, resolve_windows(ctx, kernel, spatial));
  if (!last) set_channels_last(ctx.outputs[0]);
  return made;
}

}  // namespace

constinit const KernelList quantized_pool{
    {&op::QLinearGlobalAveragePool, "cpu.q_linear_global_average_pool", prepare_global,
     Strides::any},
    {&op::QLinearGlobalAveragePool, "cpu.q_linear_global_average_pool_dense", prepare_global},
    {&op::QLinearAveragePool, "cpu.q_linear_average_pool", prepare_average, Strides::any},
    {&op::QLinearAveragePool, "cpu.q_linear_average_pool_dense", prepare_average},
};

}  // namespace tenon::cpu
