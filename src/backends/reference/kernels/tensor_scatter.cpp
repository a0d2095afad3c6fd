// Writing rows of a cache over, from a place of each sample's own on.
#include "ops/shape/tensor_scatter.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare_tensor_scatter(const PrepareContext& ctx) {
  return make_kernel([plan = TensorScatterPlan(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape),
                      x = ctx.inputs[0]](const RunContext& run) {
    copy_elements(x.dtype, run.out[0], 0, run.in[0], 0, x.numel());
    plan.each_row(run.input<int64_t>(2), [&](int64_t to, int64_t from) {
      copy_elements(x.dtype, run.out[0], to, run.in[1], from, plan.inner);
    });
  });
}

}  // namespace

constinit const KernelList tensor_scatter{
    {&op::TensorScatter, "reference.tensor_scatter", prepare_tensor_scatter},
};

}  // namespace tenon::reference
