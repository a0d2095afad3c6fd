// Blocks of pixels to channels and back: one copy between two orders of [N, C, H, block, W, block].
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

// The image with few channels, of shape [n, c, h * block, w * block], and the one with many.
struct Blocks {
  Shape shape, few, many;

  Blocks(const Shape& wide, int64_t block, bool channel_first) {
    const int64_t n = wide[0], c = wide[1], h = wide[2] / block, w = wide[3] / block;
    shape = {n, c, h, block, w, block};
    few = shape.row_major_strides();
    const int64_t plane = h * w;
    const int64_t channel = channel_first ? block * block * plane : plane;
    const int64_t place = channel_first ? plane : c * plane;
    many = {c * block * block * plane, channel, w, block * place, 1, place};
  }
};

Prepared prepare_depth_to_space(const PrepareContext& ctx) {
  const Blocks blocks(ctx.outputs[0].shape, ctx.i("blocksize"), ctx.s("mode") == "CRD");
  return make_kernel([type = ctx.inputs[0].dtype, blocks](const RunContext& run) {
    strided_copy(type, blocks.shape, {run.out[0], 0, blocks.few}, {run.in[0], 0, blocks.many});
  });
}

Prepared prepare_space_to_depth(const PrepareContext& ctx) {
  const Blocks blocks(ctx.inputs[0].shape, ctx.i("blocksize"), false);
  return make_kernel([type = ctx.inputs[0].dtype, blocks](const RunContext& run) {
    strided_copy(type, blocks.shape, {run.out[0], 0, blocks.many}, {run.in[0], 0, blocks.few});
  });
}

}  // namespace

constinit const KernelList space_depth{
    {&op::DepthToSpace, "reference.depth_to_space", prepare_depth_to_space},
    {&op::SpaceToDepth, "reference.space_to_depth", prepare_space_to_depth},
};

}  // namespace tenon::reference
