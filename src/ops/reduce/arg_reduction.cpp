#include "ops/reduce/arg_reduction.h"

namespace tenon::arg_reduction {

void infer(InferContext& ctx) {
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  Dims out = ctx.dims(0);
  out[axis] = 1;
  ctx.check(!(ctx.dims(0)[axis] == Dim(0)) || product(out) == Dim(0),
            "axis {} of {} is empty, so no element is there to point at; reduce another axis", axis,
            ctx.str(0));
  if (ctx.i("keepdims") == 0) out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
  ctx.output(0, std::move(out));
}

void lowered(OnnxNode& node) {
  const AttrValue* last = node.attrs.find("select_last_index");
  TENON_CHECK(!last || std::get<int64_t>(*last) == 0, unsupported,
              "{} '{}': opset {} has no select_last_index; export at opset 12 or newer",
              node.op_type, node.name, node.opset);
  node.attrs = node.attrs.without("select_last_index");
}

void samples(Samples& s) {
  s.add({arg::distinct({3, 4})});
  s.add({arg::distinct({2, 3, 4})}, {{"axis", -2}, {"keepdims", 0}});
  s.add({arg::range({3, 4}, 0, 2)}, {{"axis", 1}});
  s.add({arg::fixed(Tensor::from<int32_t>({2, 1, 2, 1, 1, 1}, {2, 3}))},
        {{"axis", 1}, {"select_last_index", 1}});
  s.add({arg::distinct({1})}, {{"keepdims", 0}});
  s.add({arg::any({0, 3})}, {{"axis", 1}});
  s.bad({arg::any({2, 3})}, {{"axis", 2}}, "axis 2 is outside");
  s.bad({arg::any({2, 0})}, {{"axis", 1}}, "axis 1 of");
  s.bad({arg::any({})}, {}, "axis 0 is outside");
}

}  // namespace tenon::arg_reduction
