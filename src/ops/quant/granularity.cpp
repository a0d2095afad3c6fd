#include "ops/quant/granularity.h"

#include "ops/onnx_node.h"

namespace tenon::op::quant {

namespace {

bool is_one(const Dims& dims) { return dims.empty() || (dims.size() == 1 && dims[0] == Dim(1)); }

// ceil(size / block), where it is known.
bool fits_blocks(const Dim& size, int64_t block, const Dim& scales) {
  return !size.is_const() || !scales.is_const() ||
         scales.value() == size.value() / block + (size.value() % block != 0);
}

bool may_be_equal(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

void check_blocks(const InferContext& ctx, int64_t block) {
  const size_t rank = ctx.rank(0);
  ctx.check(ctx.rank(1) == rank,
            "{} is {}, but blocks of {} need as many axes as {} has; give a scale for each block",
            ctx.op.inputs[1].name, ctx.str(1), ctx.op.inputs[0].name, ctx.str(0));
  ctx.check(rank > 0, "attribute block_size is {}, but {} is a scalar; leave it out", block,
            ctx.op.inputs[0].name);
  const size_t axis = axis_of(ctx, rank);
  for (size_t i = 0; i < rank; ++i) {
    const Dim &size = ctx.dims(0)[i], &scales = ctx.dims(1)[i];
    ctx.check(i == axis ? fits_blocks(size, block, scales) : may_be_equal(size, scales),
              "{} {} does not fit {} {} in blocks of {} along axis {}; axis {} takes {}",
              ctx.op.inputs[1].name, ctx.str(1), ctx.op.inputs[0].name, ctx.str(0), block, axis, i,
              i != axis         ? size.str()
              : size.is_const() ? std::to_string(size.value() / block + (size.value() % block != 0))
                                : size.ceil_div(block).str());
  }
}

}  // namespace

void check_exportable(const OnnxNode& node, std::string_view what, DType type, TypeSet set) {
  TENON_CHECK(set.has(type), unsupported,
              "{} '{}': {} is {}, but opset {} takes {}; cast it, or export at a newer opset",
              node.op_type, node.name, what, name(type), node.opset, set.str());
}

Granularity granularity_of(const Call& call, const Dims& scale) {
  if (call.i("block_size") != 0) return Granularity::block;
  return is_one(scale) ? Granularity::tensor : Granularity::axis;
}

size_t axis_of(const Call& call, size_t rank) {
  if (rank <= 1) return 0;
  return static_cast<size_t>(normalize_axis(call.i("axis"), rank, call.op.name));
}

void check_scales(const InferContext& ctx) {
  const std::string_view scale = ctx.op.inputs[1].name;
  const int64_t block = ctx.i("block_size");
  ctx.check(block >= 0, "attribute block_size is {}; give how many elements share a scale, or 0",
            block);
  if (block > 0) {
    check_blocks(ctx, block);
  } else {
    ctx.check(ctx.rank(1) <= 1,
              "{} is {}; give a scalar, one scale for each index of an axis, or block_size", scale,
              ctx.str(1));
    if (granularity_of(ctx, ctx.dims(1)) == Granularity::axis) {
      ctx.check(ctx.rank(0) > 0, "{} is {}, but {} is a scalar; give one scale", scale, ctx.str(1),
                ctx.op.inputs[0].name);
      const size_t axis = axis_of(ctx, ctx.rank(0));
      ctx.check(may_be_equal(ctx.dims(0)[axis], ctx.dims(1)[0]),
                "{} holds {} scales, but axis {} of {} has {}; give one for each", scale,
                ctx.dims(1)[0].str(), axis, ctx.str(0), ctx.dims(0)[axis].str());
    }
  }
  if (!ctx.has_input(2)) return;
  bool same = ctx.rank(1) == ctx.rank(2);
  for (size_t i = 0; same && i < ctx.rank(1); ++i)
    same = may_be_equal(ctx.dims(1)[i], ctx.dims(2)[i]);
  ctx.check(same || (is_one(ctx.dims(1)) && is_one(ctx.dims(2))),
            "{} is {} but {} is {}; both must have one shape", scale, ctx.str(1),
            ctx.op.inputs[2].name, ctx.str(2));
}

ScaleLayout scale_layout(const Call& call, const tenon::Shape& shape, const tenon::Shape& scale) {
  ScaleLayout layout;
  layout.granularity = granularity_of(call, to_dims(scale));
  if (layout.granularity == Granularity::tensor) {
    layout.inner = shape.numel();
    return layout;
  }
  const size_t axis = axis_of(call, shape.rank());
  layout.axis = shape[axis];
  for (size_t i = 0; i < axis; ++i) layout.outer *= shape[i];
  for (size_t i = axis + 1; i < shape.rank(); ++i) layout.inner *= shape[i];
  if (layout.granularity == Granularity::axis) {
    layout.blocks = layout.axis;
    layout.axis_step = 1;
    return layout;
  }
  layout.block = call.i("block_size");
  layout.blocks = scale[axis];
  layout.outer_step = layout.blocks * layout.inner;
  layout.axis_step = layout.inner;
  layout.inner_step = 1;
  return layout;
}

}  // namespace tenon::op::quant
