// Operators that only move values do so with the 8-bit elements: DequantizeLinear sinks below them,
// QuantizeLinear rises above them, and where the two meet with one scale both go.
#include <algorithm>

#include "graph/passes/catalog.h"
#include "graph/quantization.h"
#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using namespace graph;  // NOLINT(google-build-using-namespace)

// Whether the result may be smaller than what it is made from.
bool selects(const OpDef* op) {
  const OpDef* const list[] = {&op::Slice,          &op::Split,    &op::Gather,
                               &op::GatherElements, &op::GatherND, &op::MaxPool};
  return std::ranges::find(list, op) != std::end(list);
}

// The node again, its data replaced.
std::vector<ValueId> again(Rewriter& r, NodeId id, std::vector<ValueId> data,
                           const Quantization& how) {
  const Node node = r.node(id);
  std::vector<ValueId> inputs = node.inputs;
  std::ranges::copy(data, inputs.begin());
  if (node.op == &op::Pad) {
    // A scalar of the elements' type.
    if (inputs.size() < 3) inputs.resize(3, kNoValue);
    inputs[2] = r.constant(Tensor::scalar(static_cast<double>(how.one_zero), how.type));
  }
  r.at(id);
  return r.add_all(*node.op, std::move(inputs), node.attrs, node.outputs.size());
}

bool only_quantized(const Rewriter& r, ValueId id) {
  return !r.is_output(id) && !r.users(id).empty() &&
         std::ranges::all_of(r.users(id),
                             [&](NodeId user) { return r.node(user).op == &op::QuantizeLinear; });
}

void dequantize_after(Rewriter& r, const std::vector<ValueId>& old, const std::vector<ValueId>& by,
                      const Quantization& how, const Attrs& attrs) {
  for (size_t i = 0; i < old.size(); ++i) {
    if (old[i] == kNoValue) continue;
    std::vector<ValueId> inputs{by[i], how.scale};
    if (how.zero != kNoValue) inputs.push_back(how.zero);
    r.replace(old[i], r.add(op::DequantizeLinear, std::move(inputs), attrs));
  }
}

// Weights that are transposed or reshaped before use: computed here, so that the pattern around
// them shows. Scales of an axis follow a Transpose.
bool move_constant(Rewriter& r, NodeId id, const Dequantized& x) {
  const Node node = r.node(id);
  if (node.outputs.size() != 1 || !r.constant(x.x)) return false;
  Attrs attrs = r.made_by(node.inputs[0], op::DequantizeLinear)->attrs;
  if (!x.how.per_tensor()) {
    if (node.op != &op::Transpose) return false;
    const auto rank = static_cast<int64_t>(r.type(node.inputs[0]).dims.size());
    const auto perm = Call{*node.op, node.attrs}.ints("perm");
    int64_t place = rank - 1 - *x.how.axis;
    for (size_t i = 0; i < perm.size(); ++i)
      if ((perm[i] + rank) % rank == *x.how.axis) place = static_cast<int64_t>(i);
    attrs = attrs.with({"axis", place});
  }
  TensorList inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor* constant = r.constant(i == 0 ? x.x : node.inputs[i]);
    if (!constant && node.inputs[i] != kNoValue) return false;
    inputs.push_back(constant ? *constant : Tensor());
  }
  if (node.op == &op::Pad) {
    inputs.resize(std::max<size_t>(inputs.size(), 3));
    inputs[2] = Tensor::scalar(static_cast<double>(x.how.one_zero), x.how.type);
  }
  const NoGrad no_grad;
  const Tensor moved = node.op->all(inputs, node.attrs)[0].contiguous();
  r.at(id);
  dequantize_after(r, node.outputs, {r.constant(moved)}, x.how, attrs);
  return true;
}

bool is_bytes(const Quantization& how) { return how.type == DType::i8 || how.type == DType::u8; }

void sink(Rewriter& r, NodeId id) {
  const Node node = r.node(id);
  if (node.op == &op::Concat) {
    std::vector<ValueId> parts;
    std::optional<Quantization> how;
    for (ValueId input : node.inputs) {
      const auto part = dequantized(r, input);
      if (!part || !is_bytes(part->how) || (how && !how->same_as(part->how))) return;
      if (!part->how.per_tensor()) return;
      how = part->how;
      parts.push_back(part->x);
    }
    if (!how) return;
    // Where the result gets another scale, QLinearConcat does both at once.
    for (NodeId user : r.users(node.outputs[0])) {
      const auto wanted = quantization_of(r, r.node(user));
      if (r.node(user).op == &op::QuantizeLinear && wanted && !wanted->same_as(*how)) return;
    }
    const Attrs attrs = r.made_by(node.inputs[0], op::DequantizeLinear)->attrs;
    dequantize_after(r, node.outputs, again(r, id, parts, *how), *how, attrs);
    return;
  }
  if (!moves_elements(r.graph(), node)) return;
  const auto x = dequantized(r, node.inputs[0]);
  if (!x || !is_bytes(x->how)) return;
  if (move_constant(r, id, *x) || !x->how.per_tensor() || r.constant(x->x)) return;
  // A second reader would have everything dequantised twice.
  const bool alone = r.users(node.inputs[0]).size() == 1;
  const bool wanted = std::ranges::all_of(node.outputs, [&](ValueId output) {
    return output == kNoValue || only_quantized(r, output);
  });
  if (!alone && !wanted) return;
  const Attrs attrs = r.made_by(node.inputs[0], op::DequantizeLinear)->attrs;
  dequantize_after(r, node.outputs, again(r, id, {x->x}, x->how), x->how, attrs);
}

// The number that a QuantizeLinear makes from values that were 8 bits before, on the way there only
// moved: the same elements.
void meet(Rewriter& r, NodeId id) {
  const Node node = r.node(id);
  const auto how = quantization_of(r, node);
  const auto x = dequantized(r, node.inputs[0]);
  if (how && x && how->same_as(x->how)) r.replace(node.outputs[0], x->x);
}

// Moves a QuantizeLinear above what only moves its input, as far as that goes.
void rise(Rewriter& r, NodeId id) {
  ValueId quantized = r.node(id).outputs[0];
  for (;;) {
    const NodeId at = r.producer(quantized);
    const Node node = r.node(at);
    const auto how = quantization_of(r, node);
    const NodeId above = r.producer(node.inputs[0]);
    if (!how || !how->per_tensor() || above < 0 || !r.used_once(node.inputs[0])) return;
    const Node mover = r.node(above);
    if (mover.outputs.size() != 1 || selects(mover.op) || !moves_elements(r.graph(), mover)) return;
    if (r.producer(mover.inputs[0]) < 0) return;
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = mover.inputs[0];
    r.at(id);
    const ValueId bytes = r.add(op::QuantizeLinear, std::move(inputs), node.attrs);
    if (r.type(bytes).dtype != how->type) return;
    const ValueId moved = again(r, above, {bytes}, *how)[0];
    r.replace(quantized, moved);
    quantized = bytes;
  }
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n)) sink(r, n);
  for (NodeId n : r.nodes()) {
    if (!r.alive(n) || r.node(n).op != &op::QuantizeLinear) continue;
    meet(r, n);
    if (r.alive(n)) rise(r, n);
  }
}

}  // namespace

constinit const Pass move_qdq{
    "move_qdq", "Operators that only move values do so with quantised elements.", run};

}  // namespace tenon::passes
