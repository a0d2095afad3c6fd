// TopK: the k largest or smallest elements along an axis, and where they lie.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dim given = product(ctx.dims(1));
  ctx.check(!given.is_const() || given.value() == 1, "K is {}; give one number", ctx.str(1));
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  const Dim size = ctx.dims(0)[axis];
  Dim k = ctx.values(1) && ctx.values(1)->size() == 1 ? ctx.values(1)->front() : Dim::unknown();
  if (const auto known = ctx.ints_of(1); known && known->size() == 1)
    k = known->front();  // any rank
  ctx.check(!k.is_const() || k.value() >= 0, "K is {}; use 0 or more", k.str());
  ctx.check(!k.is_const() || !size.is_const() || k.value() <= size.value(),
            "K is {}, but axis {} of {} has {} elements; use a K of {} at most", k.str(), axis,
            ctx.str(0), size.str(), size.str());
  Dims out = ctx.dims(0);
  out[axis] = std::move(k);
  ctx.output(0, out);
  ctx.output(1, std::move(out));
}

TensorList grad(const GradContext& ctx) {
  const Tensor zeros = Expand(constant_like(ctx.grad(), 0), ctx.shape_of(0));
  return {ScatterElements(zeros, ctx.output(1), ctx.grad(), {{"axis", ctx.i("axis")}}), {}};
}

// In opset 1 k was an attribute; before 11 the largest came, sorted.
TensorList from_attribute(const OnnxNode& node) { return upgrade::attr_to_input(node, "k", 1); }

void lowered(OnnxNode& node) {
  for (const char* name : {"largest", "sorted"}) {
    const AttrValue* value = node.attrs.find(name);
    TENON_CHECK(!value || std::get<int64_t>(*value) == 1, unsupported,
                "TopK '{}': opset {} has no {}=0; export at opset 11 or newer", node.name,
                node.opset, name);
    node.attrs = node.attrs.without(name);
  }
  if (node.opset >= 10) return;
  node.attrs = node.attrs.with({"k", node.constant_ints(1).at(0)});
  node.inputs.resize(1);
}

void samples(Samples& s) {
  s.bad({arg::any({4}), arg::fixed(Tensor::from<int64_t>({5}, {1, 1}))}, {}, "K is 5, but axis 0");
  s.add({arg::distinct({3, 5}), arg::ints({3})}).outputs = 2;
  s.add({arg::distinct({4, 2, 2}), arg::ints({2})}, {{"axis", 0}, {"largest", 0}}).outputs = 2;
  s.add({arg::fixed(Tensor::from<float>({2, 1, 2, 1, 2, 3}, {6})), arg::ints({4})}).outputs = 2;
  s.add({arg::fixed(Tensor::from<int32_t>({1, 1, 0, 0, 1, 0}, {6})), arg::ints({4})},
        {{"largest", 0}})
      .outputs = 2;
  s.add({arg::distinct({5}), arg::ints({5})}, {{"sorted", 0}}).outputs = 2;
  s.add({arg::distinct({2, 3}), arg::int_scalar(1)}, {{"axis", -2}});
  s.add({arg::distinct({2, 3}), arg::ints({0})}).outputs = 2;
  s.add({arg::any({0, 3}), arg::ints({2})}).outputs = 2;
  s.bad({arg::any({2, 3}), arg::ints({4})}, {}, "use a K of 3 at most");
  s.bad({arg::any({2, 3}), arg::ints({-1})}, {}, "K is -1; use 0 or more");
  s.bad({arg::any({2, 3}), arg::ints({1, 2})}, {}, "give one number");
  s.bad({arg::any({2, 3}), arg::ints({1})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef TopK{
    .name = "TopK",
    .doc =
        "The K largest (or smallest) elements along `axis`, in order, and their places; of equal "
        "ones the first "
        "comes first, and NaN counts as the largest.",
    .inputs = {{"X", "T"}, value("K", "I")},
    .outputs = {{"Values", "T"}, {"Indices", "I"}},
    .types = {{"T", kNumeric}, {"I", kInt64}},
    .attrs = {attr_i("axis", -1), attr_i("largest", 1), attr_i("sorted", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::output(1)},
    .onnx = {.since = 11, .older = {{1, from_attribute}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
