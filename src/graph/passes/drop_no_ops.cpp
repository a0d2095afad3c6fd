// Nodes that give back what they are given: by their attributes, or because the shapes say so.
#include <algorithm>
#include <span>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "ops/image/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::call_of;
using graph::input_of;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::uniform;
using graph::ValueId;

template <size_t N>
bool is_one_of(const OpDef* op, const OpDef* const (&list)[N]) {
  return std::ranges::find(list, op) != std::end(list);
}

// Row-major elements stay where they are, whatever the shapes.
constexpr const OpDef* kReshapes[] = {&op::Reshape,   &op::Flatten, &op::Squeeze,
                                      &op::Unsqueeze, &op::Expand,  &op::Tile};
// One input is the result.
constexpr const OpDef* kFolds[] = {&op::Sum, &op::Max, &op::Min, &op::Mean, &op::Concat};
// One element is its own reduction.
constexpr const OpDef* kReductions[] = {&op::ReduceSum, &op::ReduceMean, &op::ReduceMax,
                                        &op::ReduceMin, &op::ReduceProd};
constexpr const OpDef* kGlobalPools[] = {&op::GlobalAveragePool, &op::GlobalMaxPool};

bool all_are(std::span<const int64_t> list, int64_t value) {
  return std::ranges::all_of(list, [&](int64_t item) { return item == value; });
}

// Absent, or constant and `value` throughout.
bool is_uniform(const Rewriter& r, ValueId id, double value) {
  if (id == kNoValue) return true;
  if (r.constant(id) && r.constant(id)->numel() == 0) return true;
  return uniform(r, id) == value;
}

bool trains(const Rewriter& r, const Node& dropout) {
  const ValueId mode = input_of(dropout, 2), ratio = input_of(dropout, 1);
  if (is_uniform(r, mode, 0)) return false;
  return ratio == kNoValue || uniform(r, ratio) != 0;
}

bool mask_is_read(const Rewriter& r, const Node& node) {
  if (node.outputs.size() < 2 || node.outputs[1] == kNoValue) return false;
  return r.is_output(node.outputs[1]) || !r.users(node.outputs[1]).empty();
}

// With equal sizes every lattice point is one of the input's, in the modes where a scale of 1 does
// not shift them.
bool keeps_lattice(const Rewriter& r, const Node& resize) {
  const Call call = call_of(resize);
  const std::string_view mode = call.s("coordinate_transformation_mode");
  if (mode == "tf_crop_and_resize" || mode == "tf_half_pixel_for_nn") return false;
  if (call.s("keep_aspect_ratio_policy") != "stretch") return false;
  return is_uniform(r, input_of(resize, 2), 1);
}

bool is_plain_pool(const Node& pool) {
  const Call call = call_of(pool);
  return pool.outputs.size() == 1 && all_are(call.ints("kernel_shape"), 1) &&
         all_are(call.ints("pads"), 0);
}

// Whether the node's first output, of the shape of its first input, also has its contents.
bool gives_back(const Rewriter& r, const Node& node) {
  const OpDef* op = node.op;
  if (is_one_of(op, kReshapes)) return true;
  if (op == &op::Slice) return is_uniform(r, input_of(node, 4), 1);
  if (op == &op::Pad) return is_uniform(r, input_of(node, 1), 0);
  if (op == &op::Transpose)
    return graph::is_identity(graph::order_of(node, r.type(node.inputs[0]).dims.size()));
  if (op == &op::Split) return node.outputs.size() == 1;
  if (is_one_of(op, kFolds)) return node.inputs.size() == 1;
  if (op == &op::Dropout) return !trains(r, node) && !mask_is_read(r, node);
  if (op == &op::Resize) return keeps_lattice(r, node);
  if (op == &op::MaxPool || op == &op::AveragePool) return is_plain_pool(node);
  if (op == &op::DepthToSpace || op == &op::SpaceToDepth) return call_of(node).i("blocksize") == 1;
  if (is_one_of(op, kGlobalPools)) {
    const Dims& dims = r.type(node.inputs[0]).dims;
    return std::all_of(dims.begin() + 2, dims.end(), [](const Dim& d) { return d == Dim(1); });
  }
  return false;
}

// The axes that a reduction removes or makes 1, when they are known.
std::optional<std::vector<int64_t>> reduced_axes(const Rewriter& r, const Node& node) {
  const Call call = call_of(node);
  const auto rank = static_cast<int64_t>(r.type(node.inputs[0]).dims.size());
  std::vector<int64_t> axes;
  if (const ValueId given = input_of(node, 1); given != kNoValue) {
    const auto list = r.ints(given);
    if (!list) return std::nullopt;
    for (const int64_t axis : *list) axes.push_back(axis < 0 ? axis + rank : axis);
  }
  if (axes.empty() && call.i("noop_with_empty_axes") == 0)
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

// A reduction over axes of size 1 only drops them.
void drop_reduction(Rewriter& r, NodeId n) {
  const Node node = r.node(n);
  const TensorType& type = r.type(node.inputs[0]);
  if (!type.ranked) return;
  const auto axes = reduced_axes(r, node);
  if (!axes) return;
  for (const int64_t axis : *axes)
    if (!(type.dims[static_cast<size_t>(axis)] == Dim(1))) return;
  if (axes->empty() || call_of(node).i("keepdims") != 0)
    return r.replace(node.outputs[0], node.inputs[0]);
  r.at(n);
  const ValueId list = r.constant(Tensor::ints(*axes));
  r.replace(node.outputs[0], r.add(op::Squeeze, {node.inputs[0], list}));
}

// Concat without the inputs that have no elements on its axis.
void drop_empty_parts(Rewriter& r, NodeId n) {
  const Node node = r.node(n);
  std::vector<ValueId> parts;
  for (const ValueId id : node.inputs) {
    if (!r.type(id).ranked) return;
    const Dims& dims = r.type(id).dims;
    const auto axis =
        static_cast<size_t>(normalize_axis(call_of(node).i("axis"), dims.size(), "Concat"));
    if (!(dims[axis] == Dim(0))) parts.push_back(id);
  }
  if (parts.empty() || parts.size() == node.inputs.size()) return;
  r.at(n);
  r.replace(node.outputs[0], parts.size() == 1 ? parts[0] : r.add(op::Concat, parts, node.attrs));
}

// Where of a constant condition, or between a value and itself.
void drop_where(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const ValueId out = node.outputs[0];
  const std::optional<double> condition = uniform(r, node.inputs[0]);
  if (!condition && node.inputs[1] != node.inputs[2]) return;
  const ValueId chosen = node.inputs[condition == 0.0 ? 2 : 1];
  if (graph::same_shape(r, chosen, out)) r.replace(out, chosen);
}

// Operators that broadcast their inputs themselves.
constexpr const OpDef* kBroadcasting[] = {
    &op::Add,   &op::Sub,  &op::Mul,     &op::Div,         &op::Pow,           &op::Max,
    &op::Min,   &op::Sum,  &op::And,     &op::Or,          &op::Xor,           &op::Where,
    &op::Equal, &op::Less, &op::Greater, &op::LessOrEqual, &op::GreaterOrEqual};

// Expand before an operator that would broadcast as far without it.
void skip_expand(Rewriter& r, NodeId n) {
  Node node = r.node(n);
  bool skipped = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node* expand = r.made_by(node.inputs[i], op::Expand);
    if (!expand || !r.type(expand->inputs[0]).ranked || !r.type(node.outputs[0]).ranked) continue;
    Dims dims = r.type(expand->inputs[0]).dims;
    bool fits = true;
    for (size_t k = 0; fits && k < node.inputs.size(); ++k) {
      if (k == i) continue;
      fits = r.type(node.inputs[k]).ranked;
      if (fits) dims = broadcast(dims, r.type(node.inputs[k]).dims);
    }
    if (!fits || dims != r.type(node.outputs[0]).dims) continue;
    node.inputs[i] = expand->inputs[0];
    skipped = true;
  }
  if (!skipped) return;
  r.at(n);
  r.replace(node.outputs[0], r.add(*node.op, node.inputs, node.attrs));
}

void run(Rewriter& r) {
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const Node& node = r.node(n);
    if (node.inputs.empty() || node.inputs[0] == kNoValue || node.outputs[0] == kNoValue) continue;
    const ValueId x = node.inputs[0], y = node.outputs[0];
    const OpDef* op = node.op;
    const bool same_type = r.type(x).dtype == r.type(y).dtype;
    if ((op == &op::Cast || op == &op::CastLike) && same_type) {
      r.replace(y, x);
    } else if (same_type && graph::same_shape(r, x, y) && gives_back(r, node)) {
      r.replace(y, x);
    } else if (is_one_of(op, kReductions)) {
      drop_reduction(r, n);
    } else if (op == &op::Concat) {
      drop_empty_parts(r, n);
    } else if (op == &op::Where) {
      drop_where(r, n);
    }
    if (r.alive(n) && is_one_of(op, kBroadcasting)) skip_expand(r, n);
  }
}

}  // namespace

constinit const Pass drop_no_ops{"drop_no_ops",
                                 "Nodes that change nothing give way to what they are given.", run};

}  // namespace tenon::passes
