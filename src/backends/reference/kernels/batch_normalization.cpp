// BatchNormalization and its gradient.
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::reference {

namespace {

// X as [batch, channels, inner].
struct Layout {
  explicit Layout(const Shape& x) : batch(x[0]), channels(x[1]) {
    for (size_t i = 2; i < x.rank(); ++i) inner *= x[i];
  }
  // Calls fn(element) for all elements of a channel.
  template <class Fn>
  void for_each(int64_t channel, Fn&& fn) const {
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t i = 0; i < inner; ++i) fn((n * channels + channel) * inner + i);
  }
  double count() const { return static_cast<double>(batch * inner); }

  int64_t batch, channels, inner = 1;
};

struct Statistics {
  double mean = 0, variance = 0;
};

Statistics batch_statistics(const Layout& layout, int64_t channel, const In<double>& x) {
  Statistics s;
  layout.for_each(channel, [&](int64_t i) { s.mean += x[i]; });
  s.mean /= layout.count();
  layout.for_each(channel, [&](int64_t i) { s.variance += (x[i] - s.mean) * (x[i] - s.mean); });
  s.variance /= layout.count();
  return s;
}

Prepared prepare_forward(const PrepareContext& ctx) {
  struct Types {
    DType x, scale, statistics;
  };
  const Types types{ctx.inputs[0].dtype, ctx.inputs[1].dtype, ctx.inputs[3].dtype};
  return make_kernel([types, layout = Layout(ctx.inputs[0].shape), epsilon = ctx.f("epsilon"),
                      momentum = ctx.f("momentum"), training = ctx.i("training_mode") != 0,
                      wants_mean = ctx.wants_output(1),
                      wants_variance = ctx.wants_output(2)](const RunContext& run) {
    const In<double> x(types.x, run.in[0]), scale(types.scale, run.in[1]),
        bias(types.scale, run.in[2]), mean(types.statistics, run.in[3]),
        variance(types.statistics, run.in[4]);
    const Out<double> y(types.x, run.out[0]);
    for (int64_t c = 0; c < layout.channels; ++c) {
      const Statistics running{mean[c], variance[c]};
      const Statistics used = training ? batch_statistics(layout, c, x) : running;
      const double slope = scale[c] / std::sqrt(used.variance + epsilon), shift = bias[c];
      layout.for_each(c, [&](int64_t i) { y.set(i, (x[i] - used.mean) * slope + shift); });
      const auto mixed = [&](double before, double now) {
        return before * momentum + now * (1 - momentum);
      };
      if (wants_mean)
        Out<double>(types.statistics, run.out[1]).set(c, mixed(running.mean, used.mean));
      if (wants_variance)
        Out<double>(types.statistics, run.out[2]).set(c, mixed(running.variance, used.variance));
    }
  });
}

Prepared prepare_grad(const PrepareContext& ctx) {
  const bool training = ctx.i("training_mode") != 0;
  struct Types {
    DType x, scale, statistics;
  };
  const Types types{ctx.inputs[1].dtype, ctx.inputs[2].dtype,
                    training ? DType::undefined : ctx.inputs[3].dtype};
  return make_kernel([types, layout = Layout(ctx.inputs[1].shape), epsilon = ctx.f("epsilon"),
                      training, wants_scale = ctx.wants_output(1),
                      wants_bias = ctx.wants_output(2)](const RunContext& run) {
    const In<double> dy(types.x, run.in[0]), x(types.x, run.in[1]), scale(types.scale, run.in[2]);
    const Out<double> dx(types.x, run.out[0]);
    for (int64_t c = 0; c < layout.channels; ++c) {
      const Statistics used = training ? batch_statistics(layout, c, x)
                                       : Statistics{In<double>(types.statistics, run.in[3])[c],
                                                    In<double>(types.statistics, run.in[4])[c]};
      const double inv_std = 1 / std::sqrt(used.variance + epsilon), slope = scale[c] * inv_std;
      double sum = 0, dot = 0;
      layout.for_each(c, [&](int64_t i) {
        sum += dy[i];
        dot += dy[i] * (x[i] - used.mean) * inv_std;
      });
      const double mean_dy = training ? sum / layout.count() : 0,
                   mean_dot = training ? dot / layout.count() : 0;
      layout.for_each(c, [&](int64_t i) {
        dx.set(i, slope * (dy[i] - mean_dy - (x[i] - used.mean) * inv_std * mean_dot));
      });
      if (wants_scale) Out<double>(types.scale, run.out[1]).set(c, dot);
      if (wants_bias) Out<double>(types.scale, run.out[2]).set(c, sum);
    }
  });
}

}  // namespace

constinit const KernelList batch_normalization{
    {&op::BatchNormalization, "reference.batch_normalization", prepare_forward},
    {&op::BatchNormalizationGrad, "reference.batch_normalization_grad", prepare_grad},
};

}  // namespace tenon::reference
