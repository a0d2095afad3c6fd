// Clip: X kept between two bounds.
#include <string_view>

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  for (size_t i = 1; i < 3; ++i)
    ctx.check(!ctx.has_input(i) || ctx.rank(i) == 0, "{} is {}; it must be a scalar, of shape []",
              i == 1 ? "min" : "max", ctx.str(i));
  infer_rules::same_shape(ctx);
}

// Until opset 10 the bounds are attributes, by default the limits of f32.
TensorList upgrade_bounds(const OnnxNode& node) {
  TensorList inputs = node.inputs;
  inputs.resize(3);
  const auto bound = [&](std::string_view attr) {
    const AttrValue* value = node.attrs.find(attr);
    if (!value || !inputs[0]) return Tensor();
    const auto* number = std::get_if<double>(value);
    TENON_CHECK(number, data, "Clip {}: attribute {} is not a float; repair the file", node.name,
                attr);
    return Tensor::scalar(*number, inputs[0].dtype());
  };
  inputs[1] = bound("min");
  inputs[2] = bound("max");
  return Clip.all(inputs);
}

void lower_bounds(OnnxNode& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    const std::string_view bound = i == 1 ? "min" : "max";
    TENON_CHECK(!node.inputs[i].is_symbolic(), unsupported,
                "Clip {}: {} is computed by the graph, but in opset {} it is an attribute; export "
                "to opset 11 or later",
                node.name, bound, node.opset);
    node.attrs = node.attrs.with({bound, node.inputs[i].item<double>()});
  }
  node.inputs.resize(1);
}

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& g = ctx.grad();
  const Tensor zero = constant_like(x, 0);
  const Tensor raised = ctx.has_input(1) ? Max(x, ctx.input(1)) : x;
  TensorList grads = ctx.none();
  if (ctx.needs(0)) {
    grads[0] = g;
    if (ctx.has_input(1)) grads[0] = Where(Less(x, ctx.input(1)), zero, grads[0]);
    if (ctx.has_input(2)) grads[0] = Where(Greater(raised, ctx.input(2)), zero, grads[0]);
  }
  // A bound takes the gradient of the elements that it replaced.
  if (ctx.has_input(1) && ctx.needs(1)) {
    grads[1] = Where(Less(x, ctx.input(1)), g, zero);
    if (ctx.has_input(2)) grads[1] = Where(Greater(raised, ctx.input(2)), zero, grads[1]);
    grads[1] = sum_to(grads[1], {});
  }
  if (ctx.has_input(2) && ctx.needs(2))
    grads[2] = sum_to(Where(Greater(raised, ctx.input(2)), g, zero), {});
  return grads;
}

TensorList expand(const ExpandContext& ctx) {
  Tensor y = ctx.input(0);
  if (ctx.has_input(1)) y = Max(y, ctx.input(1));
  if (ctx.has_input(2)) y = Min(y, ctx.input(2));
  return {ctx.has_input(1) || ctx.has_input(2) ? y : Identity(y)};
}

void samples(Samples& s) {
  const auto x = [](double from, double to) { return arg::range({2, 3}, from, to); };
  const Arg low = arg::range({}, 1, 1.2), high = arg::range({}, 3, 3.2);
  s.add({x(1.5, 2.8), low, high});
  s.add({x(0, 0.8), low, high});
  s.add({x(4, 6), low, high});
  s.add({x(4, 6), high, low});  // crossed: the upper bound wins
  s.add({x(0, 0.8), low});
  s.add({x(4, 6), arg::none(), high});
  s.add({x(-3, -1.5), arg::range({}, -1.2, -1)}).types = kFloats | kSignedInts;
  s.add({arg::any({2, 3})});
  s.add({arg::range({}, 4, 6), low, high});
  s.add({arg::any({0, 3}), low, high});
  s.add({arg::range({4, 4}, -5, 5), low, high}).grad = false;
  s.bad({arg::any({2}), arg::any({2})}, {}, "min is");
  s.bad({arg::any({2}), arg::none(), arg::any({1})}, {}, "it must be a scalar");
}

}  // namespace

constinit const OpDef Clip{
    .name = "Clip",
    .doc =
        "min(max(X, lower), upper), where either bound may be absent; a NaN in any of them stays "
        "NaN.",
    .inputs = {{"input", "T"}, optional("min", "T"), optional("max", "T")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_shape,
    .expand = expand,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 11, .older = {{1, upgrade_bounds}}, .lower = lower_bounds},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
