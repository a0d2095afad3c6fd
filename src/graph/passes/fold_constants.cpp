// What needs no input of the graph is computed now: nodes that read constants only, and integers
// that inference knows although they come from shapes.
#include <algorithm>
#include <vector>

#include "graph/passes/catalog.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// A result may be larger than this only when it has at most kMaxGrowth times the bytes it is made
// from: otherwise it is cheaper to make than to keep (Expand, Tile, ConstantOfShape).
constexpr size_t kSmallBytes = size_t{1} << 20;
constexpr size_t kMaxGrowth = 4;

bool worth_keeping(size_t bytes, size_t from) {
  return bytes <= kSmallBytes || bytes / kMaxGrowth <= from;
}

bool may_fold(const Rewriter& r, const Node& node) {
  // Identity is what a constant output is made by. A weight stays quantised beside its scale, so
  // that integer kernels find it.
  if (node.op == &op::Identity || node.op == &op::DequantizeLinear) return false;
  if (node.op->random || node.op->structural) return false;
  const auto fits = [](const TensorType& type) { return !is_container(type.dtype); };
  return std::ranges::all_of(
             node.inputs,
             [&](ValueId id) { return id == kNoValue || (r.constant(id) && fits(r.type(id))); }) &&
         std::ranges::all_of(node.outputs,
                             [&](ValueId id) { return id == kNoValue || fits(r.type(id)); });
}

size_t input_bytes(const Rewriter& r, const Node& node) {
  size_t bytes = 0;
  for (const ValueId id : node.inputs)
    if (id != kNoValue) bytes += r.constant(id)->bytes();
  return bytes;
}

// By the types alone, so that nothing large is computed in vain.
bool known_to_be_large(const Rewriter& r, const Node& node, size_t from) {
  return std::ranges::any_of(node.outputs, [&](ValueId id) {
    if (id == kNoValue) return false;
    const auto shape = r.shape(id);
    if (!shape) return false;
    const double bytes =
        static_cast<double>(size_of(r.type(id).dtype)) * static_cast<double>(shape->numel());
    return bytes > static_cast<double>(kSmallBytes) &&
           bytes > static_cast<double>(kMaxGrowth) * static_cast<double>(from);
  });
}

// The outputs of a node of constants; empty where it is not to be folded.
TensorList computed(const Rewriter& r, const Node& node) {
  if (!may_fold(r, node)) return {};
  const size_t from = input_bytes(r, node);
  const bool is_literal = node.op == &op::Constant;
  if (!is_literal && known_to_be_large(r, node, from)) return {};
  const Tensor absent;
  std::vector<const Tensor*> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? &absent : r.constant(id));
  TensorList results;
  try {
    const NoGrad no_grad;
    results = apply(*node.op, inputs, node.attrs, node.outputs.size());
  } catch (const Error&) {
    return {};  // running the graph will say what is wrong, if this node is ever run
  }
  for (Tensor& result : results) {
    if (!result.defined() || is_container(result.dtype())) return {};
    if (!is_literal && !worth_keeping(result.bytes(), from)) return {};
    result = result.contiguous();
  }
  return results;
}

// The contents of a value whose elements inference knows all of.
Tensor known_contents(const Rewriter& r, ValueId id) {
  const TensorType& type = r.type(id);
  if (!type.values || !type.ranked || !(kInts | kBool).has(type.dtype)) return {};
  const auto shape = r.shape(id);
  if (!shape || shape->numel() != static_cast<int64_t>(type.values->size())) return {};
  std::vector<int64_t> elements;
  for (const Dim& value : *type.values) {
    if (!value.is_const()) return {};
    elements.push_back(value.value());
  }
  const Tensor wide = Tensor::from<int64_t>(elements, *shape);
  if (type.dtype == DType::i64) return wide;
  Tensor contents = Tensor::empty(*shape, type.dtype);
  contents.copy_from(wide);
  return contents;
}

// Inference with what has become known of the inputs.
bool infer_again(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  std::vector<TensorType> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? TensorType() : r.type(id));
  std::vector<TensorType> results;
  try {
    results = infer(*node.op, node.attrs, inputs, node.outputs.size());
  } catch (const Error&) {
    return false;  // as above
  }
  bool news = false;
  for (size_t i = 0; i < results.size(); ++i)
    if (node.outputs[i] != kNoValue) news = r.refine(node.outputs[i], results[i]) || news;
  return news;
}

void run(Rewriter& r) {
  std::vector<bool> news(r.graph().values().size(), false);  // by value: more is known than before
  const auto is_news = [&](ValueId id) {
    return id != kNoValue &&
           (static_cast<size_t>(id) >= news.size() || news[static_cast<size_t>(id)]);
  };
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const std::vector<ValueId> outputs = r.node(n).outputs;
    if (std::ranges::any_of(r.node(n).inputs, is_news) && infer_again(r, n))
      for (const ValueId id : outputs)
        if (id != kNoValue) news[static_cast<size_t>(id)] = true;
    const TensorList results = computed(r, r.node(n));
    for (size_t i = 0; i < outputs.size() && r.alive(n); ++i) {
      if (outputs[i] == kNoValue || r.node(n).op == &op::Identity) continue;
      if (r.users(outputs[i]).empty() && !r.is_output(outputs[i])) continue;
      const Tensor contents = results.empty() ? known_contents(r, outputs[i]) : results[i];
      if (!contents.defined()) continue;
      r.at(n);
      r.replace(outputs[i], r.constant(contents, r.graph().value(outputs[i]).name));
    }
  }
}

}  // namespace

constinit const Pass fold_constants{
    "fold_constants", "What depends on constants and fixed sizes only is computed once.", run};

}  // namespace tenon::passes
