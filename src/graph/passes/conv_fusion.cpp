#include "graph/passes/conv_fusion.h"

#include <limits>
#include <string>

#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// As FusedConv's attributes say it.
struct Activation {
  std::string name;
  std::vector<double> parameters = {};
};

ValueId input_of(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

std::optional<Activation> clip(const Rewriter& r, const Node& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double bounds[2] = {-kInfinity, kInfinity};
  for (size_t i = 0; i < 2; ++i) {
    const ValueId given = input_of(node, i + 1);
    if (given == kNoValue) continue;
    const auto number = r.scalar(given);
    if (!number) return std::nullopt;
    bounds[i] = *number;
  }
  // Where they are NaN or the wrong way round, Clip has rules of its own.
  if (!(bounds[0] <= bounds[1])) return std::nullopt;
  return Activation{"Clip", {bounds[0], bounds[1]}};
}

std::optional<Activation> portable_activation(const Rewriter& r, const Node& node) {
  const Call call{*node.op, node.attrs};
  if (node.op == &op::Relu || node.op == &op::Sigmoid || node.op == &op::Tanh)
    return Activation{std::string(node.op->name)};
  if (node.op == &op::Clip) return clip(r, node);
  if (node.op == &op::LeakyRelu) return Activation{"LeakyRelu", {call.f("alpha")}};
  if (node.op == &op::HardSigmoid)
    return Activation{"HardSigmoid", {call.f("alpha"), call.f("beta")}};
  return std::nullopt;
}

std::optional<Activation> own_activation(const Node& node) {
  const Call call{*node.op, node.attrs};
  if (node.op == &op::HardSwish || node.op == &op::Mish)
    return Activation{std::string(node.op->name)};
  // QuickGelu is Swish with another default.
  if (node.op == &op::Swish || node.op == &op::QuickGelu)
    return Activation{"Swish", {call.f("alpha")}};
  if (node.op == &op::Gelu)
    return Activation{call.s("approximate") == "tanh" ? "GeluTanh" : "Gelu"};
  if (node.op == &op::MicrosoftGelu) return Activation{"Gelu"};
  if (node.op == &op::FastGelu && input_of(node, 1) == kNoValue) return Activation{"GeluTanh"};
  if (node.op == &op::Elu) return Activation{"Elu", {call.f("alpha")}};
  if (node.op == &op::Selu) return Activation{"Selu", {call.f("alpha"), call.f("gamma")}};
  return std::nullopt;
}

struct Fusion {
  Rewriter& r;
  Activations known;
  ValueId y;  // computed by what is fused so far
  ValueId residual = kNoValue;
  std::optional<Activation> activation = {};

  // Takes over the only reader of y; false where that cannot be.
  bool step() {
    if (activation || !r.used_once(y)) return false;
    const Node& reader = r.node(r.users(y)[0]);
    const ValueId next = reader.outputs[0];
    if (add(reader)) {
      y = next;
      return true;
    }
    if (reader.inputs[0] != y) return false;
    activation = portable_activation(r, reader);
    if (!activation && known == Activations::all) activation = own_activation(reader);
    if (activation) y = next;
    return activation.has_value();
  }

  // Nobody else reads y, so that the addend cannot be made from it.
  bool add(const Node& reader) {
    const bool sum = reader.op == &op::Add || reader.op == &op::Sum;
    if (!sum || reader.inputs.size() != 2 || residual != kNoValue) return false;
    const ValueId addend = reader.inputs[reader.inputs[0] == y ? 1 : 0];
    const TensorType &ours = r.type(y), &other = r.type(addend);
    if (!ours.ranked || !other.ranked || ours.dims != other.dims || ours.dtype != other.dtype)
      return false;
    residual = addend;
    return true;
  }
};

void fuse(Rewriter& r, NodeId n, Activations known) {
  const Node node = r.node(n);
  Fusion fusion{r, known, node.outputs[0]};
  if (node.op == &op::FusedConv) {
    if (!Call{*node.op, node.attrs}.s("activation").empty()) return;
    fusion.residual = input_of(node, 3);
  }
  while (fusion.step()) {
  }
  if (fusion.y == node.outputs[0]) return;
  std::vector<ValueId> inputs{node.inputs[0], node.inputs[1]};
  const ValueId bias = input_of(node, 2);
  if (bias != kNoValue || fusion.residual != kNoValue) inputs.push_back(bias);
  if (fusion.residual != kNoValue) inputs.push_back(fusion.residual);
  Attrs attrs = node.attrs;
  if (fusion.activation) {
    attrs = attrs.with({"activation", fusion.activation->name.c_str()});
    if (!fusion.activation->parameters.empty())
      attrs = attrs.with({"activation_params", AttrValue(fusion.activation->parameters)});
  }
  r.at(n);
  r.replace(fusion.y, r.add(op::FusedConv, std::move(inputs), attrs));
}

}  // namespace

void fuse_convolutions(Rewriter& r, TypeSet types, Activations known) {
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const Node& node = r.node(n);
    const bool conv = node.op == &op::Conv || node.op == &op::FusedConv;
    if (conv && types.has(r.type(node.outputs[0]).dtype)) fuse(r, n, known);
  }
}

}  // namespace tenon::passes
