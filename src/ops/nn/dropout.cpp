// Dropout: zeroes random elements while training and scales the rest up.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

constexpr double kDefaultRatio = 0.5;

void infer(InferContext& ctx) {
  for (size_t i = 1; i < 3; ++i) {
    if (!ctx.has_input(i)) continue;
    ctx.check(ctx.rank(i) == 0, "{} is {}; it must be a scalar of rank 0", ctx.op.inputs[i].name,
              ctx.str(i));
  }
  ctx.output(0, ctx.dims(0));
  ctx.output(1, ctx.dims(0));
}

// A kept element was multiplied by 1 / (1 - ratio) in training mode and by 1 otherwise.
TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  const Tensor dy = ctx.grad();
  grads[0] = dy;
  if (!ctx.has_input(2)) return grads;
  const Tensor ratio =
      ctx.has_input(1) ? ctx.input(1).to(ctx.dtype(0)) : constant_like(dy, kDefaultRatio);
  const Tensor scale = Where(ctx.input(2), 1.0 / (1.0 - ratio), constant_like(dy, 1));
  grads[0] = Where(ctx.output(1), dy * scale, constant_like(dy, 0));
  return grads;
}

Tensor scalar_bool(bool value) { return Tensor::full({}, value, DType::boolean); }

// Up to opset 11 the ratio was an attribute, and is_test (up to 6) or the wish to train (7 to 11:
// an exported node does not) decided the mode; up to opset 9 the mask had the type of the data.
TensorList older(const OnnxNode& node, bool training, bool bool_mask) {
  const Tensor& x = node.inputs[0];
  const AttrValue* given = node.attrs.find("ratio");
  const Tensor ratio = Tensor::scalar(given ? std::get<double>(*given) : kDefaultRatio);
  TensorList outputs = Dropout.all({x, ratio, scalar_bool(training)}, {}, node.output_count);
  if (node.output_count > 1 && !bool_mask) outputs[1] = outputs[1].to(x.dtype());
  return outputs;
}

TensorList upgrade_1(const OnnxNode& node) {
  const AttrValue* is_test = node.attrs.find("is_test");
  return older(node, !(is_test && std::get<int64_t>(*is_test) != 0), false);
}
TensorList upgrade_7(const OnnxNode& node) { return older(node, false, false); }
TensorList upgrade_10(const OnnxNode& node) { return older(node, false, true); }

void lower(OnnxNode& node) {
  if (node.has_input(2))
    TENON_CHECK(
        !node.inputs[2].is_symbolic() && node.inputs[2].item<int64_t>() == 0, unsupported,
        "Dropout: node {} may train, which opset {} cannot say; export to opset 12 or later",
        node.name, node.opset);
  TENON_CHECK(
      node.opset >= 10 || node.output_count == 1, unsupported,
      "Dropout: node {} has a mask, which is not bool in opset {}; export to opset 10 or later",
      node.name, node.opset);
  if (node.has_input(1) && !node.inputs[1].is_symbolic())
    node.attrs = node.attrs.with({"ratio", node.inputs[1].item<double>()});
  node.attrs = node.attrs.without("seed");
  if (node.opset < 7) node.attrs = node.attrs.with({"is_test", 1});
  node.inputs.resize(1);
}

void samples(Samples& s) {
  const Arg on = arg::fixed(scalar_bool(true)), off = arg::fixed(scalar_bool(false));
  const auto ratio = [](double value) { return arg::fixed(Tensor::scalar(value)); };
  s.add({arg::any({2, 5})}).outputs = 2;
  s.add({arg::any({2, 5}), ratio(0.3), off}).outputs = 2;
  s.add({arg::any({3, 7}), ratio(0.3), on}).outputs = 2;
  s.add({arg::any({3, 7}), ratio(0.3), on}, {{"seed", 7}});
  s.add({arg::any({4}), ratio(0), on}).outputs = 2;
  s.add({arg::any({4}), arg::none(), on});
  s.add({arg::any({4}), ratio(1), on});
  s.add({arg::any({0, 3}), ratio(0.5), on}).outputs = 2;
  s.bad({arg::any({4}), arg::any({1})}, {},
        "Dropout: ratio is f32[1]; it must be a scalar of rank 0");
  s.bad({arg::any({4}), ratio(0.5), arg::fixed(Tensor::full({1}, 1, DType::boolean))}, {},
        "training_mode is bool[1]");
}

}  // namespace

constinit const OpDef Dropout{
    .name = "Dropout",
    .doc =
        "In training_mode zeroes each element with probability `ratio` and divides the rest by 1 - "
        "ratio.",
    .inputs = {{"data", "T"}, optional("ratio", "T1"), optional("training_mode", "T2")},
    .outputs = {{"output", "T"}, optional("mask", "T2")},
    .types = {{"T", kFloats}, {"T1", kFloats}, {"T2", kBool}},
    .attrs = {attr("seed", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2) | saves::output(1)},
    .onnx = {.since = 12,
             .older = {{1, upgrade_1}, {7, upgrade_7}, {10, upgrade_10}},
             .lower = lower},
    .random = true,
    .samples = samples,
};

}  // namespace tenon::op
