#include "graph/passes/attention_heads.h"

#include <algorithm>

#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

using graph::kNoValue;
using graph::Node;
using graph::Rewriter;
using graph::ValueId;

namespace {

using Place = AttentionHeads::Place;

bool has_rank(const Rewriter& r, ValueId id, size_t rank) {
  return id != kNoValue && r.type(id).ranked && r.type(id).dims.size() == rank;
}

// Behind multiplications and divisions by scalars.
Place unscaled(const Rewriter& r, Place place, bool scaled) {
  while (scaled) {
    const Node* node = r.made_by(place.value, op::Mul);
    if (node) {
      const auto parts = with_scalar(r, *node);
      if (!parts) break;
      place = {parts->value, place.factor * parts->scalar};
      continue;
    }
    node = r.made_by(place.value, op::Div);
    const auto divisor = node ? scalar_beside(r, node->inputs[1], node->inputs[0]) : std::nullopt;
    if (!divisor || *divisor == 0) break;
    place = {node->inputs[0], place.factor / *divisor};
  }
  return place;
}

// Each head of `value` [b, h, t, d] that groups of queries share, once: Reshape of Expand of
// Unsqueeze.
ValueId unrepeated(const Rewriter& r, ValueId value) {
  const Node* reshape = r.made_by(value, op::Reshape);
  const Node* expand = reshape ? r.made_by(reshape->inputs[0], op::Expand) : nullptr;
  const Node* unsqueeze = expand ? r.made_by(expand->inputs[0], op::Unsqueeze) : nullptr;
  if (!unsqueeze || !has_rank(r, unsqueeze->inputs[0], 4) || !has_rank(r, reshape->inputs[0], 5) ||
      !has_rank(r, expand->inputs[0], 5))
    return kNoValue;
  const Dims &own = r.type(unsqueeze->inputs[0]).dims, &one = r.type(expand->inputs[0]).dims;
  const Dims &wide = r.type(reshape->inputs[0]).dims, &whole = r.type(value).dims;
  if (one != Dims{own[0], own[1], 1, own[2], own[3]} ||
      wide != Dims{own[0], own[1], wide[2], own[2], own[3]} || !own[1].is_const() ||
      !wide[2].is_const() || whole != Dims{own[0], own[1] * wide[2], own[2], own[3]})
    return kNoValue;
  return unsqueeze->inputs[0];
}

// Where `value` [b, h, t, d] is one of several that lie side by side in the last axis of a product:
// Gather, or Squeeze of Split, of the first axis of Transpose(x [b, t, parts, h, d]).
void find_packed(const Rewriter& r, AttentionHeads& found, Place from) {
  ValueId parts = kNoValue;
  if (const Node* gather = r.made_by(from.value, op::Gather)) {
    const auto index = r.ints(gather->inputs[1]);
    const Call call{op::Gather, gather->attrs};
    if (!index || index->size() != 1 || call.i("axis") != 0 || !has_rank(r, gather->inputs[1], 0))
      return;
    parts = gather->inputs[0];
    found.part = (*index)[0];
  } else if (const Node* squeeze = r.made_by(from.value, op::Squeeze)) {
    const graph::NodeId maker = r.producer(squeeze->inputs[0]);
    if (maker < 0 || r.node(maker).op != &op::Split || !has_rank(r, squeeze->inputs[0], 5)) return;
    const Node& split = r.node(maker);
    const auto axes = squeeze->inputs.size() > 1 ? r.ints(squeeze->inputs[1]) : std::nullopt;
    if (!axes || (*axes != std::vector<int64_t>{0} && *axes != std::vector<int64_t>{-5}) ||
        Call{op::Split, split.attrs}.i("axis") != 0 ||
        !std::ranges::all_of(split.outputs, [&](ValueId part) {
          return has_rank(r, part, 5) && r.type(part).dims[0] == Dim(1);
        }))
      return;
    parts = split.inputs[0];
    found.part = std::ranges::find(split.outputs, squeeze->inputs[0]) - split.outputs.begin();
  } else {
    return;
  }
  const Node* transpose = r.made_by(parts, op::Transpose);
  if (!transpose || !has_order(*transpose, {2, 0, 3, 1, 4}) || !has_rank(r, parts, 5)) return;
  const Dims& dims = r.type(transpose->inputs[0]).dims;
  if (!dims[2].is_const() || !dims[3].is_const() || !dims[4].is_const()) return;
  if (found.part < 0) found.part += dims[2].value();
  if (found.part < 0 || found.part >= dims[2].value()) return;
  found.packed = {transpose->inputs[0], from.factor};
}

// From [b, t, h, d] to [b, t, h * d].
void find_flat(const Rewriter& r, AttentionHeads& found, bool scaled) {
  const Node* reshape = r.made_by(found.rows.value, op::Reshape);
  if (!reshape || !has_rank(r, reshape->inputs[0], 3)) return;
  const Dims& d = r.type(found.rows.value).dims;
  if (r.type(reshape->inputs[0]).dims == Dims{d[0], d[1], d[2] * d[3]})
    found.flat = unscaled(r, {reshape->inputs[0], found.rows.factor}, scaled);
}

// Everything behind a value of [b, h, t, d].
void find_layouts(const Rewriter& r, AttentionHeads& found, Place from, bool scaled) {
  from = unscaled(r, from, scaled);
  if (const ValueId own = unrepeated(r, from.value); own != kNoValue)
    from = unscaled(r, {own, from.factor}, scaled);
  found.heads = from;
  found.own_heads = r.type(from.value).dims[1];
  const Node* transpose = r.made_by(from.value, op::Transpose);
  if (transpose && has_order(*transpose, {0, 2, 1, 3})) {
    found.rows = unscaled(r, {transpose->inputs[0], from.factor}, scaled);
    find_flat(r, found, scaled);
  } else {
    find_packed(r, found, from);
  }
}

// From [b, h, d, t].
bool find_transposed(const Rewriter& r, AttentionHeads& found, Place from, bool scaled) {
  from = unscaled(r, from, scaled);
  const Node* transpose = r.made_by(from.value, op::Transpose);
  if (!transpose) return false;
  const Dims& d = r.type(from.value).dims;
  found.dims = {d[0], d[1], d[3], d[2]};
  const Place behind{transpose->inputs[0], from.factor};
  if (has_order(*transpose, {0, 1, 3, 2})) {
    find_layouts(r, found, behind, scaled);
  } else if (has_order(*transpose, {0, 2, 3, 1})) {
    found.own_heads = d[1];
    found.rows = unscaled(r, behind, scaled);
    find_flat(r, found, scaled);
  } else {
    return false;
  }
  return true;
}

// The value of rank 4 that a Reshape makes [b * h, ...] of, the last two axes as they are.
ValueId by_heads(const Rewriter& r, ValueId value) {
  const Node* reshape = r.made_by(value, op::Reshape);
  if (!reshape || !has_rank(r, reshape->inputs[0], 4)) return kNoValue;
  const Dims &from = r.type(reshape->inputs[0]).dims, &to = r.type(value).dims;
  return from[2] == to[1] && from[3] == to[2] ? reshape->inputs[0] : kNoValue;
}

}  // namespace

bool has_order(const Node& transpose, std::initializer_list<int64_t> order) {
  const auto perm = Call{op::Transpose, transpose.attrs}.ints("perm");
  return std::ranges::equal(perm, order);
}

Place AttentionHeads::to_flat(Rewriter& r) const {
  if (flat) return flat;
  const ValueId shape = r.constant(Tensor::ints({0, 0, -1}));
  if (rows) return {r.add(op::Reshape, {rows.value, shape}), rows.factor};
  const ValueId all = r.add(op::Reshape, {packed.value, shape});
  const Dims& d = r.type(packed.value).dims;
  const int64_t width = d[3].value() * d[4].value();
  const auto ints = [&](int64_t value) { return r.constant(Tensor::ints({value})); };
  return {r.add(op::Slice, {all, ints(part * width), ints((part + 1) * width), ints(2)}),
          packed.factor};
}

Place AttentionHeads::to_heads(Rewriter& r) const {
  if (heads) return heads;
  return {r.add(op::Transpose, {rows.value}, {{"perm", {0, 2, 1, 3}}}), rows.factor};
}

std::optional<AttentionHeads> attention_heads(const Rewriter& r, ValueId operand, bool transposed,
                                              bool scaled) {
  AttentionHeads found;
  if (has_rank(r, operand, 4)) {
    if (transposed) {
      if (!find_transposed(r, found, {operand}, scaled)) return std::nullopt;
    } else {
      found.dims = r.type(operand).dims;
      find_layouts(r, found, {operand}, scaled);
    }
    return found;
  }
  if (!has_rank(r, operand, 3)) return std::nullopt;
  Place from = unscaled(r, {operand}, scaled);
  ValueId headed = by_heads(r, from.value);
  if (transposed) {
    const Node* transpose = r.made_by(from.value, op::Transpose);
    if (transpose && has_order(*transpose, {0, 2, 1})) {
      from = unscaled(r, {transpose->inputs[0], from.factor}, scaled);
      found.single = from;
      headed = by_heads(r, from.value);
      transposed = false;
    } else if (headed == kNoValue) {
      return std::nullopt;
    }
  } else {
    found.single = from;
  }
  if (headed == kNoValue) return found;
  if (transposed) {
    if (!find_transposed(r, found, {headed, from.factor}, scaled)) return std::nullopt;
  } else {
    found.dims = r.type(headed).dims;
    find_layouts(r, found, {headed, from.factor}, scaled);
  }
  return found;
}

}  // namespace tenon::passes
