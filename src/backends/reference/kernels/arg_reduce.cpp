// Where the largest or smallest element of each line lies.
#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/lines.h"
#include "ops/reduce/catalog.h"

namespace tenon::reference {

namespace {

// NaN, which is unlike itself, comes before all else in both searches.
template <class Wide>
bool better(Wide a, Wide b, bool largest) {
  if (b != b) return false;
  return a != a || (largest ? a > b : a < b);
}

template <class Wide>
int64_t best(const In<Wide>& x, const Lines& lines, int64_t line, bool largest, bool last) {
  const int64_t start = lines.start(line);
  int64_t found = 0;
  for (int64_t i = 1; i < lines.length; ++i) {
    const Wide value = x[start + i * lines.stride], so_far = x[start + found * lines.stride];
    if (better(value, so_far, largest) || (last && !better(so_far, value, largest))) found = i;
  }
  return found;
}

Lines lines_of(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  return {shape, static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name))};
}

template <bool largest>
Prepared prepare_arg(const PrepareContext& ctx) {
  return make_kernel([type = ctx.inputs[0].dtype, lines = lines_of(ctx),
                      last = ctx.i("select_last_index") != 0](const RunContext& run) {
    with_wide(type, [&]<class Wide>() {
      const In<Wide> x(type, run.in[0]);
      for (int64_t i = 0; i < lines.count(); ++i)
        run.output<int64_t>(0)[i] = best(x, lines, i, largest, last);
    });
  });
}

Prepared prepare_hardmax(const PrepareContext& ctx) {
  return make_kernel([type = ctx.inputs[0].dtype, lines = lines_of(ctx),
                      count = ctx.inputs[0].numel()](const RunContext& run) {
    clear_elements(type, run.out[0], 0, count);
    if (lines.length == 0) return;
    const In<double> x(type, run.in[0]);
    const Out<double> y(type, run.out[0]);
    for (int64_t i = 0; i < lines.count(); ++i)
      y.set(lines.start(i) + best(x, lines, i, true, false) * lines.stride, 1);
  });
}

}  // namespace

constinit const KernelList arg_reduce{
    {&op::ArgMax, "reference.arg_max", prepare_arg<true>},
    {&op::ArgMin, "reference.arg_min", prepare_arg<false>},
    {&op::Hardmax, "reference.hardmax", prepare_hardmax},
};

}  // namespace tenon::reference
