// ConcatFromSequence: the elements of a sequence, one behind the other.
#include "ops/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  TensorType made = sequences::element_of(ctx, 0);
  ctx.check(made.dtype != DType::undefined, "{} holds no elements, nor is known of what type",
            ctx.str(0));
  const int64_t new_axis = ctx.i("new_axis");
  ctx.check(new_axis == 0 || new_axis == 1, "new_axis={}; use 0 or 1", new_axis);
  if (made.ranked) {
    const size_t axis = ctx.axis(ctx.i("axis"), made.dims.size() + static_cast<size_t>(new_axis));
    if (new_axis != 0)
      made.dims.insert(made.dims.begin() + static_cast<ptrdiff_t>(axis),
                       ctx.input(0).ranked ? ctx.dims(0)[0] : Dim::unknown());
    else
      made.dims[axis] = Dim::unknown();
  }
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  const auto elements = ctx.input(0).elements();
  TENON_CHECK(!elements.empty(), usage,
              "ConcatFromSequence: the sequence is empty; give one element at least");
  TensorList parts(elements.begin(), elements.end());
  const int64_t axis = ctx.i("axis");
  if (ctx.i("new_axis") != 0)
    for (Tensor& part : parts) part = Unsqueeze(part, Tensor::ints({axis}));
  return {Concat.all(parts, {{"axis", axis}})[0]};
}

void samples(Samples& s) {
  const Tensor rows = Tensor::sequence({Tensor::ones({2, 3}), Tensor::zeros({1, 3})});
  const Tensor equal = Tensor::sequence({Tensor::ones({2}), Tensor::zeros({2})});
  s.add({arg::fixed(rows)}, {{"axis", 0}});
  s.add({arg::fixed(equal)}, {{"axis", -1}, {"new_axis", 1}});
  s.bad({arg::fixed(rows)}, {}, "axis");
  s.bad({arg::fixed(rows)}, {{"axis", 2}}, "axis 2 is outside");
  s.bad({arg::fixed(rows)}, {{"axis", 0}, {"new_axis", 2}}, "new_axis=2; use 0 or 1");
}

}  // namespace

constinit const OpDef ConcatFromSequence{
    .name = "ConcatFromSequence",
    .doc = "The elements of a sequence joined along `axis`, a new one where `new_axis` is 1.",
    .inputs = {{"input_sequence", "S"}},
    .outputs = {{"concat_result", "T"}},
    .types = {{"S", kSequence}, {"T", kAnyType}},
    .attrs = {required("axis", AttrType::i), attr_i("new_axis", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
