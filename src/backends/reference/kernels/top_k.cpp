// TopK: each line sorted, and its head kept.
#include <algorithm>
#include <numeric>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/lines.h"
#include "ops/reduce/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
  return make_kernel([type = ctx.inputs[0].dtype, lines = Lines(shape, axis),
                      k = ctx.outputs[0].shape[axis], largest = ctx.i("largest") != 0,
                      places = ctx.wants_output(1)](const RunContext& run) {
    with_wide(type, [&]<class Wide>() {
      const In<Wide> x(type, run.in[0]);
      std::vector<int64_t> order(static_cast<size_t>(lines.length));
      for (int64_t line = 0; line < lines.count(); ++line) {
        const int64_t from = lines.start(line), to = lines.start(line, k);
        std::iota(order.begin(), order.end(), 0);
        std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
          const Wide first = x[from + a * lines.stride], second = x[from + b * lines.stride];
          return largest ? less(second, first) : less(first, second);
        });
        for (int64_t i = 0; i < k; ++i) {
          const int64_t place = order[static_cast<size_t>(i)];
          copy_element(type, run.out[0], to + i * lines.stride, run.in[0],
                       from + place * lines.stride);
          if (places) run.output<int64_t>(1)[to + i * lines.stride] = place;
        }
      }
    });
  });
}

}  // namespace

constinit const KernelList top_k{{&op::TopK, "reference.top_k", prepare}};

}  // namespace tenon::reference
