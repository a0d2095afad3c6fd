// Tensors repeated along axes.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare_expand(const PrepareContext& ctx) {
  const Shape strides = broadcast_strides(ctx.inputs[0].shape, ctx.outputs[0].shape);
  return make_kernel(
      [type = ctx.inputs[0].dtype, out = ctx.outputs[0], strides](const RunContext& run) {
        strided_copy(type, out.shape, {run.out[0], 0, out.strides}, {run.in[0], 0, strides});
      });
}

Prepared prepare_tile(const PrepareContext& ctx) {
  return make_kernel([x = ctx.inputs[0], out = ctx.outputs[0].shape](const RunContext& run) {
    for_each_index(out, [&](const Shape& index, int64_t to) {
      int64_t from = 0;
      for (size_t a = 0; a < index.rank(); ++a) from += index[a] % x.shape[a] * x.strides[a];
      copy_element(x.dtype, run.out[0], to, run.in[0], from);
    });
  });
}

}  // namespace

constinit const KernelList tile_expand{
    {&op::Expand, "reference.expand", prepare_expand},
    {&op::Tile, "reference.tile", prepare_tile},
};

}  // namespace tenon::reference
