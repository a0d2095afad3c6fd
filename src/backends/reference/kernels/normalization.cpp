// LayerNormalization, its gradient, InstanceNormalization, GroupNormalization and LRN.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::reference {

namespace {

struct Moments {
  double mean = 0, inv_std = 0;
};

// Of `count` elements from `base` on.
Moments moments(const In<double>& x, int64_t base, int64_t count, double epsilon) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < count; ++i) mean += x[base + i];
  mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) variance += (x[base + i] - mean) * (x[base + i] - mean);
  return {mean, 1 / std::sqrt(variance / static_cast<double>(count) + epsilon)};
}

// For each element of `to` in row-major order, which element of a tensor of `shape` it meets.
std::vector<int64_t> broadcast_places(const Shape& shape, const Shape& to) {
  const Shape strides = broadcast_strides(shape, to);
  std::vector<int64_t> places(static_cast<size_t>(to.numel()));
  for_each_index(to, [&](const Shape& at, int64_t i) {
    places[static_cast<size_t>(i)] = offset_of(at, strides);
  });
  return places;
}

// Rows of X: the axes before the normalised ones, times those.
struct Rows {
  Rows(const Call& call, const Shape& x) {
    const auto first = static_cast<size_t>(normalize_axis(call.i("axis"), x.rank(), call.op.name));
    for (size_t i = 0; i < x.rank(); ++i) (i < first ? count : length) *= x[i];
  }
  int64_t count = 1, length = 1;
};

Prepared prepare_layer(const PrepareContext& ctx) {
  const Shape& x_shape = ctx.inputs[0].shape;
  const auto type_of_output = [&](size_t i) {
    return ctx.wants_output(i) ? ctx.outputs[i].dtype : DType::undefined;
  };
  return make_kernel([rows = Rows(ctx, x_shape), type = ctx.inputs[0].dtype,
                      epsilon = ctx.f("epsilon"),
                      scale_at = broadcast_places(ctx.inputs[1].shape, x_shape),
                      bias_at = ctx.has_input(2) ? broadcast_places(ctx.inputs[2].shape, x_shape)
                                                 : std::vector<int64_t>(),
                      has_bias = ctx.has_input(2), mean_type = type_of_output(1),
                      inv_std_type = type_of_output(2)](const RunContext& run) {
    const In<double> x(type, run.in[0]), scale(type, run.in[1]);
    const Out<double> y(type, run.out[0]);
    for (int64_t row = 0; row < rows.count; ++row) {
      const int64_t base = row * rows.length;
      const Moments m = moments(x, base, rows.length, epsilon);
      for (int64_t i = base; i < base + rows.length; ++i) {
        const auto at = static_cast<size_t>(i);
        const double bias = has_bias ? In<double>(type, run.in[2])[bias_at[at]] : 0;
        y.set(i, (x[i] - m.mean) * m.inv_std * scale[scale_at[at]] + bias);
      }
      if (mean_type != DType::undefined) Out<double>(mean_type, run.out[1]).set(row, m.mean);
      if (inv_std_type != DType::undefined)
        Out<double>(inv_std_type, run.out[2]).set(row, m.inv_std);
    }
  });
}

Prepared prepare_layer_grad(const PrepareContext& ctx) {
  const Shape& x_shape = ctx.inputs[1].shape;
  return make_kernel([rows = Rows(ctx, x_shape), type = ctx.inputs[0].dtype,
                      epsilon = ctx.f("epsilon"),
                      scale_at = broadcast_places(ctx.inputs[2].shape, x_shape),
                      parameters = ctx.inputs[2].numel(), wants_scale = ctx.wants_output(1),
                      wants_bias = ctx.wants_output(2)](const RunContext& run) {
    const In<double> dy(type, run.in[0]), x(type, run.in[1]), scale(type, run.in[2]);
    const Out<double> dx(type, run.out[0]);
    std::vector<double> dscale(static_cast<size_t>(parameters)),
        dbias(static_cast<size_t>(parameters));
    for (int64_t row = 0; row < rows.count; ++row) {
      const int64_t base = row * rows.length;
      const Moments m = moments(x, base, rows.length, epsilon);
      const auto x_hat = [&](int64_t i) { return (x[i] - m.mean) * m.inv_std; };
      const auto place = [&](int64_t i) {
        return static_cast<size_t>(scale_at[static_cast<size_t>(i)]);
      };
      const auto g = [&](int64_t i) { return dy[i] * scale[static_cast<int64_t>(place(i))]; };
      double sum = 0, dot = 0;
      for (int64_t i = base; i < base + rows.length; ++i) {
        sum += g(i);
        dot += g(i) * x_hat(i);
        dscale[place(i)] += dy[i] * x_hat(i);
        dbias[place(i)] += dy[i];
      }
      const auto length = static_cast<double>(rows.length);
      for (int64_t i = base; i < base + rows.length; ++i)
        dx.set(i, m.inv_std * (g(i) - sum / length - x_hat(i) * dot / length));
    }
    for (int64_t i = 0; i < parameters; ++i) {
      if (wants_scale) Out<double>(type, run.out[1]).set(i, dscale[static_cast<size_t>(i)]);
      if (wants_bias) Out<double>(type, run.out[2]).set(i, dbias[static_cast<size_t>(i)]);
    }
  });
}

// X [N, C, spatial...] normalised over `channels_at_once` neighbouring channels of a sample.
std::unique_ptr<Kernel> normalize_channels(const PrepareContext& ctx, int64_t channels_at_once) {
  const TensorSpec& spec = ctx.inputs[0];
  const int64_t channels = spec.shape[1];
  int64_t spatial = 1;
  for (size_t i = 2; i < spec.rank(); ++i) spatial *= spec.shape[i];
  return make_kernel([type = spec.dtype, planes = spec.shape[0] * channels, channels, spatial,
                      channels_at_once, epsilon = ctx.f("epsilon")](const RunContext& run) {
    const In<double> x(type, run.in[0]), scale(type, run.in[1]), bias(type, run.in[2]);
    const Out<double> y(type, run.out[0]);
    for (int64_t plane = 0; plane < planes; ++plane) {
      const int64_t first = plane / channels_at_once * channels_at_once;
      const Moments m = moments(x, first * spatial, channels_at_once * spatial, epsilon);
      const int64_t c = plane % channels;
      for (int64_t i = plane * spatial; i < (plane + 1) * spatial; ++i)
        y.set(i, (x[i] - m.mean) * m.inv_std * scale[c] + bias[c]);
    }
  });
}

Prepared prepare_instance(const PrepareContext& ctx) { return normalize_channels(ctx, 1); }
Prepared prepare_group(const PrepareContext& ctx) {
  return normalize_channels(ctx, ctx.inputs[0].shape[1] / ctx.i("num_groups"));
}

Prepared prepare_lrn(const PrepareContext& ctx) {
  const TensorSpec& spec = ctx.inputs[0];
  const int64_t size = ctx.i("size"), channels = spec.shape[1];
  int64_t spatial = 1;
  for (size_t i = 2; i < spec.rank(); ++i) spatial *= spec.shape[i];
  return make_kernel([type = spec.dtype, count = spec.numel(), size, channels, spatial,
                      alpha = ctx.f("alpha"), beta = ctx.f("beta"),
                      bias = ctx.f("bias")](const RunContext& run) {
    const In<double> x(type, run.in[0]);
    const Out<double> y(type, run.out[0]);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t c = i / spatial % channels;
      const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2);
      const int64_t last = std::min(channels - 1, c + size / 2);
      double squares = 0;
      for (int64_t k = first; k <= last; ++k) {
        const double value = x[i + (k - c) * spatial];
        squares += value * value;
      }
      y.set(i, x[i] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
    }
  });
}

}  // namespace

constinit const KernelList normalization{
    {&op::LayerNormalization, "reference.layer_normalization", prepare_layer},
    {&op::LayerNormalizationGrad, "reference.layer_normalization_grad", prepare_layer_grad},
    {&op::InstanceNormalization, "reference.instance_normalization", prepare_instance},
    {&op::GroupNormalization, "reference.group_normalization", prepare_group},
    {&op::LRN, "reference.lrn", prepare_lrn},
};

}  // namespace tenon::reference
