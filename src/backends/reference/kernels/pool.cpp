// MaxPool, AveragePool and their gradients.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"

namespace tenon::reference {

namespace {

// Images of one call: `planes` of N times C, each of `pixels` and pooled into `windows.output`.
struct Planes {
  Planes(const PrepareContext& ctx, const Shape& image)
      : windows(pool_rules::windows(ctx, image)),
        type(ctx.inputs[0].dtype),
        count(image[0] * image[1]),
        pixels(windows.input.numel()),
        pooled(windows.output.numel()) {}

  Windows windows;
  DType type;
  int64_t count, pixels, pooled;
};

// The value of a window that holds nothing but padding.
template <class Wide>
Wide lowest(DType type) {
  if constexpr (std::is_same_v<Wide, double>)
    return -std::numeric_limits<double>::infinity();
  else
    return is_signed_int(type) ? static_cast<Wide>(-1) << (8 * size_of(type) - 1) : Wide{0};
}

template <class Wide>
bool is_nan(Wide value) {
  if constexpr (std::is_same_v<Wide, double>) return std::isnan(value);
  return false;
}

template <class Wide>
struct Maximum {
  Wide value;
  int64_t pixel = 0;
};

// The first maximum of a window of the plane that starts at element `base`; a NaN wins.
template <class Wide>
Maximum<Wide> maximum(const Windows& windows, const Shape& at, const In<Wide>& x, int64_t base,
                      DType type) {
  Maximum<Wide> best{lowest<Wide>(type)};
  bool found = false;
  for_each_tap(windows, at, [&](int64_t, int64_t pixel) {
    const Wide value = x[base + pixel];
    if (!found || value > best.value || (is_nan(value) && !is_nan(best.value)))
      best = {value, pixel};
    found = true;
  });
  return best;
}

// Where a pixel lies when the last spatial axis is counted first.
int64_t column_major(const Shape& sizes, int64_t pixel) {
  int64_t place = 0, stride = sizes.numel();
  for (size_t axis = sizes.rank(); axis-- > 0;) {
    stride /= sizes[axis];
    place += pixel % sizes[axis] * stride;
    pixel /= sizes[axis];
  }
  return place;
}

Prepared prepare_max_pool(const PrepareContext& ctx) {
  const bool columns = ctx.i("storage_order") != 0, wants_indices = ctx.wants_output(1);
  return make_kernel([p = Planes(ctx, ctx.inputs[0].shape), columns,
                      wants_indices](const RunContext& run) {
    with_wide(p.type, [&]<class Wide>() {
      const In<Wide> x(p.type, run.in[0]);
      const Out<Wide> y(p.type, run.out[0]);
      auto* indices = wants_indices ? run.output<int64_t>(1) : nullptr;
      for (int64_t plane = 0; plane < p.count; ++plane)
        for_each_index(p.windows.output, [&](const Shape& at, int64_t window) {
          const Maximum<Wide> best = maximum(p.windows, at, x, plane * p.pixels, p.type);
          y.set(plane * p.pooled + window, best.value);
          if (!indices) return;
          indices[plane * p.pooled + window] =
              plane * p.pixels + (columns ? column_major(p.windows.input, best.pixel) : best.pixel);
        });
    });
  });
}

Prepared prepare_max_pool_grad(const PrepareContext& ctx) {
  return make_kernel([p = Planes(ctx, ctx.inputs[1].shape)](const RunContext& run) {
    const In<double> dy(p.type, run.in[0]), x(p.type, run.in[1]);
    std::vector<double> dx(static_cast<size_t>(p.count * p.pixels));
    for (int64_t plane = 0; plane < p.count; ++plane)
      for_each_index(p.windows.output, [&](const Shape& at, int64_t window) {
        const int64_t base = plane * p.pixels;
        const int64_t pixel = maximum(p.windows, at, x, base, p.type).pixel;
        dx[static_cast<size_t>(base + pixel)] += dy[plane * p.pooled + window];
      });
    store_all(p.type, run.out[0], dx);
  });
}

// By how much a window's sum is divided.
double divisor(const Windows& windows, const Shape& at, bool include_pad) {
  int64_t count = 1;
  for (size_t axis = 0; axis < windows.rank(); ++axis)
    count *= windows.covered(axis, at[axis], include_pad);
  return static_cast<double>(std::max<int64_t>(count, 1));
}

Prepared prepare_average_pool(const PrepareContext& ctx) {
  const bool include_pad = ctx.i("count_include_pad") != 0;
  return make_kernel([p = Planes(ctx, ctx.inputs[0].shape), include_pad](const RunContext& run) {
    const In<double> x(p.type, run.in[0]);
    const Out<double> y(p.type, run.out[0]);
    for (int64_t plane = 0; plane < p.count; ++plane)
      for_each_index(p.windows.output, [&](const Shape& at, int64_t window) {
        double sum = 0;
        for_each_tap(p.windows, at,
                     [&](int64_t, int64_t pixel) { sum += x[plane * p.pixels + pixel]; });
        y.set(plane * p.pooled + window, sum / divisor(p.windows, at, include_pad));
      });
  });
}

Prepared prepare_average_pool_grad(const PrepareContext& ctx) {
  const bool include_pad = ctx.i("count_include_pad") != 0;
  return make_kernel([p = Planes(ctx, ctx.outputs[0].shape), include_pad](const RunContext& run) {
    const In<double> dy(p.type, run.in[0]);
    std::vector<double> dx(static_cast<size_t>(p.count * p.pixels));
    for (int64_t plane = 0; plane < p.count; ++plane)
      for_each_index(p.windows.output, [&](const Shape& at, int64_t window) {
        const double share = dy[plane * p.pooled + window] / divisor(p.windows, at, include_pad);
        for_each_tap(p.windows, at, [&](int64_t, int64_t pixel) {
          dx[static_cast<size_t>(plane * p.pixels + pixel)] += share;
        });
      });
    store_all(p.type, run.out[0], dx);
  });
}

}  // namespace

constinit const KernelList pool{
    {&op::MaxPool, "reference.max_pool", prepare_max_pool},
    {&op::MaxPoolGrad, "reference.max_pool_grad", prepare_max_pool_grad},
    {&op::AveragePool, "reference.average_pool", prepare_average_pool},
    {&op::AveragePoolGrad, "reference.average_pool_grad", prepare_average_pool_grad},
};

}  // namespace tenon::reference
