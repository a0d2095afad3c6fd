// RoiAlign of f32 and the gradient of its average: the pixels of a region once, for all channels.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"

namespace tenon::cpu {

namespace {

// The corners around all points of all bins of one region.
struct Region {
  int64_t image = 0, points = 0;  // of each bin
  std::vector<roi::Corners<float>> corners;
};

struct Aligned : Kernel {
  roi::Align align;
  std::string_view op;
  Shape x;
  int64_t count, bins, pixels;

  Aligned(const PrepareContext& ctx, const Shape& image)
      : align(roi::Align::of(ctx)),
        op(ctx.op.name),
        x(image),
        count(ctx.inputs[1].shape[0]),
        bins(align.height * align.width),
        pixels(image[2] * image[3]) {}

  Region region(const RunContext& ctx, int64_t r) const {
    const auto lattice = align.region(op, ctx.input<float>(1) + 4 * r);
    Region region;
    region.image = roi::checked_image(op, static_cast<double>(ctx.input<int64_t>(2)[r]), x[0]);
    region.points = lattice.points();
    region.corners.reserve(static_cast<size_t>(bins * region.points));
    for (int64_t bin = 0; bin < bins; ++bin)
      for (int64_t point = 0; point < region.points; ++point)
        region.corners.push_back(
            lattice.corners(bin / align.width, bin % align.width, point, x[2], x[3]));
    return region;
  }
  static float share(const Region& region) {
    return 1 / static_cast<float>(std::max<int64_t>(1, region.points));
  }
};

struct AlignKernel final : Aligned {
  using Aligned::Aligned;

  void run(const RunContext& ctx) const override {
    parallel_for(0, count, std::max<int64_t>(1, 4096 / (x[1] * bins + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t r = begin; r < end; ++r) run_region(ctx, r);
                 });
  }

  void run_region(const RunContext& ctx, int64_t r) const {
    const Region region = this->region(ctx, r);
    const auto points = static_cast<size_t>(region.points);
    for (int64_t c = 0; c < x[1]; ++c) {
      const float* plane = ctx.input<float>(0) + (region.image * x[1] + c) * pixels;
      float* y = ctx.output<float>(0) + (r * x[1] + c) * bins;
      const roi::Corners<float>* corners = region.corners.data();
      for (int64_t bin = 0; bin < bins; ++bin, corners += points)
        y[bin] = align.max ? largest(plane, corners, points)
                           : sum(plane, corners, points) * share(region);
    }
  }

  static float sum(const float* plane, const roi::Corners<float>* corners, size_t points) {
    float sum = 0;
    for (size_t p = 0; p < points; ++p)
      for (size_t k = 0; k < 4; ++k) sum += corners[p].weight[k] * plane[corners[p].element[k]];
    return sum;
  }
  static float largest(const float* plane, const roi::Corners<float>* corners, size_t points) {
    if (points == 0) return 0;
    float best = corners[0].weight[0] * plane[corners[0].element[0]];
    for (size_t p = 0; p < points; ++p)
      for (size_t k = 0; k < 4; ++k)
        best = std::max(best, corners[p].weight[k] * plane[corners[p].element[k]]);
    return best;
  }
};

// Threads share out the channels, so that each pixel is added up in the order of the regions
// whatever their number.
struct AlignGradKernel final : Aligned {
  using Aligned::Aligned;

  void run(const RunContext& ctx) const override {
    std::fill_n(ctx.output<float>(0), x.numel(), 0.0F);
    for (int64_t r = 0; r < count; ++r) {
      const Region region = this->region(ctx, r);
      const auto work = static_cast<int64_t>(region.corners.size()) + 1;
      parallel_for(0, x[1], std::max<int64_t>(1, 8192 / work), [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) add(ctx, r, region, c);
      });
    }
  }

  void add(const RunContext& ctx, int64_t r, const Region& region, int64_t c) const {
    const float* dy = ctx.input<float>(0) + (r * x[1] + c) * bins;
    float* plane = ctx.output<float>(0) + (region.image * x[1] + c) * pixels;
    for (size_t at = 0; at < region.corners.size(); ++at) {
      const float part = dy[at / static_cast<size_t>(region.points)] * share(region);
      for (size_t k = 0; k < 4; ++k)
        plane[region.corners[at].element[k]] += region.corners[at].weight[k] * part;
    }
  }
};

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; X is {}", name(ctx.inputs[0].dtype)));
  return std::make_unique<AlignKernel>(ctx, ctx.inputs[0].shape);
}

Prepared prepare_grad(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; dY is {}", name(ctx.inputs[0].dtype)));
  return std::make_unique<AlignGradKernel>(ctx, ctx.outputs[0].shape);
}

}  // namespace

constinit const KernelList roi_align{
    {&op::RoiAlign, "cpu.roi_align", prepare},
    {&op::RoiAlignGrad, "cpu.roi_align_grad", prepare_grad},
};

}  // namespace tenon::cpu
