// Constant: a tensor held by an attribute; importing a model turns it into that tensor.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

Tensor float_tensor(std::span<const double> values, const tenon::Shape& shape) {
  const std::vector<float> rounded(values.begin(), values.end());
  return Tensor::from<float>(rounded, shape);
}

// The tensor that the one attribute describes.
Tensor held(const Call& call) {
  const auto length = [](auto list) { return tenon::Shape{static_cast<int64_t>(list.size())}; };
  if (call.has("value")) return call.tensor("value");
  if (call.has("value_int")) return Tensor::from<int64_t>({call.i("value_int")}, {});
  if (call.has("value_ints")) return Tensor::ints(call.ints("value_ints"));
  if (call.has("value_float")) return float_tensor(std::vector{call.f("value_float")}, {});
  if (call.has("value_floats"))
    return float_tensor(call.floats("value_floats"), length(call.floats("value_floats")));
  if (call.has("value_string")) return Tensor::strings({std::string(call.s("value_string"))}, {});
  const auto strings = call.strings("value_strings");
  return Tensor::strings({strings.begin(), strings.end()}, length(strings));
}

void infer(InferContext& ctx) {
  ctx.check(ctx.attrs.list().size() == 1, "{} attributes are given ({}); give exactly one value",
            ctx.attrs.list().size(), ctx.attrs.str());
  ctx.outputs()[0] = TensorType::of(held(ctx), true);
}

TensorList expand(const ExpandContext& ctx) { return {held(ctx)}; }

void samples(Samples& s) {
  s.add({}, {{"value", Tensor::from<double>({1, 2}, {2, 1})}});
  s.add({}, {{"value_int", 3}});
  s.add({}, {{"value_ints", {3, 4}}});
  s.add({}, {{"value_float", 0.5}});
  s.add({}, {{"value_floats", std::vector<double>{0.5, 1}}});
  s.add({}, {{"value_string", "tenon"}});
  s.add({}, {{"value_strings", std::vector<std::string>{"a", "b"}}});
  s.bad({}, {}, "0 attributes are given");
  s.bad({}, {{"value_int", 1}, {"value_float", 2.0}}, "give exactly one value");
}

}  // namespace

constinit const OpDef Constant{
    .name = "Constant",
    .doc = "The tensor that its attribute holds.",
    .inputs = {},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType | kStored}},
    .attrs = {attr("value", AttrType::tensor), attr("value_int", AttrType::i),
              attr("value_ints", AttrType::ints), attr("value_float", AttrType::f),
              attr("value_floats", AttrType::floats), attr("value_string", AttrType::s),
              attr("value_strings", AttrType::strings)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it has no inputs"),
    .onnx = {.since = 12, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
