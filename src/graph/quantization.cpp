#include "graph/quantization.h"

#include <algorithm>
#include <cmath>

#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::graph {

namespace {

constexpr TypeSet kBytes = types(DType::i8, DType::u8);

}  // namespace

std::optional<Quantization> quantization_of(const Rewriter& r, const Node& node) {
  const bool forward = node.op == &op::QuantizeLinear;
  if (!forward && node.op != &op::DequantizeLinear) return std::nullopt;
  const Call call{*node.op, node.attrs};
  const TypeSet types_taken = forward ? kBytes : kBytes | types(DType::i32);
  const TensorType &x = r.type(node.inputs[0]), &y = r.type(node.outputs[0]);
  Quantization how;
  how.type = forward ? y.dtype : x.dtype;
  if (call.i("block_size") != 0 || (forward ? x.dtype : y.dtype) != DType::f32 ||
      !types_taken.has(how.type))
    return std::nullopt;
  if (forward && call.i("precision") != 0 && call.i("precision") != static_cast<int>(DType::f32))
    return std::nullopt;
  how.scale = node.inputs[1];
  const Tensor* scale = r.constant(how.scale);
  if (!scale || scale->dtype() != DType::f32) return std::nullopt;
  if (node.inputs.size() > 2) how.zero = node.inputs[2];
  const Tensor* zero = r.constant(how.zero);
  if (how.zero != kNoValue && !zero) return std::nullopt;
  if (scale->numel() == 1 && (!zero || zero->numel() == 1)) {
    how.one_scale = scale->item<float>();
    how.one_zero = zero ? zero->item<int64_t>() : 0;
    if (!(how.one_scale > 0) || !std::isfinite(how.one_scale)) return std::nullopt;
    return how;
  }
  if (!x.ranked || scale->rank() != 1) return std::nullopt;
  const int64_t axis = call.i("axis");
  how.axis = x.dims.size() == 1 ? 0 : axis < 0 ? axis + static_cast<int64_t>(x.dims.size()) : axis;
  for (float each : scale->to_vector<float>())
    if (!(each > 0) || !std::isfinite(each)) return std::nullopt;
  return how;
}

std::optional<Dequantized> dequantized(const Rewriter& r, ValueId value) {
  const Node* node = r.made_by(value, op::DequantizeLinear);
  if (!node) return std::nullopt;
  const std::optional<Quantization> how = quantization_of(r, *node);
  if (!how) return std::nullopt;
  return Dequantized{node->inputs[0], *how};
}

std::optional<Dequantized> dequantized_constant(Rewriter& r, ValueId value) {
  std::optional<Dequantized> found = dequantized(r, value);
  if (!found || r.constant(found->x)) return found;
  const Node* maker = r.made_by(found->x, op::QuantizeLinear);
  if (!maker) return std::nullopt;
  TensorList inputs;
  for (ValueId input : maker->inputs) {
    const Tensor* constant = r.constant(input);
    if (input != kNoValue && !constant) return std::nullopt;
    inputs.push_back(constant ? *constant : Tensor());
  }
  const NoGrad no_grad;
  found->x = r.constant(op::QuantizeLinear.all(inputs, maker->attrs)[0],
                        r.graph().value(found->x).name + "_quantized");
  return found;
}

std::optional<Tensor> real_constant(const Rewriter& r, ValueId value) {
  if (const Tensor* constant = r.constant(value))
    return constant->dtype() == DType::f32 ? std::optional(*constant) : std::nullopt;
  const std::optional<Dequantized> found = dequantized(r, value);
  if (!found || !r.constant(found->x)) return std::nullopt;
  const Node& node = *r.made_by(value, op::DequantizeLinear);
  TensorList inputs;
  for (ValueId input : node.inputs)
    inputs.push_back(input == kNoValue ? Tensor() : *r.constant(input));
  const NoGrad no_grad;
  return op::DequantizeLinear.all(inputs, node.attrs)[0];
}

bool moves_elements(const Graph& graph, const Node& node) {
  const Call call{*node.op, node.attrs};
  if (node.op == &op::Pad) {
    if (call.s("mode") != "constant" || node.inputs.size() < 3 || node.inputs[2] == kNoValue)
      return true;
    const Value& filler = graph.value(node.inputs[2]);
    return filler.is_constant() && filler.type.constant.numel() == 1 &&
           filler.type.constant.item<double>() == 0;
  }
  if (node.op == &op::Resize)
    return call.s("mode") == "nearest" &&
           call.s("coordinate_transformation_mode") != "tf_crop_and_resize";
  if (node.op == &op::MaxPool)
    return std::ranges::count_if(node.outputs, [](ValueId id) { return id != kNoValue; }) == 1;
  const OpDef* const movers[] = {
      &op::Reshape,        &op::Transpose,    &op::Flatten,      &op::Squeeze,
      &op::Unsqueeze,      &op::Slice,        &op::Split,        &op::Gather,
      &op::GatherElements, &op::GatherND,     &op::DepthToSpace, &op::Expand,
      &op::Tile,           &op::SpaceToDepth, &op::Identity,     &op::ReverseSequence};
  return std::ranges::find(movers, node.op) != std::end(movers);
}

ValueId zero_point(Rewriter& r, const Quantization& how) {
  if (how.zero != kNoValue) return how.zero;
  return r.constant(Tensor::zeros(r.constant(how.scale)->shape(), how.type));
}

int64_t lowest(DType type) { return type == DType::i8 ? -128 : 0; }
int64_t highest(DType type) { return type == DType::i8 ? 127 : 255; }

int64_t quantized(double value, const Quantization& how) {
  const float steps =
      std::nearbyint(static_cast<float>(value) / how.one_scale) + static_cast<float>(how.one_zero);
  const auto low = static_cast<float>(lowest(how.type));
  const auto high = static_cast<float>(highest(how.type));
  return static_cast<int64_t>(steps > low ? std::min(steps, high) : low);
}

}  // namespace tenon::graph
