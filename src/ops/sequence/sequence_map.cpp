// SequenceMap: a graph run on each element of a sequence.
#include "ops/control/body.h"
#include "ops/control/sample_body.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

// Inputs: a sequence, further sequences or tensors, captures. The body sees one element of each
// sequence, and the rest as it is.
size_t mapped_count(const Call& call, size_t inputs) {
  const auto captures = static_cast<size_t>(std::max<int64_t>(call.i("captures"), 0));
  return inputs - std::min(inputs, captures);
}

void infer(InferContext& ctx) {
  const Subgraph& body = ctx.graph("body");
  const size_t mapped = mapped_count(ctx, ctx.input_count());
  ctx.check(body.input_count() == ctx.input_count() && mapped >= 1,
            "the body takes {} inputs, but {} come in; make them agree", body.input_count(),
            ctx.input_count());
  ctx.check(ctx.output_count() <= body.output_count(), "{} outputs asked for; its body has {}",
            ctx.output_count(), body.output_count());
  std::vector<TensorType> given;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const bool element = i < mapped && ctx.dtype(i) == DType::sequence;
    given.push_back(
        control::without_contents(element ? sequences::element_of(ctx, i) : ctx.input(i)));
  }
  const auto made = body.infer(given);
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    TensorType rows = TensorType::sequence_of(control::without_contents(made[i]));
    rows.dims = ctx.dims(0);
    ctx.output(i, rows);
  }
}

TensorList expand(const ExpandContext& ctx) {
  const size_t mapped = mapped_count(ctx, ctx.input_count());
  const size_t count = ctx.input(0).elements().size();
  const Subgraph& body = ctx.graph("body");
  const auto run = body.runner();
  std::vector<TensorList> rows(body.output_count());
  for (size_t k = 0; k < count; ++k) {
    TensorList given;
    for (size_t i = 0; i < ctx.input_count(); ++i) {
      const Tensor& input = ctx.input(i);
      if (i >= mapped || input.dtype() != DType::sequence) {
        given.push_back(input);
        continue;
      }
      TENON_CHECK(input.elements().size() == count, usage,
                  "SequenceMap: input {} has {} elements, but the first has {}; give as many", i,
                  input.elements().size(), count);
      given.push_back(input.elements()[k]);
    }
    TensorList made = run(given);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].push_back(std::move(made[i]));
  }
  TensorList outputs;
  for (const TensorList& list : rows) outputs.push_back(Tensor::sequence(list));
  return outputs;
}

void samples(Samples& s) {
  const Attr body = control::SampleBody::attr(
      "body", 2, 1, [](std::span<const TensorType> in) { return std::vector<TensorType>{in[0]}; },
      [](const TensorList& x) -> TensorList { return {x[0] * x[1]}; });
  const Arg two = arg::fixed(Tensor::sequence({Tensor::ones({2}), Tensor::full({3, 2}, 2)}));
  s.add({two, arg::typed({2}, DType::f32)}, {body});
  s.add({two, two}, {body});
  s.add({two, arg::typed({2}, DType::f32)}, {body, {"captures", 1}});
  s.bad({two}, {}, "body");
  s.bad({two}, {body}, "the body takes 2 inputs, but 1 come in");
  s.bad({two, arg::fixed(Tensor::sequence({Tensor::ones({2})}))}, {body},
        "input 1 has 1 elements, but the first has 2");
}

}  // namespace

constinit const OpDef SequenceMap{
    .name = "SequenceMap",
    .doc =
        "The sequences of what `body` makes of each element of the first, with the elements of "
        "other "
        "sequences at the same place.",
    .inputs = {{"input_sequence", "S"}, {"additional_inputs", "V", Arity::variadic, false, true}},
    .outputs = {variadic("out_sequence", "S")},
    .types = {{"S", kSequence}, {"V", kAnyType | kStored | kContainers}},
    // The last `captures` inputs are what the body uses of the graph around it.
    .attrs = {required("body", AttrType::graph), attr_i("captures", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 17},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
