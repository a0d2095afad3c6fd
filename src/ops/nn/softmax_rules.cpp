// Shapes and older forms of softmax operators.
#include "ops/nn/softmax_rules.h"

#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::softmax_rules {

void infer(InferContext& ctx) {
  ctx.axis(ctx.i("axis"), ctx.rank(0));
  ctx.output(0, ctx.dims(0));
}

void infer_grad(InferContext& ctx) {
  bool same = ctx.rank(0) == ctx.rank(1);
  for (size_t i = 0; same && i < ctx.rank(0); ++i) same = !differ(ctx.dims(0)[i], ctx.dims(1)[i]);
  ctx.check(same, "dY is {} and Y is {}; both must have the same shape", ctx.str(0), ctx.str(1));
  infer(ctx);
}

Shape axes(const Call& call, size_t rank) {
  return {normalize_axis(call.i("axis"), rank, call.op.name)};
}

TensorList upgrade_flat(const OpDef& op, const OnnxNode& node) {
  const Tensor& x = node.inputs[0];
  const AttrValue* given = node.attrs.find("axis");
  const int64_t axis =
      normalize_axis(given ? std::get<int64_t>(*given) : 1, x.rank(), node.op_type);
  if (axis + 1 == static_cast<int64_t>(x.rank())) return {op(x, {{"axis", axis}})};
  return {reshape_to(op(op::Flatten(x, {{"axis", axis}}), {{"axis", 1}}), x.dims(), x)};
}

void lower_flat(OnnxNode& node) {
  const auto rank = static_cast<int64_t>(node.inputs[0].rank());
  const AttrValue* given = node.attrs.find("axis");
  const int64_t axis =
      normalize_axis(given ? std::get<int64_t>(*given) : -1, node.inputs[0].rank(), node.op_type);
  TENON_CHECK(axis + 1 == rank, unsupported,
              "{}: node {} works along axis {} of {}, which opset {} cannot say; export to opset "
              "13 or later",
              node.op_type, node.name, axis, rank, node.opset);
  node.attrs = node.attrs.with({"axis", axis});
}

}  // namespace tenon::softmax_rules
