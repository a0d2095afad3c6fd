// GridSample, point by point.
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/image/catalog.h"
#include "ops/image/sampling.h"
#include "ops/nn/windows.h"

namespace tenon::reference {

namespace {

// One call: `points` of the grid for each of the `batch` images of `channels` planes.
struct Sampling {
  sampling::Rules rules;
  DType type, grid_type;
  Shape plane;
  int64_t batch, channels, points;

  explicit Sampling(const PrepareContext& ctx)
      : rules(sampling::Rules::of(ctx, ctx.inputs[0].rank() - 2)),
        type(ctx.inputs[0].dtype),
        grid_type(ctx.inputs[1].dtype),
        plane(spatial_shape(ctx.inputs[0].shape)),
        batch(ctx.inputs[0].shape[0]),
        channels(ctx.inputs[0].shape[1]),
        points(spatial_shape(ctx.outputs[0].shape).numel()) {}

  // Coordinates are computed in F, on which it depends which of two pixels is the nearest.
  template <class F>
  void run(const RunContext& run) const {
    const In<double> grid(grid_type, run.in[1]);
    const auto axes = static_cast<int64_t>(rules.rank);
    for (int64_t at = 0; at < batch * points; ++at) {
      std::array<F, 3> place{};
      for (int64_t a = 0; a < axes; ++a)
        place[static_cast<size_t>(a)] = static_cast<F>(grid[at * axes + a]);
      const sampling::PointTaps<F> taps(rules, place.data(), plane);
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t image = at / points * channels + c;
        mix(run, taps, image * plane.numel(), image * points + at % points);
      }
    }
  }

  template <class F>
  void mix(const RunContext& run, const sampling::PointTaps<F>& taps, int64_t from,
           int64_t to) const {
    if (rules.mode == sampling::Rules::Mode::nearest) {
      if (taps.count == 0)
        clear_elements(type, run.out[0], to, 1);
      else
        copy_element(type, run.out[0], to, run.in[0], from + taps.element[0]);
      return;
    }
    const In<double> x(type, run.in[0]);
    double sum = 0;
    for (size_t k = 0; k < static_cast<size_t>(taps.count); ++k)
      sum += static_cast<double>(taps.weight[k]) * x[from + taps.element[k]];
    Out<double>(type, run.out[0]).set(to, is_float(type) ? sum : std::nearbyint(sum));
  }
};

Prepared prepare(const PrepareContext& ctx) {
  return make_kernel([sampling = Sampling(ctx)](const RunContext& run) {
    sampling.grid_type == DType::f64 ? sampling.run<double>(run) : sampling.run<float>(run);
  });
}

}  // namespace

constinit const KernelList grid_sample{{&op::GridSample, "reference.grid_sample", prepare}};

}  // namespace tenon::reference
