// Softmax, LogSoftmax and their gradients.
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::reference {

namespace {

// The lines of a tensor along one axis: element k of line i is at start(i) + k * inner.
struct Lines {
  explicit Lines(const PrepareContext& ctx) : type(ctx.inputs[0].dtype) {
    const Shape& shape = ctx.inputs[0].shape;
    const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
    length = shape[axis];
    for (size_t i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    count = inner;
    for (size_t i = 0; i < axis; ++i) count *= shape[i];
  }
  int64_t start(int64_t line) const { return line / inner * inner * length + line % inner; }

  DType type;
  int64_t count = 0, length = 0, inner = 1;
};

Prepared softmax_or_log(const PrepareContext& ctx, bool log) {
  return make_kernel([lines = Lines(ctx), log](const RunContext& run) {
    const In<double> x(lines.type, run.in[0]);
    const Out<double> y(lines.type, run.out[0]);
    for (int64_t line = 0; line < lines.count; ++line) {
      const auto at = [&](int64_t k) { return lines.start(line) + k * lines.inner; };
      double max = -INFINITY, sum = 0;
      for (int64_t k = 0; k < lines.length; ++k) max = std::fmax(max, x[at(k)]);
      for (int64_t k = 0; k < lines.length; ++k) sum += std::exp(x[at(k)] - max);
      for (int64_t k = 0; k < lines.length; ++k) {
        const double shifted = x[at(k)] - max;
        y.set(at(k), log ? shifted - std::log(sum) : std::exp(shifted) / sum);
      }
    }
  });
}

Prepared grad_of_either(const PrepareContext& ctx, bool log) {
  return make_kernel([lines = Lines(ctx), log](const RunContext& run) {
    const In<double> dy(lines.type, run.in[0]), y(lines.type, run.in[1]);
    const Out<double> dx(lines.type, run.out[0]);
    for (int64_t line = 0; line < lines.count; ++line) {
      const auto at = [&](int64_t k) { return lines.start(line) + k * lines.inner; };
      double sum = 0;
      for (int64_t k = 0; k < lines.length; ++k) sum += log ? dy[at(k)] : dy[at(k)] * y[at(k)];
      for (int64_t k = 0; k < lines.length; ++k)
        dx.set(at(k), log ? dy[at(k)] - std::exp(y[at(k)]) * sum : y[at(k)] * (dy[at(k)] - sum));
    }
  });
}

Prepared prepare_softmax(const PrepareContext& ctx) { return softmax_or_log(ctx, false); }
Prepared prepare_log_softmax(const PrepareContext& ctx) { return softmax_or_log(ctx, true); }
Prepared prepare_softmax_grad(const PrepareContext& ctx) { return grad_of_either(ctx, false); }
Prepared prepare_log_softmax_grad(const PrepareContext& ctx) { return grad_of_either(ctx, true); }

}  // namespace

constinit const KernelList softmax{
    {&op::Softmax, "reference.softmax", prepare_softmax},
    {&op::LogSoftmax, "reference.log_softmax", prepare_log_softmax},
    {&op::SoftmaxGrad, "reference.softmax_grad", prepare_softmax_grad},
    {&op::LogSoftmaxGrad, "reference.log_softmax_grad", prepare_log_softmax_grad},
};

}  // namespace tenon::reference
