// LabelEncoder: elements looked up in a table.
#include <cmath>

#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/label_mapping.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

constexpr TypeSet kLabels =
    kString | types(DType::i16, DType::i32, DType::i64, DType::f32, DType::f64);

void infer(InferContext& ctx) {
  const label_mapping::Mapping mapping = label_mapping::read(ctx);
  ctx.check(mapping.keys.dtype() == ctx.dtype(0), "X is {}, but the keys are {}; cast one of them",
            ctx.str(0), name(mapping.keys.dtype()));
  ctx.check(kLabels.has(mapping.values.dtype()), "the values are {}; it takes {}",
            name(mapping.values.dtype()), kLabels.str());
  ctx.output(0, ctx.dims(0), mapping.values.dtype());
}

// Opset 1 knows one list of words, whose places are the numbers.
TensorList upgrade_classes(const OnnxNode& node) {
  const AttrValue* given = node.attrs.find("classes_strings");
  const auto words =
      given ? std::get<std::vector<std::string>>(*given) : std::vector<std::string>();
  std::vector<int64_t> places;
  for (size_t i = 0; i < words.size(); ++i) places.push_back(static_cast<int64_t>(i));
  const bool from_words = node.inputs[0].dtype() == DType::string;
  return LabelEncoder.all(
      node.inputs, node.attrs.without("classes_strings")
                       .with({from_words ? "keys_strings" : "values_strings", AttrValue(words)})
                       .with({from_words ? "values_int64s" : "keys_int64s", AttrValue(places)}));
}

void samples(Samples& s) {
  const Attr words("keys_strings", AttrValue(std::vector<std::string>{"w0", "w1", "w3"}));
  const Attr word_values("values_strings", AttrValue(std::vector<std::string>{"a", "b", "c"}));
  const auto ints = [](std::string_view name, std::vector<int64_t> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  const auto floats = [](std::string_view name, std::vector<double> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  const auto tensor = [](std::string_view name, const Tensor& value) {
    return Attr(name, AttrValue(value));
  };
  s.add({arg::any({2, 3})}, {words, ints("values_int64s", {5, 6, 7}), {"default_int64", 42}})
      .types = kString;
  s.add({arg::any({4})}, {words, floats("values_floats", {0.5, 1.5, -2})}).types = kString;
  s.add({arg::any({4})}, {words, word_values}).types = kString;
  s.add({arg::any({5})}, {ints("keys_int64s", {-1, 0, 1}), word_values}).types = kInt64;
  s.add(
       {arg::any({2, 2})},
       {ints("keys_int64s", {0, 1, 1}), floats("values_floats", {1, 2, 3}), {"default_float", 0.5}})
      .types = kInt64;
  s.add({arg::fixed(Tensor::from<float>({NAN, 1, -NAN, 0.5F, -0.0F}, {5}))},
        {floats("keys_floats", {NAN, 1, 0}), ints("values_int64s", {7, 8, 9})});
  s.add({arg::fixed(Tensor::strings({"a", "g"}, {2}))},
        {tensor("keys_tensor", Tensor::strings({"a", "b"}, {2})),
         tensor("values_tensor", Tensor::from<int16_t>({0, 1}, {2})),
         tensor("default_tensor", Tensor::from<int16_t>({42}, {1}))});
  s.add({arg::fixed(Tensor::from<int16_t>({3, 4}, {2}))},
        {tensor("keys_tensor", Tensor::from<int16_t>({4}, {1})),
         tensor("values_tensor", Tensor::from<int32_t>({7}, {1}))});
  s.add({arg::fixed(Tensor::from<double>({3, 4}, {2}))},
        {tensor("keys_tensor", Tensor::from<double>({4}, {1})),
         tensor("values_tensor", Tensor::from<double>({7.5}, {1}))});
  s.add({arg::any({0})}, {words, word_values}).types = kString;
  s.add({arg::any({})}, {words, word_values}).types = kString;
  s.bad({arg::typed({2}, DType::f32)}, {words, word_values},
        "X is f32[2], but the keys are string");
  s.bad({arg::typed({2}, DType::string)}, {words, ints("values_int64s", {1})},
        "3 keys but 1 values");
  s.bad({arg::typed({2}, DType::string)}, {words}, "no values given");
  s.bad({arg::typed({2}, DType::string)}, {words, ints("keys_int64s", {1, 2, 3}), word_values},
        "keys_strings and keys_int64s given");
  s.bad({arg::typed({2}, DType::string)},
        {words, word_values, tensor("default_tensor", Tensor::ints({1, 2}))},
        "default_tensor is i64 of shape [2]");
}

}  // namespace

constinit const OpDef LabelEncoder{
    .name = "LabelEncoder",
    .doc =
        "Each element's value in a table of keys and values, or a default; NaN finds a key that is "
        "NaN, and of equal keys the last one counts.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", kLabels}, {"T2", kLabels}},
    .attrs = {attr_f("default_float", -0.0), attr_i("default_int64", -1),
              attr_s("default_string", "_Unused"), attr("default_tensor", AttrType::tensor),
              attr("keys_floats", AttrType::floats), attr("keys_int64s", AttrType::ints),
              attr("keys_strings", AttrType::strings), attr("keys_tensor", AttrType::tensor),
              attr("values_floats", AttrType::floats), attr("values_int64s", AttrType::ints),
              attr("values_strings", AttrType::strings), attr("values_tensor", AttrType::tensor)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it looks labels up"),
    .onnx = {.domain = "ai.onnx.ml",
             .since = 4,
             .older = {{1, upgrade_classes}, {2, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
