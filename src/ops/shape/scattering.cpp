#include "ops/shape/scattering.h"

#include "ops/shape/catalog.h"

namespace tenon {

void check_reduction(const InferContext& ctx) {
  const std::string_view reduction = ctx.s("reduction");
  ctx.check(
      reduction == "none" || kNumeric.has(ctx.dtype(0)),
      "reduction {} computes, and data is {}; cast data to a number type or use reduction none",
      reduction, ctx.str(0));
}

void infer_scatter_elements(InferContext& ctx) {
  if (ctx.op.find_attr("reduction")) check_reduction(ctx);
  const Dims &data = ctx.dims(0), &indices = ctx.dims(1), &updates = ctx.dims(2);
  ctx.check(indices.size() == data.size() && updates.size() == data.size(),
            "data is {}, indices {} and updates {}; give all the same number of axes", ctx.str(0),
            ctx.str(1), ctx.str(2));
  const size_t axis = ctx.axis(ctx.i("axis"), data.size());
  for (size_t a = 0; a < data.size(); ++a) {
    ctx.check(!indices[a].is_const() || !updates[a].is_const() || indices[a] == updates[a],
              "indices {} and updates {} differ on axis {}; give one update for each index",
              ctx.str(1), ctx.str(2), a);
    ctx.check(a == axis || !data[a].is_const() || !indices[a].is_const() ||
                  indices[a].value() <= data[a].value(),
              "indices {} reach beyond data {} on axis {}; only axis {} may be longer", ctx.str(1),
              ctx.str(0), a, axis);
  }
  ctx.output(0, data);
}

bool adds_updates(const GradContext& ctx) {
  const std::string_view reduction = ctx.s("reduction");
  TENON_CHECK(reduction == "none" || reduction == "add", unsupported,
              "{}: reduction {} has no gradient here, since it would keep all operands in memory; "
              "use none or "
              "add",
              ctx.op.name, reduction);
  return reduction == "add";
}

Tensor zero_updates(const GradContext& ctx) {
  return op::Expand(constant_like(ctx.grad(), 0), ctx.shape_of(2));
}

void lower_scatter(OnnxNode& node) {
  const AttrValue* given = node.attrs.find("reduction");
  if (!given) return;
  const auto& reduction = std::get<std::string>(*given);
  const int needed = reduction == "none" ? 0 : reduction == "add" || reduction == "mul" ? 16 : 18;
  TENON_CHECK(
      node.opset >= needed, unsupported,
      "{} '{}': reduction {} came with opset {}, and this is opset {}; export at a newer opset",
      node.op_type, node.name, reduction, needed, node.opset);
  if (node.opset < 16) node.attrs = node.attrs.without("reduction");
}

}  // namespace tenon
