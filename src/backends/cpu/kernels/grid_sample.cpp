// GridSample of f32: places and weights once a point, for all channels.
#include <algorithm>
#include <array>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/image/catalog.h"
#include "ops/image/sampling.h"
#include "ops/nn/windows.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kPoints = 64;  // whose taps are kept together

struct GridSampleKernel final : Kernel {
  sampling::Rules rules;
  Shape plane;
  int64_t batch, channels, pixels, points;
  size_t most = 1;  // taps of a point

  explicit GridSampleKernel(const PrepareContext& ctx)
      : rules(sampling::Rules::of(ctx, ctx.inputs[0].rank() - 2)),
        plane(spatial_shape(ctx.inputs[0].shape)),
        batch(ctx.inputs[0].shape[0]),
        channels(ctx.inputs[0].shape[1]),
        pixels(plane.numel()),
        points(spatial_shape(ctx.outputs[0].shape).numel()) {
    for (size_t a = 0; a < rules.rank; ++a) most *= static_cast<size_t>(rules.taps());
  }

  void run(const RunContext& ctx) const override {
    const int64_t tiles = (points + kPoints - 1) / kPoints;
    const int64_t grain = std::max<int64_t>(1, 64 / std::max<int64_t>(1, channels));
    parallel_for(0, batch * tiles, grain, [&](int64_t begin, int64_t end) {
      Taps taps(most);
      for (int64_t tile = begin; tile < end; ++tile)
        run_tile(ctx, tile / tiles, tile % tiles, taps);
    });
  }

  // The taps of a tile's points, `most` places each.
  struct Taps {
    std::vector<int64_t> element;
    std::vector<float> weight;
    std::array<size_t, kPoints> count;

    explicit Taps(size_t most)
        : element(most * static_cast<size_t>(kPoints)), weight(element.size()) {}
  };

  void run_tile(const RunContext& ctx, int64_t image, int64_t tile, Taps& taps) const {
    const int64_t first = tile * kPoints;
    const auto count = static_cast<size_t>(std::min(kPoints, points - first));
    const auto axes = static_cast<int64_t>(rules.rank);
    const float* grid = ctx.input<float>(1) + (image * points + first) * axes;
    for (size_t p = 0; p < count; ++p) {
      const sampling::PointTaps<float> point(rules, grid + static_cast<int64_t>(p) * axes, plane);
      taps.count[p] = static_cast<size_t>(point.count);
      std::copy_n(point.element.begin(), taps.count[p], taps.element.begin() + offset(p));
      std::copy_n(point.weight.begin(), taps.count[p], taps.weight.begin() + offset(p));
    }
    for (int64_t c = 0; c < channels; ++c) {
      const float* x = ctx.input<float>(0) + (image * channels + c) * pixels;
      float* y = ctx.output<float>(0) + (image * channels + c) * points + first;
      if (most == 4)
        mix<4>(x, taps, count, y);
      else
        mix<0>(x, taps, count, y);
    }
  }

  std::ptrdiff_t offset(size_t point) const { return static_cast<std::ptrdiff_t>(point * most); }

  // kMost is `most` where the compiler may know it, else 0.
  template <size_t kMost>
  void mix(const float* x, const Taps& taps, size_t count, float* y) const {
    for (size_t p = 0; p < count; ++p) {
      const int64_t* element = taps.element.data() + p * most;
      const float* weight = taps.weight.data() + p * most;
      float sum = 0;
      if (kMost && taps.count[p] == kMost)
        for (size_t k = 0; k < kMost; ++k) sum += weight[k] * x[element[k]];
      else
        for (size_t k = 0; k < taps.count[p]; ++k) sum += weight[k] * x[element[k]];
      y[p] = sum;
    }
  }
};

Prepared prepare(const PrepareContext& ctx) {
  for (size_t i = 0; i < 2; ++i)
    if (ctx.inputs[i].dtype != DType::f32)
      return refuse(
          fmt::format("only f32; {} is {}", i == 0 ? "X" : "grid", name(ctx.inputs[i].dtype)));
  return std::make_unique<GridSampleKernel>(ctx);
}

}  // namespace

constinit const KernelList grid_sample{{&op::GridSample, "cpu.grid_sample", prepare}};

}  // namespace tenon::cpu
