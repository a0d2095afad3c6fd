// A Pad before a convolution or pooling becomes part of the windows.
#include <algorithm>
#include <limits>

#include "graph/passes/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

struct Padding {
  ValueId x = kNoValue;
  double value = 0;
  std::vector<int64_t> begin, end;  // of the spatial axes, none negative
};

ValueId input_of(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

// The Pad that makes `id`, where it pads spatial axes alone by constants.
std::optional<Padding> padding_of(const Rewriter& r, ValueId id) {
  const Node* pad = r.made_by(id, op::Pad);
  if (!pad || Call{*pad->op, pad->attrs}.s("mode") != "constant") return std::nullopt;
  const TensorType& type = r.type(pad->inputs[0]);
  const auto pads = r.ints(pad->inputs[1]);
  if (!pads || !type.ranked || type.dims.size() < 3) return std::nullopt;
  const size_t rank = type.dims.size();
  Padding padding{pad->inputs[0], 0, std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  if (const ValueId value = input_of(*pad, 2); value != kNoValue) {
    const auto number = r.scalar(value);
    if (!number) return std::nullopt;
    padding.value = *number;
  }
  std::vector<int64_t> axes;
  if (const ValueId given = input_of(*pad, 3); given != kNoValue) {
    const auto list = r.ints(given);
    if (!list) return std::nullopt;
    axes = *list;
  } else {
    for (size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  if (pads->size() != 2 * axes.size()) return std::nullopt;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalize_axis(axes[i], rank, "Pad"));
    padding.begin[axis] = (*pads)[i];
    padding.end[axis] = (*pads)[i + axes.size()];
  }
  for (std::vector<int64_t>* list : {&padding.begin, &padding.end}) {
    if ((*list)[0] != 0 || (*list)[1] != 0) return std::nullopt;
    list->erase(list->begin(), list->begin() + 2);
    if (std::ranges::any_of(*list, [](int64_t size) { return size < 0; })) return std::nullopt;
  }
  return padding;
}

// The windows' own pads with the padding added; nothing where they depend on the size of the image.
std::optional<std::vector<int64_t>> added_pads(const Call& call, const Padding& padding) {
  const size_t spatial = padding.begin.size();
  std::vector<int64_t> pads(2 * spatial, 0);
  if (call.s("auto_pad") == "NOTSET") {
    const auto given = call.ints("pads");
    if (!given.empty() && given.size() != pads.size()) return std::nullopt;
    std::ranges::copy(given, pads.begin());
  } else if (call.s("auto_pad") != "VALID") {
    return std::nullopt;
  }
  for (size_t i = 0; i < spatial; ++i) {
    pads[i] += padding.begin[i];
    pads[spatial + i] += padding.end[i];
  }
  return pads;
}

// No element of the value is below 0.
bool is_nonnegative(const Rewriter& r, ValueId id) {
  return r.made_by(id, op::Relu) || r.made_by(id, op::Sigmoid);
}

// Whether a pooling sees the same with the padding as its own. Windows that lie in the padding as a
// whole, and those that ceil_mode adds, are not the same.
bool fits_pool(const Rewriter& r, const Node& pool, const Padding& padding,
               const std::vector<int64_t>& pads) {
  const Call call{*pool.op, pool.attrs};
  const auto kernel = call.ints("kernel_shape");
  if (call.i("ceil_mode") != 0 || pool.outputs.size() != 1) return false;
  for (int64_t dilation : call.ints("dilations"))
    if (dilation != 1) return false;
  for (size_t i = 0; i < pads.size(); ++i)
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  if (pool.op == &op::MaxPool)
    return padding.value == -std::numeric_limits<double>::infinity() ||
           (padding.value == 0 && is_nonnegative(r, padding.x));
  // The mean counts the padding of Pad; it has to count the pool's own already, or there is none.
  const auto own = call.ints("pads");
  return padding.value == 0 && (call.i("count_include_pad") != 0 || call.s("auto_pad") == "VALID" ||
                                std::ranges::all_of(own, [](int64_t size) { return size == 0; }));
}

void merge(Rewriter& r, NodeId n) {
  const Node node = r.node(n);
  const auto padding = padding_of(r, node.inputs[0]);
  if (!padding) return;
  const auto pads = added_pads(Call{*node.op, node.attrs}, *padding);
  if (!pads) return;
  const bool conv = node.op == &op::Conv;
  if (conv ? padding->value != 0 : !fits_pool(r, node, *padding, *pads)) return;
  Attrs attrs = node.attrs.without("auto_pad").with({"pads", AttrValue(*pads)});
  if (node.op == &op::AveragePool) attrs = attrs.with({"count_include_pad", 1});
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = padding->x;
  r.at(n);
  r.replace(node.outputs[0], r.add(*node.op, std::move(inputs), attrs));
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const OpDef* op = r.node(n).op;
    if (op == &op::Conv || op == &op::AveragePool || op == &op::MaxPool) merge(r, n);
  }
}

}  // namespace

constinit const Pass pad_into_conv{
    "pad_into_conv", "Padding before a convolution or pooling becomes the windows' own.", run};

}  // namespace tenon::passes
