// Slices of slices, and Split, Concat and Gather that only pick whole ranges.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/shape/slicing.h"

namespace tenon::passes {

namespace {

using graph::call_of;
using graph::input_of;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// "To the end", as exporters write it.
constexpr int64_t kFar = std::numeric_limits<int32_t>::max();

struct Range {
  int64_t start = 0, end = kFar, step = 1;
};
using Ranges = std::map<size_t, Range>;  // by axis

// The ranges of a Slice whose lists are constant; nothing for others.
std::optional<Ranges> ranges_of(const Rewriter& r, const Node& slice) {
  const TensorType& x = r.type(slice.inputs[0]);
  const auto starts = r.ints(slice.inputs[1]), ends = r.ints(slice.inputs[2]);
  if (!x.ranked || !starts || !ends) return std::nullopt;
  std::vector<int64_t> axes(starts->size()), steps(starts->size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  for (const auto& [i, list] : {std::pair{size_t{3}, &axes}, std::pair{size_t{4}, &steps}}) {
    if (input_of(slice, i) == kNoValue) continue;
    const auto given = r.ints(input_of(slice, i));
    if (!given) return std::nullopt;
    *list = *given;
  }
  Ranges ranges;
  for (size_t i = 0; i < axes.size(); ++i)
    ranges[static_cast<size_t>(normalize_axis(axes[i], x.dims.size(), "Slice"))] = {
        (*starts)[i], (*ends)[i], steps[i]};
  return ranges;
}

ValueId sliced(Rewriter& r, ValueId x, const Ranges& ranges) {
  if (ranges.empty()) return x;
  std::vector<int64_t> starts, ends, axes, steps;
  for (const auto& [axis, range] : ranges) {
    starts.push_back(range.start);
    ends.push_back(range.end);
    axes.push_back(static_cast<int64_t>(axis));
    steps.push_back(range.step);
  }
  std::vector<ValueId> inputs{x};
  for (const auto* list : {&starts, &ends, &axes, &steps}) {
    if (list == &steps && std::ranges::count(steps, 1) == std::ssize(steps)) continue;
    inputs.push_back(r.constant(Tensor::ints(*list)));
  }
  return r.add(op::Slice, std::move(inputs));
}

// The range of an axis that the outer range of the inner one is.
std::optional<Range> joined(const Dim& size, const Range& inner, const Range& outer) {
  if (size.is_const()) {
    if (inner.step < 1 || outer.step < 1) return std::nullopt;
    const SliceRange a = slice_range(size.value(), inner.start, inner.end, inner.step);
    const SliceRange b = slice_range(a.count, outer.start, outer.end, outer.step);
    if (b.count == 0) return Range{0, 0, 1};
    if (a.step > kFar || b.step > kFar) return std::nullopt;
    const int64_t start = a.start + b.start * a.step, step = a.step * b.step;
    return Range{start, start + (b.count - 1) * step + 1, b.count == 1 ? 1 : step};
  }
  const auto plain = [](const Range& range) {
    return range.step == 1 && range.start >= 0 && range.start < kFar && range.end > -kFar;
  };
  if (!plain(inner) || !plain(outer)) return std::nullopt;
  const int64_t start = inner.start + outer.start;
  const bool inner_ends = inner.end < kFar, outer_ends = outer.end < kFar;
  if (!outer_ends) return Range{start, inner.end};
  if (!inner_ends) return Range{start, outer.end < 0 ? outer.end : inner.start + outer.end};
  if (inner.end < 0 && outer.end < 0) return Range{start, inner.end + outer.end};
  if (inner.end >= 0 && outer.end >= 0)
    return Range{start, std::min(inner.end, inner.start + outer.end)};
  return std::nullopt;
}

bool join_slices(Rewriter& r, NodeId n) {
  const Node* inner = r.made_by(r.node(n).inputs[0], op::Slice);
  if (!inner) return false;
  const auto outer_ranges = ranges_of(r, r.node(n));
  auto ranges = ranges_of(r, *inner);
  if (!outer_ranges || !ranges) return false;
  const ValueId x = inner->inputs[0], y = r.node(n).outputs[0];
  for (const auto& [axis, outer] : *outer_ranges) {
    const auto same = ranges->find(axis);
    if (same == ranges->end()) {
      ranges->emplace(axis, outer);
      continue;
    }
    const auto both = joined(r.type(x).dims[axis], same->second, outer);
    if (!both) return false;
    same->second = *both;
  }
  r.at(n);
  r.replace(y, sliced(r, x, *ranges));
  return true;
}

size_t axis_of(const Rewriter& r, const Node& node) {
  return static_cast<size_t>(
      normalize_axis(call_of(node).i("axis"), r.type(node.inputs[0]).dims.size(), node.op->name));
}

bool all_ranked(const Rewriter& r, const Node& node) {
  return std::ranges::all_of(node.inputs,
                             [&](ValueId id) { return id == kNoValue || r.type(id).ranked; });
}

// A Slice that lies within one part of a Concat is one of that part.
void slice_part(Rewriter& r, NodeId n) {
  const Node& slice = r.node(n);
  const Node* concat = r.made_by(slice.inputs[0], op::Concat);
  auto ranges = ranges_of(r, slice);
  if (!concat || !ranges || !all_ranked(r, *concat)) return;
  const size_t axis = axis_of(r, *concat);
  const auto found = ranges->find(axis);
  if (found == ranges->end() || found->second.step != 1) return;
  Range range = found->second;
  const Dim& size = r.type(slice.inputs[0]).dims[axis];
  if (size.is_const()) {
    const SliceRange exact = slice_range(size.value(), range.start, range.end, 1);
    range = {exact.start, exact.start + exact.count, 1};
  }
  if (range.start < 0 || range.end <= range.start) return;
  const ValueId y = slice.outputs[0];
  int64_t offset = 0;
  for (size_t k = 0; k < concat->inputs.size(); ++k) {
    const ValueId part = concat->inputs[k];
    const Dim& own = r.type(part).dims[axis];
    const bool last = k + 1 == concat->inputs.size();
    if (!own.is_const() && !last) return;
    const int64_t end = own.is_const() ? offset + own.value() : kFar;
    const bool far = range.end >= kFar;
    if (range.start >= offset && (last || range.end <= end)) {
      if (range.start == offset && (far || (own.is_const() && range.end >= end)))
        ranges->erase(axis);
      else
        found->second = {range.start - offset, far ? kFar : range.end - offset, 1};
      r.at(n);
      return r.replace(y, sliced(r, part, *ranges));
    }
    offset = end;
  }
}

// Indices that count up evenly are a Slice.
void gather_range(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const Tensor* indices = r.constant(node.inputs[1]);
  if (!indices || indices->rank() != 1 || indices->numel() == 0 || !r.type(x).ranked) return;
  const size_t axis = axis_of(r, node);
  const Dim& size = r.type(x).dims[axis];
  auto places = r.ints(node.inputs[1]);
  if (!places || !size.is_const()) return;
  for (int64_t& place : *places) {
    if (place < 0) place += size.value();
    if (place < 0 || place >= size.value()) return;  // an error when it is run
  }
  const int64_t step = places->size() > 1 ? (*places)[1] - (*places)[0] : 1;
  if (step < 1) return;
  for (size_t i = 1; i < places->size(); ++i)
    if ((*places)[i] - (*places)[i - 1] != step) return;
  const bool whole = step == 1 && std::ssize(*places) == size.value();
  const Range range{places->front(), places->back() + 1, step};
  r.at(n);
  r.replace(y, whole ? x : sliced(r, x, {{axis, range}}));
}

bool is_read(const Rewriter& r, ValueId id) {
  return id != kNoValue && (r.is_output(id) || !r.users(id).empty());
}

// Split of a Concat at the same places.
bool split_concat(Rewriter& r, NodeId n) {
  const Node split = r.node(n);
  const Node* found = r.made_by(split.inputs[0], op::Concat);
  if (!found || !all_ranked(r, *found) || axis_of(r, *found) != axis_of(r, split)) return false;
  const size_t axis = axis_of(r, split);
  const std::vector<ValueId> parts = found->inputs;
  if (split.outputs.size() > parts.size()) return false;
  for (size_t i = 0; i < split.outputs.size(); ++i) {
    // A part that nobody reads still says where the next one begins.
    if (split.outputs[i] == kNoValue || !r.type(split.outputs[i]).ranked) return false;
    if (!(r.type(split.outputs[i]).dims[axis] == r.type(parts[i]).dims[axis])) return false;
  }
  r.at(n);
  for (size_t i = 0; i < split.outputs.size(); ++i)
    if (is_read(r, split.outputs[i])) r.replace(split.outputs[i], parts[i]);
  return true;
}

// Split of which only one piece is read.
void split_one(Rewriter& r, NodeId n) {
  const Node split = r.node(n);
  if (std::ranges::count_if(split.outputs, [&](ValueId id) { return is_read(r, id); }) != 1) return;
  const size_t axis = axis_of(r, split);
  int64_t start = 0;
  for (const ValueId id : split.outputs) {
    if (id == kNoValue || !r.type(id).ranked || !r.type(id).dims[axis].is_const()) return;
    const int64_t end = start + r.type(id).dims[axis].value();
    if (is_read(r, id)) {
      r.at(n);
      return r.replace(id, sliced(r, split.inputs[0], {{axis, Range{start, end, 1}}}));
    }
    start = end;
  }
}

// Concat of all pieces of a Split, in order.
bool join_split(Rewriter& r, NodeId n) {
  const Node& concat = r.node(n);
  const ValueId y = concat.outputs[0];
  const NodeId maker = r.producer(concat.inputs[0]);
  if (maker < 0 || r.node(maker).op != &op::Split) return false;
  const Node& split = r.node(maker);
  const ValueId x = split.inputs[0];
  if (split.outputs != concat.inputs || !graph::same_shape(r, x, y)) return false;
  if (axis_of(r, split) != axis_of(r, concat)) return false;
  r.replace(y, x);
  return true;
}

// Concat of a Concat along the same axis.
void flatten_concat(Rewriter& r, NodeId n) {
  const Node concat = r.node(n);
  if (!all_ranked(r, concat)) return;
  const size_t axis = axis_of(r, concat);
  std::vector<ValueId> parts;
  for (const ValueId id : concat.inputs) {
    const Node* inner = r.used_once(id) ? r.made_by(id, op::Concat) : nullptr;
    if (inner && all_ranked(r, *inner) && axis_of(r, *inner) == axis)
      parts.insert(parts.end(), inner->inputs.begin(), inner->inputs.end());
    else
      parts.push_back(id);
  }
  if (parts.size() == concat.inputs.size()) return;
  r.at(n);
  r.replace(concat.outputs[0], r.add(op::Concat, parts, concat.attrs));
}

void run(Rewriter& r) {
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const OpDef* op = r.node(n).op;
    if (op == &op::Slice) {
      if (!join_slices(r, n)) slice_part(r, n);
    } else if (op == &op::Gather) {
      gather_range(r, n);
    } else if (op == &op::Split) {
      if (r.type(r.node(n).inputs[0]).ranked && !split_concat(r, n)) split_one(r, n);
    } else if (op == &op::Concat) {
      if (!all_ranked(r, r.node(n)) || !join_split(r, n)) flatten_concat(r, n);
    }
  }
}

}  // namespace

constinit const Pass tidy_slices{
    "tidy_slices", "Slice, Gather, Split and Concat of each other pick whole ranges once.", run};

}  // namespace tenon::passes
