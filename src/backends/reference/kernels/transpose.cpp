// Axes in another order.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const size_t rank = ctx.inputs[0].rank();
  const std::span<const int64_t> perm = ctx.ints("perm");
  Shape from(rank, 0);
  for (size_t i = 0; i < rank; ++i)
    from[i] = ctx.inputs[0].strides[ctx.has("perm") ? static_cast<size_t>(perm[i]) : rank - 1 - i];
  return make_kernel(
      [type = ctx.inputs[0].dtype, out = ctx.outputs[0], from](const RunContext& run) {
        strided_copy(type, out.shape, {run.out[0], 0, out.strides}, {run.in[0], 0, from});
      });
}

}  // namespace

constinit const KernelList transpose{{&op::Transpose, "reference.transpose", prepare}};

}  // namespace tenon::reference
