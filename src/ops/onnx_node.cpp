// Rewrites that many operators share between their ONNX versions.
#include "ops/onnx_node.h"

#include "ops/shape/catalog.h"

namespace tenon {

namespace {

const OpDef& canonical(const OnnxNode& node) {
  const OpDef* def = op::find(node.op_type, node.domain);
  TENON_BUG_IF(!def, "no operator {} in domain '{}'", node.op_type, node.domain);
  return *def;
}

}  // namespace

std::vector<int64_t> OnnxNode::constant_ints(size_t i) const {
  TENON_CHECK(
      has_input(i) && !inputs[i].is_symbolic(), unsupported,
      "{} '{}': input {} is computed, but opset {} needs it to be a constant; fold constants or "
      "export at a newer opset",
      op_type, name, i, opset);
  return inputs[i].to_vector<int64_t>();
}

namespace upgrade {

TensorList as_is(const OnnxNode& node) {
  return canonical(node).all(node.inputs, node.attrs.without("consumed_inputs"), node.output_count);
}

TensorList legacy_broadcast(const OnnxNode& node) {
  OnnxNode now = node;
  const OpDef& def = canonical(node);
  const AttrValue* axis = node.attrs.find("axis");
  // Opsets 1 to 6 aligned B with A from `axis`; NumPy aligns trailing axes, so B gets 1s behind it.
  if (axis && now.inputs.size() == 2) {
    const auto rank = static_cast<int64_t>(now.inputs[0].rank());
    int64_t at = std::get<int64_t>(*axis);
    if (at < 0) at += rank;
    const int64_t behind = rank - at - static_cast<int64_t>(now.inputs[1].rank());
    TENON_CHECK(behind >= 0, data,
                "{} '{}': axis {} leaves no room for B of rank {} in A of rank {}", node.op_type,
                node.name, at, now.inputs[1].rank(), rank);
    std::vector<int64_t> axes;
    for (int64_t i = 0; i < behind; ++i)
      axes.push_back(static_cast<int64_t>(now.inputs[1].rank()) + i);
    if (!axes.empty()) now.inputs[1] = op::Unsqueeze(now.inputs[1], Tensor::ints(axes));
  }
  return def.all(now.inputs,
                 node.attrs.without("axis").without("broadcast").without("consumed_inputs"),
                 node.output_count);
}

TensorList attr_to_input(const OnnxNode& node, std::string_view attr, size_t at) {
  TensorList inputs = node.inputs;
  if (const AttrValue* value = node.attrs.find(attr)) {
    if (inputs.size() <= at) inputs.resize(at + 1);
    inputs[at] = std::holds_alternative<int64_t>(*value)
                     ? Tensor::ints({std::get<int64_t>(*value)})
                     : Tensor::ints(std::get<std::vector<int64_t>>(*value));
  }
  return canonical(node).all(inputs, node.attrs.without(attr), node.output_count);
}

}  // namespace upgrade

namespace lower {

void input_to_attr(OnnxNode& node, size_t at, std::string_view attr) {
  if (!node.has_input(at)) return;
  node.attrs = node.attrs.with({attr, AttrValue(node.constant_ints(at))});
  node.inputs[at] = Tensor();
  while (!node.inputs.empty() && !node.inputs.back().defined()) node.inputs.pop_back();
}

}  // namespace lower

}  // namespace tenon
