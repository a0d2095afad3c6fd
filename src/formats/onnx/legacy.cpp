// Upsample, which Resize replaced, and the experimental operators of ONNX's first opset (its
// Operators.md of 2017 and 2018).
#include "formats/onnx/legacy.h"

#include <limits>

#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/shape/catalog.h"

namespace tenon::formats {

namespace {

double number(const OnnxNode& node, std::string_view name, double fallback) {
  const AttrValue* value = node.attrs.find(name);
  return value ? std::get<double>(*value) : fallback;
}

std::vector<int64_t> ints(const OnnxNode& node, std::string_view name) {
  const AttrValue* value = node.attrs.find(name);
  return value ? std::get<std::vector<int64_t>>(*value) : std::vector<int64_t>();
}

std::vector<float> floats(const OnnxNode& node, std::string_view name) {
  const AttrValue* value = node.attrs.find(name);
  if (!value) return {};
  const auto& list = std::get<std::vector<double>>(*value);
  return {list.begin(), list.end()};
}

Tensor list(const std::vector<float>& values) {
  return Tensor::from<float>(values, {static_cast<int64_t>(values.size())});
}

// x * factor, without a node where that changes nothing.
Tensor scaled(const Tensor& x, double factor) { return factor == 1 ? x : x * factor; }

TensorList affine(const OnnxNode& node) {
  return {scaled(node.inputs[0], number(node, "alpha", 1)) + number(node, "beta", 0)};
}

TensorList scale(const OnnxNode& node) { return {node.inputs[0] * number(node, "scale", 1)}; }

TensorList image_scaler(const OnnxNode& node) {
  const Tensor y = scaled(node.inputs[0], number(node, "scale", 1));
  const std::vector<float> bias = floats(node, "bias");
  if (bias.empty()) return {op::Identity(y)};
  const Tensor channels = Tensor::from<float>(bias, {static_cast<int64_t>(bias.size()), 1, 1});
  return {y + channels.to(node.inputs[0].dtype())};
}

TensorList parametric_softplus(const OnnxNode& node) {
  return {op::Softplus(scaled(node.inputs[0], number(node, "beta", 1))) * number(node, "alpha", 1)};
}

TensorList scaled_tanh(const OnnxNode& node) {
  return {op::Tanh(scaled(node.inputs[0], number(node, "beta", 1))) * number(node, "alpha", 1)};
}

// border is left, top, right and bottom; scale, where given, is the height and width that remain
// behind the left and top borders.
TensorList crop(const OnnxNode& node) {
  const std::vector<int64_t> border = ints(node, "border"), size = ints(node, "scale");
  TENON_CHECK(border.size() == 4 && (size.empty() || size.size() == 2), data,
              "Crop '{}': border has {} numbers and scale {}; they are 4 and 2, or none of scale",
              node.name, border.size(), size.size());
  const auto end = [](int64_t behind) {
    return behind == 0 ? std::numeric_limits<int64_t>::max() : -behind;
  };
  const Tensor ends = size.empty() ? Tensor::ints({end(border[3]), end(border[2])})
                                   : Tensor::ints({border[1] + size[0], border[0] + size[1]});
  return {
      op::Slice(node.inputs[0], Tensor::ints({border[1], border[0]}), ends, Tensor::ints({2, 3}))};
}

// The shape that a fill of opset 1 asks for: the attribute's, or that of an input or in it, with
// more axes behind.
Tensor fill_shape(const OnnxNode& node) {
  if (!node.has_input(0)) return Tensor::ints(ints(node, "shape"));
  const AttrValue* as_shape = node.attrs.find("input_as_shape");
  const bool in_it = as_shape && std::get<int64_t>(*as_shape) != 0;
  const Tensor shape = in_it ? node.inputs[0].to(DType::i64) : op::Shape(node.inputs[0]);
  const std::vector<int64_t> extra = ints(node, "extra_shape");
  if (extra.empty()) return shape;
  return op::Concat.all({shape, Tensor::ints(extra)}, {{"axis", 0}})[0];
}

TensorList given_tensor_fill(const OnnxNode& node) {
  return {op::Reshape(list(floats(node, "values")), fill_shape(node), {{"allowzero", 1}})};
}

TensorList constant_fill(const OnnxNode& node) {
  const AttrValue* given = node.attrs.find("dtype");
  const auto type = given ? static_cast<DType>(std::get<int64_t>(*given)) : DType::f32;
  TENON_CHECK(kNumeric.has(type) || type == DType::boolean, unsupported,
              "ConstantFill '{}': dtype {} is no type of numbers; use 1 for f32", node.name,
              static_cast<int64_t>(type));
  return {op::ConstantOfShape(fill_shape(node),
                              {{"value", Tensor::full({1}, number(node, "value", 0), type)}})};
}

TensorList dynamic_slice(const OnnxNode& node) { return op::Slice.all(node.inputs); }

// Upsample reads without shifting pixels and rounds down.
TensorList upsample(const OnnxNode& node) {
  Tensor scales;
  if (node.opset >= 9 && node.has_input(1))
    scales = node.inputs[1];
  else if (node.attrs.has("scales"))
    scales = list(floats(node, "scales"));
  else
    scales = list({1, 1, static_cast<float>(number(node, "height_scale", 1)),
                   static_cast<float>(number(node, "width_scale", 1))});
  const AttrValue* given = node.attrs.find("mode");
  std::string mode = given ? std::get<std::string>(*given) : "nearest";
  if (mode == "bilinear") mode = "linear";
  return {op::Resize(node.inputs[0], Tensor(), scales,
                     {{"coordinate_transformation_mode", "asymmetric"},
                      {"mode", mode},
                      {"nearest_mode", "floor"}})};
}

constexpr LegacyOperator kLegacy[] = {
    {"Affine", 1, affine},
    {"ConstantFill", 0, constant_fill},
    {"Crop", 1, crop},
    {"DynamicSlice", 3, dynamic_slice},
    {"GivenTensorFill", 0, given_tensor_fill},
    {"ImageScaler", 1, image_scaler},
    {"ParametricSoftplus", 1, parametric_softplus},
    {"Scale", 1, scale},
    {"ScaledTanh", 1, scaled_tanh},
    {"Upsample", 1, upsample},
};

}  // namespace

const LegacyOperator* find_legacy(std::string_view name, std::string_view domain) {
  if (!domain.empty()) return nullptr;
  for (const LegacyOperator& known : kLegacy)
    if (known.name == name) return &known;
  return nullptr;
}

}  // namespace tenon::formats
