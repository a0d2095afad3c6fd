// Blocks of pixels to channels and back: one copy of [N, C, H, block, W, block] between two orders.
#include "backends/cpu/kernels/catalog.h"
#include "ops/shape/catalog.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

namespace {

struct Rearranged final : Kernel {
  StridedCopy copy;

  explicit Rearranged(StridedCopy plan) : copy(plan) {}
  void run(const RunContext& ctx) const override { copy.run(ctx.in[0], ctx.out[0]); }
};

// Strides of the six axes in an image with few channels, and in one with `block` * `block` as many.
Shape few_channels(const Shape& strides, int64_t block) {
  return {strides[0], strides[1], block * strides[2], strides[2], block * strides[3], strides[3]};
}
Shape many_channels(const Shape& strides, int64_t block, int64_t channels, bool channel_first) {
  const int64_t place = channel_first ? strides[1] : channels * strides[1];
  return {strides[0], channel_first ? block * block * strides[1] : strides[1],
          strides[2], block * place,
          strides[3], place};
}

Prepared rearranged(const PrepareContext& ctx, const Shape& wide, const Shape& from,
                    const Shape& to, int64_t block) {
  const DType type = ctx.inputs[0].dtype;
  if (type == DType::string) return refuse("no strings");
  const Shape shape{wide[0], wide[1], wide[2] / block, block, wide[3] / block, block};
  return std::make_unique<Rearranged>(StridedCopy(shape, type, from, type, to));
}

Prepared prepare_depth_to_space(const PrepareContext& ctx) {
  const int64_t block = ctx.i("blocksize");
  const TensorSpec &x = ctx.inputs[0], &y = ctx.outputs[0];
  return rearranged(ctx, y.shape,
                    many_channels(x.strides, block, y.shape[1], ctx.s("mode") == "CRD"),
                    few_channels(y.strides, block), block);
}

Prepared prepare_space_to_depth(const PrepareContext& ctx) {
  const int64_t block = ctx.i("blocksize");
  const TensorSpec &x = ctx.inputs[0], &y = ctx.outputs[0];
  return rearranged(ctx, x.shape, few_channels(x.strides, block),
                    many_channels(y.strides, block, x.shape[1], false), block);
}

}  // namespace

constinit const KernelList space_depth{
    {&op::DepthToSpace, "cpu.depth_to_space", prepare_depth_to_space, Strides::any},
    {&op::SpaceToDepth, "cpu.space_to_depth", prepare_space_to_depth, Strides::any},
};

}  // namespace tenon::cpu
