// Connected elementwise nodes become one, which reads and writes memory once: FusedElementwise.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "graph/passes/catalog.h"
#include "ops/fused/catalog.h"
#include "ops/fused/elementwise_program.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"

namespace tenon::passes {

namespace {

using fused::ElementwiseProgram;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;
using Operand = ElementwiseProgram::Operand;

constexpr size_t kMostInputs = 32;
constexpr size_t kMostSteps = 64;
constexpr size_t kMostOutputs = 4;

// What a node is in a program; operands are its inputs, or the results of its own steps.
struct Lowered {
  struct Step {
    const OpDef* op;
    Attrs attrs;
    std::vector<ValueId> inputs;  // of the node
    bool follows = false;         // the first operand is the step before it
  };
  std::vector<Step> steps;
  bool is_step = true;  // the operator itself, not others in its place
};

std::optional<Lowered> lower(const Node& node) {
  const auto gelu = [&](const Attrs& attrs) {
    Lowered sum{{}, false};
    if (node.inputs.size() > 1 && node.inputs[1] != kNoValue)
      sum.steps = {{&op::Add, {}, node.inputs}, {&op::Gelu, attrs, {}, true}};
    else
      sum.steps = {{&op::Gelu, attrs, {node.inputs[0]}}};
    return sum;
  };
  if (node.op == &op::FastGelu) return gelu({{"approximate", "tanh"}});
  if (node.op == &op::BiasGelu || node.op == &op::MicrosoftGelu) return gelu({});
  if (node.op == &op::QuickGelu)
    return Lowered{{{&op::Swish, {{"alpha", Call{*node.op, node.attrs}.f("alpha")}}, node.inputs}},
                   false};
  const auto rows = fused::step_operators();
  const bool known = std::ranges::any_of(rows, [&](const auto& row) { return row.op == node.op; });
  if (!known) return std::nullopt;
  return Lowered{{{node.op, node.attrs, node.inputs}}, true};
}

// -- Numbers ---------------------------------------------------------------------------------

bool is_exact(double value, DType type) {
  return type == DType::f32 ? static_cast<double>(static_cast<float>(value)) == value
                            : value == std::floor(value) && std::abs(value) <= 256;
}

// A constant of one element, as a number of the program; it must not give the result its rank.
std::optional<Tensor> number(const Rewriter& r, const Lowered::Step& step, size_t at) {
  const Tensor* tensor = r.constant(step.inputs[at]);
  if (!tensor || tensor->numel() != 1) return std::nullopt;
  size_t rank = 0;
  for (size_t i = 0; i < step.inputs.size(); ++i)
    if (i != at && step.inputs[i] != kNoValue && !r.constant(step.inputs[i]))
      rank = std::max(rank, r.type(step.inputs[i]).dims.size());
  if (tensor->rank() > rank) return std::nullopt;
  DType type = tensor->dtype();
  if (step.op == &op::Pow && at == 1) {
    // Kernels take an exponent of the base's type.
    const DType base = r.type(step.inputs[0]).dtype;
    if (base != type && !is_exact(tensor->item<double>(), base)) return std::nullopt;
    type = base;
  }
  Tensor scalar = Tensor::empty({}, type);
  scalar.copy_from(tensor->reshape({}));
  return scalar;
}

bool can_be_step(const Rewriter& r, const Lowered::Step& step, DType before) {
  std::vector<DType> types;
  if (step.follows) types.push_back(before);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const ValueId input = step.inputs[i];
    if (input == kNoValue) {
      types.push_back(DType::undefined);
      continue;
    }
    if (!r.type(input).ranked) return false;
    const auto scalar = number(r, step, i);
    types.push_back(scalar ? scalar->dtype() : r.type(input).dtype);
  }
  return fused::can_be_step(*step.op, step.attrs, types);
}

// -- Groups ----------------------------------------------------------------------------------

struct Group {
  std::vector<NodeId> nodes;  // in order
  size_t steps = 0;
};

class Groups {
 public:
  explicit Groups(const Rewriter& r) : r_(r), order_(r.nodes()) {
    group_of_.assign(r.graph().nodes().size(), kNone);
    place_.assign(group_of_.size(), 0);
    for (size_t i = 0; i < order_.size(); ++i) place_[at(order_[i])] = i;
    for (const NodeId node : order_) add(node);
  }

  const std::vector<Group>& list() const { return groups_; }
  // Of a group: what it reads from outside, numbers left out; and what others read of it, the last
  // made first, which is the one that may be written over an input.
  std::vector<ValueId> inputs(const Group& group) const;
  std::vector<ValueId> outputs(const Group& group) const;

 private:
  static constexpr size_t kNone = SIZE_MAX;
  static size_t at(NodeId id) { return static_cast<size_t>(id); }

  void add(NodeId node);
  bool try_merge(size_t first, size_t second);
  bool depends_on_itself(const Group& group);
  bool contains(const Group& group, NodeId node) const {
    return std::ranges::find(group.nodes, node) != group.nodes.end();
  }
  // The place behind which nothing leads back to places up to `place`: groups count as one node.
  size_t horizon(size_t place) const;

  const Rewriter& r_;
  std::vector<NodeId> order_;
  std::vector<size_t> group_of_;  // by node
  std::vector<size_t> place_;     // by node: in order_
  std::vector<Group> groups_;     // merged ones are empty
  std::vector<size_t> visited_;   // by node: in which search
  size_t searches_ = 0;
};

// Whether the node can be part of a group, and of how many steps.
size_t step_count(const Rewriter& r, const Node& node) {
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue || node.inputs.empty()) return 0;
  const TensorType& out = r.type(node.outputs[0]);
  // Sizes that are computed stay visible as such.
  if (!out.ranked || out.values) return 0;
  const std::optional<Lowered> lowered = lower(node);
  if (!lowered) return 0;
  for (const Lowered::Step& step : lowered->steps)
    if (!can_be_step(r, step, out.dtype)) return 0;
  return lowered->steps.size();
}

void Groups::add(NodeId node) {
  const size_t steps = step_count(r_, r_.node(node));
  if (steps == 0) return;
  group_of_[at(node)] = groups_.size();
  groups_.push_back({{node}, steps});
  const Dims& dims = r_.type(r_.node(node).outputs[0]).dims;
  for (const ValueId input : r_.node(node).inputs) {
    const NodeId maker = r_.producer(input);
    if (maker < 0 || !r_.alive(maker) || group_of_[at(maker)] == kNone) continue;
    if (group_of_[at(maker)] == group_of_[at(node)] || r_.type(input).dims != dims) continue;
    try_merge(group_of_[at(maker)], group_of_[at(node)]);
  }
}

std::vector<ValueId> Groups::inputs(const Group& group) const {
  std::vector<ValueId> read;
  for (const NodeId node : group.nodes) {
    const Lowered lowered = *lower(r_.node(node));
    for (const Lowered::Step& step : lowered.steps) {
      for (size_t i = 0; i < step.inputs.size(); ++i) {
        const ValueId input = step.inputs[i];
        if (input == kNoValue || std::ranges::find(read, input) != read.end()) continue;
        const NodeId maker = r_.producer(input);
        if (maker >= 0 && contains(group, maker)) continue;
        if (!number(r_, step, i)) read.push_back(input);
      }
    }
  }
  return read;
}

std::vector<ValueId> Groups::outputs(const Group& group) const {
  std::vector<ValueId> given;
  for (auto node = group.nodes.rbegin(); node != group.nodes.rend(); ++node) {
    const ValueId output = r_.node(*node).outputs[0];
    const auto outside = [&](NodeId user) { return !contains(group, user); };
    if (r_.is_output(output) || std::ranges::any_of(r_.users(output), outside))
      given.push_back(output);
  }
  return given;
}

bool Groups::try_merge(size_t first, size_t second) {
  Group both = groups_[first];
  both.steps += groups_[second].steps;
  both.nodes.insert(both.nodes.end(), groups_[second].nodes.begin(), groups_[second].nodes.end());
  std::ranges::sort(both.nodes, {}, [&](NodeId node) { return place_[at(node)]; });
  if (both.steps > kMostSteps || inputs(both).size() > kMostInputs ||
      outputs(both).size() > kMostOutputs || depends_on_itself(both))
    return false;
  for (const NodeId node : both.nodes) group_of_[at(node)] = second;
  groups_[first] = {};
  groups_[second] = std::move(both);
  return true;
}

size_t Groups::horizon(size_t place) const {
  for (bool moved = true; moved;) {
    moved = false;
    for (const Group& group : groups_) {
      if (group.nodes.empty() || place_[at(group.nodes.front())] > place) continue;
      const size_t end = place_[at(group.nodes.back())];
      if (end <= place) continue;
      place = end;
      moved = true;
    }
  }
  return place;
}

// Whether something outside reads from the group and leads back to it.
bool Groups::depends_on_itself(const Group& group) {
  visited_.resize(group_of_.size(), 0);
  ++searches_;
  const size_t end = horizon(place_[at(group.nodes.back())]);
  std::vector<NodeId> open;
  const auto visit_users = [&](NodeId node) {
    for (const ValueId output : r_.node(node).outputs) {
      if (output == kNoValue) continue;
      for (const NodeId user : r_.users(output))
        if (place_[at(user)] <= end) open.push_back(user);
    }
  };
  for (const NodeId node : group.nodes) visited_[at(node)] = searches_;
  for (const NodeId node : group.nodes) visit_users(node);
  std::erase_if(open, [&](NodeId user) { return contains(group, user); });
  while (!open.empty()) {
    const NodeId node = open.back();
    open.pop_back();
    if (contains(group, node)) return true;
    if (visited_[at(node)] == searches_) continue;
    visited_[at(node)] = searches_;
    visit_users(node);
    const size_t own = group_of_[at(node)];
    if (own == kNone) continue;
    for (const NodeId other : groups_[own].nodes)
      if (visited_[at(other)] != searches_) open.push_back(other);
  }
  return false;
}

// -- Rewriting -------------------------------------------------------------------------------

ElementwiseProgram program_of(const Rewriter& r, const Group& group,
                              std::span<const ValueId> inputs, std::span<const ValueId> outputs) {
  ElementwiseProgram program;
  std::map<ValueId, size_t> made;  // by which step
  for (const NodeId id : group.nodes) {
    const Node& node = r.node(id);
    const Lowered lowered = *lower(node);
    for (const Lowered::Step& step : lowered.steps) {
      ElementwiseProgram::Step written{step.op, step.attrs, {}};
      if (step.follows)
        written.operands.push_back({Operand::Kind::step, program.steps.size() - 1, {}});
      for (size_t i = 0; i < step.inputs.size(); ++i) {
        const ValueId input = step.inputs[i];
        const auto place = std::ranges::find(inputs, input);
        if (input == kNoValue)
          written.operands.emplace_back();
        else if (const auto found = made.find(input); found != made.end())
          written.operands.push_back({Operand::Kind::step, found->second, {}});
        else if (auto scalar = number(r, step, i))
          written.operands.push_back({Operand::Kind::number, 0, std::move(*scalar)});
        else
          written.operands.push_back(
              {Operand::Kind::input, static_cast<size_t>(place - inputs.begin()), {}});
      }
      program.steps.push_back(std::move(written));
    }
    made[node.outputs[0]] = program.steps.size() - 1;
  }
  for (const ValueId output : outputs) program.results.push_back(made.at(output));
  return program;
}

// Alone, an operator is as well off with its own kernel.
bool pays(const Rewriter& r, const Group& group) {
  if (group.nodes.empty()) return false;
  return group.steps > 1 || !lower(r.node(group.nodes[0]))->is_step;
}

void fuse(Rewriter& r, const Group& group, const std::vector<ValueId>& inputs,
          const std::vector<ValueId>& outputs) {
  const ElementwiseProgram program = program_of(r, group, inputs, outputs);
  r.at(group.nodes.back());
  const std::vector<ValueId> made =
      r.add_all(op::FusedElementwise, inputs, program.attrs(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) r.replace(outputs[i], made[i]);
}

void run(Rewriter& r) {
  const Groups groups(r);
  for (const Group& group : groups.list()) {
    if (!pays(r, group)) continue;
    const std::vector<ValueId> inputs = groups.inputs(group), outputs = groups.outputs(group);
    if (!inputs.empty() && !outputs.empty()) fuse(r, group, inputs, outputs);
  }
}

}  // namespace

constinit const Pass fuse_elementwise{
    "fuse_elementwise",
    "Chains of elementwise operators become one pass over memory (FusedElementwise).", run, false};

}  // namespace tenon::passes
