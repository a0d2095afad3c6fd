// RoiAlign and MaxRoiPool, with what their gradients need.
#include <algorithm>
#include <cmath>

#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"

namespace tenon::reference {

namespace {

// A maximum, and the pixel (of all X) and weight that it came from.
struct Best {
  double value = 0, weight = 0;
  int64_t element = 0;
  bool found = false;

  void offer(double candidate, double factor, int64_t at) {
    if (found && !(candidate > value)) return;
    value = candidate, weight = factor, element = at;
    found = true;
  }
};

// -- RoiAlign -----------------------------------------------------------------------------------

struct Regions {
  roi::Align align;
  std::string_view op;
  DType type;
  Shape x;
  int64_t count;

  Regions(const PrepareContext& ctx, const Shape& image)
      : align(roi::Align::of(ctx)),
        op(ctx.op.name),
        type(ctx.inputs[1].dtype),
        x(image),
        count(ctx.inputs[1].shape[0]) {}

  int64_t bins() const { return align.height * align.width; }

  // Coordinates are computed in F. fn(region, plane of X's first element, element of Y, bin y, x).
  template <class F, class Fn>
  void visit_as(const RunContext& run, const Fn& fn) const {
    const In<double> rois(type, run.in[1]);
    for (int64_t r = 0; r < count; ++r) {
      std::array<F, 4> roi;
      for (size_t k = 0; k < 4; ++k) roi[k] = static_cast<F>(rois[4 * r + static_cast<int64_t>(k)]);
      const auto region = align.region(op, roi.data());
      const int64_t image =
          roi::checked_image(op, static_cast<double>(run.input<int64_t>(2)[r]), x[0]);
      for (int64_t c = 0; c < x[1]; ++c)
        for (int64_t bin = 0; bin < bins(); ++bin)
          fn(region, (image * x[1] + c) * x[2] * x[3], (r * x[1] + c) * bins() + bin,
             bin / align.width, bin % align.width);
    }
  }
  template <class Fn>
  void visit(const RunContext& run, const Fn& fn) const {
    type == DType::f64 ? visit_as<double>(run, fn) : visit_as<float>(run, fn);
  }
  // fn(element of a plane, weight) for the pixels around all points of a bin.
  template <class Region, class Fn>
  void each_pixel(const Region& region, int64_t bin_y, int64_t bin_x, const Fn& fn) const {
    for (int64_t point = 0; point < region.points(); ++point) {
      const auto corners = region.corners(bin_y, bin_x, point, x[2], x[3]);
      for (size_t k = 0; k < 4; ++k) fn(corners.element[k], static_cast<double>(corners.weight[k]));
    }
  }
  template <class Region>
  Best best(const Region& region, const In<double>& values, int64_t plane, int64_t bin_y,
            int64_t bin_x) const {
    Best best;
    each_pixel(region, bin_y, bin_x, [&](int64_t element, double weight) {
      best.offer(weight * values[plane + element], weight, plane + element);
    });
    return best;
  }
  template <class Region>
  static double share(const Region& region) {
    return 1 / static_cast<double>(std::max<int64_t>(1, region.points()));
  }
};

Prepared prepare_align(const PrepareContext& ctx) {
  return make_kernel([all = Regions(ctx, ctx.inputs[0].shape)](const RunContext& run) {
    const In<double> x(all.type, run.in[0]);
    const Out<double> y(all.type, run.out[0]);
    all.visit(run,
              [&](const auto& region, int64_t plane, int64_t to, int64_t bin_y, int64_t bin_x) {
                if (all.align.max) return y.set(to, all.best(region, x, plane, bin_y, bin_x).value);
                double sum = 0;
                all.each_pixel(region, bin_y, bin_x, [&](int64_t element, double weight) {
                  sum += weight * x[plane + element];
                });
                y.set(to, sum * all.share(region));
              });
  });
}

Prepared prepare_align_grad(const PrepareContext& ctx) {
  return make_kernel([all = Regions(ctx, ctx.outputs[0].shape)](const RunContext& run) {
    const In<double> dy(all.type, run.in[0]);
    std::vector<double> dx(static_cast<size_t>(all.x.numel()));
    all.visit(run,
              [&](const auto& region, int64_t plane, int64_t from, int64_t bin_y, int64_t bin_x) {
                const double part = dy[from] * all.share(region);
                all.each_pixel(region, bin_y, bin_x, [&](int64_t element, double weight) {
                  dx[static_cast<size_t>(plane + element)] += weight * part;
                });
              });
    store_all(all.type, run.out[0], dx);
  });
}

// Places and weights as two outputs, of which either may not be wanted.
void put(const RunContext& run, DType type, int64_t to, const Best& best) {
  if (run.out[0]) run.output<int64_t>(0)[to] = best.element;
  if (run.out[1]) Out<double>(type, run.out[1]).set(to, best.weight);
}

Prepared prepare_align_places(const PrepareContext& ctx) {
  return make_kernel([all = Regions(ctx, ctx.inputs[0].shape)](const RunContext& run) {
    const In<double> x(all.type, run.in[0]);
    all.visit(run,
              [&](const auto& region, int64_t plane, int64_t to, int64_t bin_y, int64_t bin_x) {
                put(run, all.type, to, all.best(region, x, plane, bin_y, bin_x));
              });
  });
}

// -- MaxRoiPool -----------------------------------------------------------------------------------

struct Bins {
  std::string_view op;
  DType type;
  Shape x;
  int64_t count, height, width;
  double scale;

  explicit Bins(const PrepareContext& ctx)
      : op(ctx.op.name),
        type(ctx.inputs[0].dtype),
        x(ctx.inputs[0].shape),
        count(ctx.inputs[1].shape[0]),
        height(ctx.ints("pooled_shape")[0]),
        width(ctx.ints("pooled_shape")[1]),
        scale(ctx.f("spatial_scale")) {}

  struct Range {
    int64_t begin, end;
  };
  // The pixels of bin `at` of `bins` between two scaled borders, both included.
  static Range range(double low, double high, int64_t at, int64_t bins, int64_t size) {
    const double length = std::max(high - low + 1, 1.0);
    const double bin = length / static_cast<double>(bins);
    const auto inside = [&](double place) {
      return static_cast<int64_t>(std::clamp(place, 0.0, static_cast<double>(size)));
    };
    return {inside(std::floor(static_cast<double>(at) * bin) + low),
            inside(std::ceil(static_cast<double>(at + 1) * bin) + low)};
  }

  template <class Fn>
  void visit(const RunContext& run, const Fn& fn) const {
    const In<double> rois(type, run.in[1]), values(type, run.in[0]);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t image = roi::checked_image(op, rois[5 * r], x[0]);
      const auto border = [&](int64_t k) { return std::round(rois[5 * r + k] * scale); };
      for (int64_t c = 0; c < x[1]; ++c)
        for (int64_t bin = 0; bin < height * width; ++bin) {
          const Range rows = range(border(2), border(4), bin / width, height, x[2]);
          const Range columns = range(border(1), border(3), bin % width, width, x[3]);
          const int64_t plane = (image * x[1] + c) * x[2] * x[3];
          Best best;
          for (int64_t i = rows.begin; i < rows.end; ++i)
            for (int64_t j = columns.begin; j < columns.end; ++j)
              best.offer(values[plane + i * x[3] + j], 1, plane + i * x[3] + j);
          fn((r * x[1] + c) * height * width + bin, best);
        }
    }
  }
};

Prepared prepare_pool(const PrepareContext& ctx) {
  return make_kernel([bins = Bins(ctx)](const RunContext& run) {
    const Out<double> y(bins.type, run.out[0]);
    bins.visit(run, [&](int64_t to, const Best& best) { y.set(to, best.value); });
  });
}

Prepared prepare_pool_places(const PrepareContext& ctx) {
  return make_kernel([bins = Bins(ctx)](const RunContext& run) {
    bins.visit(run, [&](int64_t to, const Best& best) { put(run, bins.type, to, best); });
  });
}

}  // namespace

constinit const KernelList roi_pool{
    {&op::RoiAlign, "reference.roi_align", prepare_align},
    {&op::RoiAlignGrad, "reference.roi_align_grad", prepare_align_grad},
    {&op::RoiAlignPlaces, "reference.roi_align_places", prepare_align_places},
    {&op::MaxRoiPool, "reference.max_roi_pool", prepare_pool},
    {&op::MaxRoiPoolPlaces, "reference.max_roi_pool_places", prepare_pool_places},
};

}  // namespace tenon::reference
