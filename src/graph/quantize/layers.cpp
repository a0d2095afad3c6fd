#include "graph/quantize/layers.h"

#include <algorithm>

#include "graph/quantization.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::graph {

namespace {

bool is_real_constant(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).is_constant() &&
         graph.value(id).type.dtype == DType::f32;
}

bool is_activation(const Graph& graph, ValueId id) {
  return id != kNoValue && !graph.value(id).is_constant() &&
         graph.value(id).type.dtype == DType::f32;
}

class Planner {
 public:
  Planner(const Graph& graph, const std::function<bool(const Node&)>& wanted)
      : graph_(graph), wanted_(wanted) {
    const size_t values = graph.values().size();
    plan_.parts.assign(graph.nodes().size(), LayerPart::none);
    plan_.quantized.assign(values, false);
    plan_.for_all.assign(values, false);
    users_.resize(values);
    integer_.assign(values, false);
    plain_.assign(values, false);
    for (size_t v = 0; v < values; ++v) plan_.range_of.push_back(static_cast<ValueId>(v));
    for (size_t n = 0; n < graph.nodes().size(); ++n)
      for (ValueId input : graph.nodes()[n].inputs)
        if (input != kNoValue) users_[at(input)].push_back(static_cast<NodeId>(n));
  }

  LayerPlan run() {
    for (size_t n = 0; n < graph_.nodes().size(); ++n) choose(static_cast<NodeId>(n));
    for (size_t n = 0; n < graph_.nodes().size(); ++n) mark(static_cast<NodeId>(n));
    for (size_t n = graph_.nodes().size(); n-- > 0;) hand_back(static_cast<NodeId>(n));
    for (size_t n = 0; n < graph_.nodes().size(); ++n) hand_on(static_cast<NodeId>(n));
    return std::move(plan_);
  }

 private:
  static size_t at(ValueId id) { return static_cast<size_t>(id); }
  bool used_once(ValueId id) const {
    return users_[at(id)].size() == 1 &&
           std::ranges::find(graph_.outputs, id) == graph_.outputs.end();
  }
  LayerPart& part(NodeId id) { return plan_.parts[static_cast<size_t>(id)]; }

  // In the order in which nodes run.
  void choose(NodeId id) {
    const Node& node = graph_.node(id);
    const ValueId y = node.outputs[0];
    if (y == kNoValue || graph_.value(y).type.dtype != DType::f32) return;
    if (is_weighted(graph_, node)) {
      if (!wanted_(node)) return;
      part(id) = LayerPart::weighted;
      // A MatMul's result stays one of floats, to which a bias is added, unless what follows asks.
      integer_[at(y)] = node.op != &op::MatMul;
    } else if (is_bound(node)) {
      part(id) = LayerPart::bound;
      integer_[at(y)] = true;
    } else if (moves_elements(graph_, node)) {
      if (!is_activation(graph_, node.inputs[0]) || !integer_[at(node.inputs[0])]) return;
      part(id) = LayerPart::moves;
      for (ValueId output : node.outputs)
        if (output != kNoValue) integer_[at(output)] = true;
    } else if (computes(node) && wanted_(node)) {
      part(id) = LayerPart::compute;
      integer_[at(y)] = true;
    }
  }

  // A Relu, or a Clip by constants, that alone reads an operator with an integer form.
  bool is_bound(const Node& node) {
    if (node.op != &op::Relu && node.op != &op::Clip) return false;
    for (size_t i = 1; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNoValue && !is_real_constant(graph_, node.inputs[i])) return false;
    const ValueId x = node.inputs[0];
    if (!is_activation(graph_, x) || !used_once(x)) return false;
    const NodeId maker = graph_.value(x).producer;
    if (maker < 0) return false;
    const LayerPart before = part(maker);
    return before == LayerPart::weighted || before == LayerPart::compute;
  }

  // Whether the operator has an integer form, or is a function of one number, and reads nothing but
  // values that are quantised anyway.
  bool computes(const Node& node) {
    const OpDef* const forms[] = {&op::Add,         &op::Mul,       &op::AveragePool,
                                  &op::Concat,      &op::LeakyRelu, &op::GlobalAveragePool,
                                  &op::Sigmoid,     &op::Relu,      &op::Clip,
                                  &op::HardSigmoid, &op::HardSwish, &op::Swish,
                                  &op::Tanh};
    if (std::ranges::find(forms, node.op) == std::end(forms)) return false;
    bool any = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue) continue;
      const bool bound = node.op == &op::Clip && i > 0;
      if (is_activation(graph_, input) && integer_[at(input)] && !bound)
        any = true;
      else if (!is_real_constant(graph_, input))
        return false;
    }
    // x * Sigmoid(x) is one function of x.
    if (node.op == &op::Mul)
      for (size_t i = 0; i < 2; ++i) {
        const NodeId maker = graph_.value(node.inputs[i]).producer;
        if (maker >= 0 && graph_.node(maker).op == &op::Sigmoid && used_once(node.inputs[i]) &&
            graph_.node(maker).inputs[0] == node.inputs[1 - i])
          plain_[at(node.inputs[i])] = true;
      }
    return any;
  }

  // Values that weighted and compute nodes read, and what convolutions make.
  void mark(NodeId id) {
    const Node& node = graph_.node(id);
    if (part(id) == LayerPart::bound) {
      const ValueId x = node.inputs[0];
      if (made_by_conv(x)) quantize(node.outputs[0], true);
      return;
    }
    if (part(id) != LayerPart::weighted && part(id) != LayerPart::compute) return;
    const size_t data =
        part(id) == LayerPart::weighted || node.op == &op::Clip ? 1 : node.inputs.size();
    for (size_t i = 0; i < data; ++i)
      if (is_activation(graph_, node.inputs[i]) && !plain_[at(node.inputs[i])])
        quantize(node.inputs[i], is_integer_made(node.inputs[i]));
    const ValueId y = node.outputs[0];
    if (node.op == &op::Conv && !followed_by_bound(y)) quantize(y, true);
  }
  bool made_by_conv(ValueId id) const {
    const NodeId maker = graph_.value(id).producer;
    return maker >= 0 && graph_.node(maker).op == &op::Conv;
  }
  bool followed_by_bound(ValueId id) {
    return used_once(id) && part(users_[at(id)][0]) == LayerPart::bound;
  }
  // Whether all readers may have it dequantised: else its maker would have to compute in floats.
  bool is_integer_made(ValueId id) const {
    const NodeId maker = graph_.value(id).producer;
    return maker >= 0 && plan_.part(maker) != LayerPart::none;
  }
  void quantize(ValueId id, bool for_all) {
    plan_.quantized[at(id)] = true;
    plan_.for_all[at(id)] = plan_.for_all[at(id)] || for_all;
  }

  // What is quantised behind a node that hands elements on is so before it.
  void hand_back(NodeId id) {
    if (part(id) != LayerPart::moves) return;
    const Node& node = graph_.node(id);
    for (ValueId output : node.outputs)
      if (output != kNoValue && plan_.is_quantized(output)) quantize(node.inputs[0], true);
  }
  // And has the same range.
  void hand_on(NodeId id) {
    if (part(id) != LayerPart::moves) return;
    const Node& node = graph_.node(id);
    if (!plan_.is_quantized(node.inputs[0])) return;
    for (ValueId output : node.outputs)
      if (output != kNoValue) plan_.range_of[at(output)] = plan_.range_of[at(node.inputs[0])];
  }

  const Graph& graph_;
  const std::function<bool(const Node&)>& wanted_;
  LayerPlan plan_;
  std::vector<std::vector<NodeId>> users_;
  std::vector<bool> integer_;  // by value: made by what has an integer form
  std::vector<bool> plain_;    // read by a compute node as floats
};

}  // namespace

LayerPlan plan_layers(const Graph& graph, const std::function<bool(const Node&)>& wanted) {
  return Planner(graph, wanted).run();
}

std::string layer_name(const Graph& graph, const Node& node) {
  if (!node.name.empty()) return node.name;
  return node.outputs.empty() || node.outputs[0] == kNoValue ? std::string(node.op->name)
                                                             : graph.value(node.outputs[0]).name;
}

int64_t weight_axis(const Node& node) {
  if (node.op == &op::Conv) return 0;
  return node.op == &op::Gemm && Call{*node.op, node.attrs}.i("transB") != 0 ? 0 : 1;
}

bool is_weighted(const Graph& graph, const Node& node) {
  const bool conv = node.op == &op::Conv, gemm = node.op == &op::Gemm;
  if (!conv && !gemm && node.op != &op::MatMul) return false;
  if (!is_activation(graph, node.inputs[0]) || !is_real_constant(graph, node.inputs[1]))
    return false;
  const Shape& weights = graph.value(node.inputs[1]).type.constant.shape();
  if (weights.numel() == 0 || (!conv && weights.rank() != 2)) return false;
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  if (has_bias && !is_real_constant(graph, node.inputs[2])) return false;
  if (!gemm) return true;
  const Call call{*node.op, node.attrs};
  if (call.i("transA") != 0 || call.f("alpha") != 1) return false;
  if (!has_bias) return true;
  const Shape& bias = graph.value(node.inputs[2]).type.constant.shape();
  return call.f("beta") == 1 && bias.rank() > 0 &&
         bias.numel() == weights[static_cast<size_t>(weight_axis(node))] &&
         bias.back() == bias.numel();
}

}  // namespace tenon::graph
