// Running sums and products along lines.
#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/lines.h"
#include "ops/reduce/catalog.h"

namespace tenon::reference {

namespace {

template <bool products>
Prepared prepare(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const int64_t named = ctx.inputs[1].constant_ints().at(0);
  const auto axis = static_cast<size_t>(normalize_axis(named, shape.rank(), ctx.op.name));
  return make_kernel([type = ctx.inputs[0].dtype, lines = Lines(shape, axis),
                      exclusive = ctx.i("exclusive") != 0,
                      reverse = ctx.i("reverse") != 0](const RunContext& run) {
    with_wide(type, [&]<class Wide>() {
      const In<Wide> x(type, run.in[0]);
      const Out<Wide> y(type, run.out[0]);
      for (int64_t line = 0; line < lines.count(); ++line) {
        const int64_t start = lines.start(line);
        Wide total = products ? 1 : 0;
        for (int64_t i = 0; i < lines.length; ++i) {
          const int64_t at = start + (reverse ? lines.length - 1 - i : i) * lines.stride;
          const Wide with = products ? multiply(total, x[at]) : add(total, x[at]);
          y.set(at, exclusive ? total : with);
          total = with;
        }
      }
    });
  });
}

}  // namespace

constinit const KernelList cumulate{
    {&op::CumSum, "reference.cum_sum", prepare<false>},
    {&op::CumProd, "reference.cum_prod", prepare<true>},
};

}  // namespace tenon::reference
