// Resize and its gradient, one axis after the other.
#include <cmath>

#include "backends/reference/kernels/catalog.h"
#include "backends/reference/lines.h"
#include "backends/reference/windows.h"
#include "ops/image/catalog.h"
#include "ops/image/resize_rules.h"

namespace tenon::reference {

namespace {

using resize_rules::Taps;

// Each line along `axis` mixed anew; the shape becomes that of the result.
std::vector<double> resize_axis(const std::vector<double>& x, Shape& shape, size_t axis,
                                const Taps& taps) {
  const Lines lines(shape, axis);
  shape[axis] = taps.out;
  std::vector<double> y(static_cast<size_t>(shape.numel()));
  for (int64_t line = 0; line < lines.count(); ++line) {
    const int64_t from = lines.start(line), to = lines.start(line, taps.out);
    for (int64_t o = 0; o < taps.out; ++o) {
      double sum = 0;
      for (int64_t t = taps.first[static_cast<size_t>(o)];
           t < taps.first[static_cast<size_t>(o) + 1]; ++t)
        sum += taps.weight[static_cast<size_t>(t)] *
               x[static_cast<size_t>(from + taps.place[static_cast<size_t>(t)] * lines.stride)];
      y[static_cast<size_t>(to + o * lines.stride)] = sum;
    }
  }
  return y;
}

std::vector<double> resize_all(std::vector<double> x, Shape shape, const std::vector<Taps>& taps) {
  for (size_t axis = 0; axis < taps.size(); ++axis)
    if (!taps[axis].is_identity()) x = resize_axis(x, shape, axis, taps[axis]);
  return x;
}

bool is_outside(const std::vector<Taps>& taps, const Shape& index) {
  for (size_t axis = 0; axis < taps.size(); ++axis)
    if (!taps[axis].outside.empty() && taps[axis].outside[static_cast<size_t>(index[axis])])
      return true;
  return false;
}

Prepared prepare_nearest(const TensorSpec& x, const TensorSpec& y, std::vector<Taps> taps,
                         double extrapolation) {
  return make_kernel([x, y, taps = std::move(taps), extrapolation](const RunContext& run) {
    for_each_index(y.shape, [&](const Shape& index, int64_t linear) {
      if (is_outside(taps, index)) {
        Out<double>(y.dtype, run.out[0]).set(linear, extrapolation);
        return;
      }
      int64_t from = 0;
      for (size_t axis = 0; axis < taps.size(); ++axis)
        from += taps[axis].place[static_cast<size_t>(index[axis])] * x.strides[axis];
      copy_element(x.dtype, run.out[0], linear, run.in[0], from);
    });
  });
}

Prepared prepare_resize(const PrepareContext& ctx) {
  const TensorSpec &x = ctx.inputs[0], &y = ctx.outputs[0];
  std::vector<Taps> taps =
      resize_rules::taps(ctx, x.shape, y.shape, resize_rules::lists_of(ctx.inputs, 1));
  const double extrapolation = ctx.f("extrapolation_value");
  if (ctx.s("mode") == "nearest") return prepare_nearest(x, y, std::move(taps), extrapolation);
  return make_kernel([x, y, taps = std::move(taps), extrapolation](const RunContext& run) {
    const std::vector<double> mixed =
        resize_all(widened(x.dtype, run.in[0], x.numel()), x.shape, taps);
    const Out<double> out(y.dtype, run.out[0]);
    for_each_index(y.shape, [&](const Shape& index, int64_t linear) {
      const double value =
          is_outside(taps, index) ? extrapolation : mixed[static_cast<size_t>(linear)];
      out.set(linear, is_float(y.dtype) ? value : std::nearbyint(value));
    });
  });
}

Prepared prepare_resize_grad(const PrepareContext& ctx) {
  const TensorSpec &dy = ctx.inputs[0], &dx = ctx.outputs[0];
  std::vector<Taps> back =
      resize_rules::taps(ctx, dx.shape, dy.shape, resize_rules::lists_of(ctx.inputs, 2));
  for (Taps& taps : back) taps = taps.transposed();
  return make_kernel([dy, type = dx.dtype, back = std::move(back)](const RunContext& run) {
    store_all(type, run.out[0], resize_all(widened(type, run.in[0], dy.numel()), dy.shape, back));
  });
}

}  // namespace

constinit const KernelList resize{
    {&op::Resize, "reference.resize", prepare_resize},
    {&op::ResizeGrad, "reference.resize_grad", prepare_resize_grad},
};

}  // namespace tenon::reference
