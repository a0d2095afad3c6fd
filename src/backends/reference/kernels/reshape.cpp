// Operators that keep the row-major order of the elements: one copy.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  return make_kernel(
      [type = ctx.inputs[0].dtype, count = ctx.inputs[0].numel()](const RunContext& run) {
        copy_elements(type, run.out[0], 0, run.in[0], 0, count);
      });
}

}  // namespace

constinit const KernelList reshape{
    {&op::Reshape, "reference.reshape", prepare},
    {&op::Flatten, "reference.flatten", prepare},
    {&op::Squeeze, "reference.squeeze", prepare},
    {&op::Unsqueeze, "reference.unsqueeze", prepare},
};

}  // namespace tenon::reference
