// NonMaxSuppression: the best boxes of each class, without those that overlap better ones.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims &boxes = ctx.dims(0), &scores = ctx.dims(1);
  const auto apart = [](const Dim& a, const Dim& b) {
    return a.is_const() && b.is_const() && !(a == b);
  };
  ctx.check(boxes.size() == 3 && !apart(boxes[2], 4),
            "boxes is {}; give [batches, boxes, 4 coordinates]", ctx.str(0));
  ctx.check(scores.size() == 3, "scores is {}; give [batches, classes, boxes]", ctx.str(1));
  ctx.check(!apart(boxes[0], scores[0]) && !apart(boxes[1], scores[2]),
            "boxes is {} and scores is {}; batches and boxes must be as many", ctx.str(0),
            ctx.str(1));
  for (size_t i = 2; i < 5; ++i)
    ctx.check(!ctx.has_input(i) || !apart(product(ctx.dims(i)), 1), "{} is {}; give one number",
              ctx.op.inputs[i].name, ctx.str(i));
  ctx.output(0, {Dim::unknown(), 3});
}

void samples(Samples& s) {
  const auto numbers = [](std::initializer_list<float> values, const Shape& shape) {
    return arg::fixed(Tensor::from<float>(values, shape));
  };
  const auto number = [&](float value) { return numbers({value}, {1}); };
  const Arg boxes = numbers({0, 0,    1, 1,    0, 0.1F,  1, 1.1F,  0, -0.1F, 1, 0.9F,
                             0, 10.F, 1, 11.F, 0, 10.1F, 1, 11.1F, 1, 101.F, 0, 100.F},
                            {1, 6, 4});
  const Arg scores = numbers(
      {0.9F, 0.75F, 0.6F, 0.95F, 0.5F, 0.3F, 0.1F, 0.2F, 0.9F, 0.9F, 0.1F, 0.4F}, {1, 2, 6});
  const Arg many = arg::ints({5});
  s.add({boxes, scores, many, number(0.5), number(0.4F)});
  s.add({boxes, scores, arg::int_scalar(2), arg::fixed(Tensor::scalar(0.5))});
  s.add({boxes, scores, many, number(0.3F), number(0)}, {{"center_point_box", 1}});
  s.add({boxes, scores, many});
  s.add({boxes, scores});
  s.add({boxes, scores, arg::ints({-1}), number(0.5)});
  s.add({arg::range({2, 30, 4}, 0, 10), arg::range({2, 3, 30}, 0, 1), arg::ints({20}), number(0.4F),
         number(0.2F)});
  s.add({arg::any({0, 3, 4}), arg::any({0, 2, 3}), many});
  s.bad({arg::any({1, 6, 5}), arg::any({1, 2, 6})}, {}, "give [batches, boxes, 4 coordinates]");
  s.bad({arg::any({1, 6, 4}), arg::any({1, 6})}, {}, "give [batches, classes, boxes]");
  s.bad({arg::any({1, 6, 4}), arg::any({1, 2, 5})}, {}, "batches and boxes must be as many");
  s.bad({boxes, scores, arg::ints({1, 2})}, {}, "give one number");
}

}  // namespace

constinit const OpDef NonMaxSuppression{
    .name = "NonMaxSuppression",
    .doc =
        "Batch, class and box of each box that overlaps no better one of its class by more than "
        "iou_threshold, best first.",
    .inputs = {{"boxes", "T"},
               {"scores", "T"},
               optional("max_output_boxes_per_class", "I"),
               optional("iou_threshold", "T"),
               optional("score_threshold", "T")},
    .outputs = {{"selected_indices", "I"}},
    .types = {{"T", kFloat32}, {"I", kInt64}},
    .attrs = {attr_i("center_point_box", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("which boxes remain is not continuous"),
    .onnx = {.since = 11, .older = {{10, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
