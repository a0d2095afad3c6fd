#include "graph/passes/normalised_rows.h"

#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"

namespace tenon::passes {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

namespace {

class Search {
 public:
  Search(const Rewriter& r, NodeId root, bool centred) : r_(r), pattern_(r), root_(root) {
    found_ = find_rows(centred);
  }

  std::optional<NormalisedRows> result() {
    if (!found_ || !divided()) return std::nullopt;
    if (rows_.shift == kNoValue) scale_and_shift();
    return rows_;
  }

 private:
  // The value whose squares' mean the root is of, and x.
  bool find_rows(bool centred) {
    pattern_.take(root_);
    const Node& root = r_.node(root_);
    if (root.op == &op::Pow) {
      const auto exponent = scalar_beside(r_, root.inputs[1], root.inputs[0]);
      if (exponent != -0.5 && exponent != 0.5) return false;
      inverse_ = exponent == -0.5;
    }
    const Node* sum = pattern_.take(root.inputs[0], op::Add);
    const auto parts = sum ? with_scalar(r_, *sum) : std::nullopt;
    if (!parts || parts->scalar < 0) return false;
    rows_.epsilon = parts->scalar;
    const auto variance = reduced_by(r_, pattern_, parts->value, op::ReduceMean);
    if (!variance) return false;
    axes_ = variance->axes;
    const ValueId base = squared(variance->of);
    if (base == kNoValue || !is_computed(r_, base)) return false;
    const auto first = trailing_from(axes_, r_.type(base).dims);
    if (!first) return false;
    rows_.axis = *first;
    divided_ = base;
    rows_.x = base;
    if (!centred) return true;
    const auto x = centred_of(base);
    if (!x) return false;
    rows_.x = *x;
    return true;
  }

  // c where the value is c * c or Pow(c, 2); two differences of the same two values are one c.
  ValueId squared(ValueId value) {
    if (const Node* power = pattern_.take(value, op::Pow))
      return scalar_beside(r_, power->inputs[1], power->inputs[0]) == 2.0 ? power->inputs[0]
                                                                          : kNoValue;
    const Node* product = pattern_.take(value, op::Mul);
    if (!product) return kNoValue;
    const ValueId a = product->inputs[0], b = product->inputs[1];
    return a == b || same_difference(a, b) ? a : kNoValue;
  }

  bool same_difference(ValueId a, ValueId b) {
    if (a == b) return true;
    const Node *x = r_.made_by(a, op::Sub), *y = r_.made_by(b, op::Sub);
    if (!x || !y || x->inputs[0] != y->inputs[0] || !same_mean(x->inputs[1], y->inputs[1]))
      return false;
    pattern_.take(a, op::Sub);
    pattern_.take(b, op::Sub);
    return true;
  }

  bool same_mean(ValueId a, ValueId b) {
    if (a == b) return true;
    const size_t mark = pattern_.mark();
    const auto x = reduced_by(r_, pattern_, a, op::ReduceMean),
               y = reduced_by(r_, pattern_, b, op::ReduceMean);
    if (x && y && x->of == y->of && x->axes == y->axes) return true;
    pattern_.back(mark);
    return false;
  }

  // x where the value is x minus its mean over the axes.
  std::optional<ValueId> centred_of(ValueId value) {
    const Node* difference = pattern_.take(value, op::Sub);
    if (!difference) return std::nullopt;
    const ValueId x = difference->inputs[0];
    mean_ = difference->inputs[1];
    const auto mean = reduced_by(r_, pattern_, mean_, op::ReduceMean);
    if (!mean || mean->of != x || mean->axes != axes_) return std::nullopt;
    return x;
  }

  bool is_rows(ValueId value) { return value == divided_ || same_difference(value, divided_); }

  // From the root to the divided rows.
  bool divided() {
    ValueId root = r_.node(root_).outputs[0];
    NodeId at = -1;
    const Node* user = only_user(r_, root, &at);
    if (!user) return false;
    if (!inverse_ && user->op == &op::Div && user->inputs[1] == root && is_rows(user->inputs[0]))
      return take_whole(at);
    if (!inverse_) {
      const bool inverts =
          user->op == &op::Reciprocal || (user->op == &op::Div && user->inputs[1] == root &&
                                          scalar_beside(r_, user->inputs[0], root) == 1.0);
      if (!inverts) return false;
      pattern_.take(at);
      root = user->outputs[0];
      user = only_user(r_, root, &at);
    }
    if (!user || user->op != &op::Mul) return false;
    const ValueId other = other_input(*user, root);
    if (is_rows(other)) return take_whole(at);
    // The scale comes first: rows * (1 / root * scale)
    if (!is_row_vector(r_, other, rows_.x, rows_.axis)) return false;
    pattern_.take(at);
    rows_.scale = other;
    return scaled_root(user->outputs[0]);
  }

  // x*s + (shift - mean*s), or (x - mean)*s.
  bool scaled_root(ValueId s) {
    NodeId at = -1;
    if (const Node* user = only_user(r_, s, &at))
      return user->op == &op::Mul && is_rows(other_input(*user, s)) && take_whole(at);
    if (divided_ == rows_.x || r_.users(s).size() != 2) return false;
    ValueId product = kNoValue, offset = kNoValue;
    for (const NodeId id : r_.users(s)) {
      if (r_.node(id).op != &op::Mul) return false;
      const ValueId other = other_input(r_.node(id), s);
      pattern_.take(id);
      if (other == rows_.x)
        product = r_.node(id).outputs[0];
      else if (same_mean(other, mean_))
        offset = r_.node(id).outputs[0];
    }
    if (product == kNoValue || offset == kNoValue) return false;
    const Node* difference = only_user(r_, offset, &at);
    if (!difference || difference->op != &op::Sub) return false;
    pattern_.take(at);
    const bool with_shift = difference->inputs[1] == offset;
    const Node* sum = only_user(r_, difference->outputs[0], &at);
    if (with_shift) {
      if (!sum || sum->op != &op::Add || other_input(*sum, difference->outputs[0]) != product ||
          !is_row_vector(r_, difference->inputs[0], rows_.x, rows_.axis))
        return false;
      rows_.shift = difference->inputs[0];
      return take_whole(at);
    }
    // x*s - mean*s
    if (difference->inputs[0] != product) return false;
    return take_whole(r_.producer(difference->outputs[0]));
  }

  // The node makes the rows so far: if nothing on the way is read by others, they are found.
  bool take_whole(NodeId id) {
    const ValueId y = r_.node(id).outputs[0];
    pattern_.take(id);
    if (!pattern_.closed(y) || r_.type(y).dims != r_.type(rows_.x).dims) return false;
    rows_.y = y;
    return true;
  }

  void scale_and_shift() {
    NodeId at = -1;
    const Node* user = only_user(r_, rows_.y, &at);
    if (user && user->op == &op::Cast && rows_.scale == kNoValue) {
      // Only as the beginning of a scale in the narrow type of the source.
      const ValueId source = widened_from(r_, rows_.x);
      const ValueId cast = user->outputs[0];
      const Node* times = only_user(r_, cast, &at);
      if (source == kNoValue || r_.type(source).dtype != r_.type(cast).dtype || !times ||
          times->op != &op::Mul || !is_scale(other_input(*times, cast)))
        return;
      rows_.narrow = r_.type(cast).dtype;
      rows_.scale = other_input(*times, cast);
      rows_.y = times->outputs[0];
    } else if (user && user->op == &op::Mul && rows_.scale == kNoValue) {
      const ValueId other = other_input(*user, rows_.y);
      if (!is_scale(other)) return;
      rows_.scale = other;
      rows_.y = user->outputs[0];
    }
    user = only_user(r_, rows_.y, &at);
    if (!user || user->op != &op::Add) return;
    const ValueId other = other_input(*user, rows_.y);
    if (!is_scale(other)) return;
    rows_.shift = other;
    rows_.y = user->outputs[0];
  }

  bool is_scale(ValueId value) const {
    return value != rows_.y && is_row_vector(r_, value, rows_.x, rows_.axis);
  }

  const Rewriter& r_;
  Pattern pattern_;
  NodeId root_;
  NormalisedRows rows_;
  std::vector<int64_t> axes_;
  ValueId divided_ = kNoValue;  // x, or x less its mean
  ValueId mean_ = kNoValue;
  bool inverse_ = false, found_ = false;
};

}  // namespace

std::optional<NormalisedRows> normalised_rows(const Rewriter& r, NodeId n, bool centred) {
  const OpDef* op = r.node(n).op;
  if (op != &op::Sqrt && op != &op::Pow) return std::nullopt;
  return Search(r, n, centred).result();
}

ValueId narrowed(Rewriter& r, ValueId id, DType type) {
  if (id == kNoValue || r.type(id).dtype == type) return id;
  if (const ValueId source = widened_from(r, id);
      source != kNoValue && r.type(source).dtype == type)
    return source;
  const Tensor* constant = r.constant(id);
  if (!constant) return kNoValue;
  const Tensor narrow = constant->to(type);
  return narrow.to(constant->dtype()).to_vector<double>() == constant->to_vector<double>()
             ? r.constant(narrow)
             : kNoValue;
}

std::optional<RowInputs> row_inputs(Rewriter& r, const NormalisedRows& rows) {
  RowInputs inputs{rows.x, rows.scale, rows.shift};
  if (rows.narrow != DType::undefined) inputs.x = widened_from(r, rows.x);
  const DType type = r.type(inputs.x).dtype;
  const auto vector = [&](ValueId id) {
    return narrowed(r, row_vector(r, id, rows.x, rows.axis), type);
  };
  inputs.scale = rows.scale == kNoValue ? row_of_ones(r, inputs.x, rows.axis) : vector(rows.scale);
  if (inputs.scale == kNoValue) return std::nullopt;
  if (rows.shift == kNoValue) return inputs;
  inputs.shift = vector(rows.shift);
  if (inputs.shift == kNoValue) return std::nullopt;
  return inputs;
}

void drop_casts(Rewriter& r, const OpDef& op) {
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n) || r.node(n).op != &op) continue;
    const Node& node = r.node(n);
    const ValueId y = node.outputs[0], source = widened_from(r, node.inputs[0]);
    const Node* cast = only_user(r, y, nullptr);
    bool alone = true;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      alone = alone && (node.outputs[i] == kNoValue ||
                        (r.users(node.outputs[i]).empty() && !r.is_output(node.outputs[i])));
    if (source == kNoValue || !cast || cast->op != &op::Cast || !alone) continue;
    const ValueId narrow_y = cast->outputs[0];
    const DType type = r.type(source).dtype;
    if (r.type(narrow_y).dtype != type) continue;
    const Attrs attrs = node.attrs;
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = source;
    bool all = true;
    for (size_t i = 1; i < inputs.size(); ++i) {
      const bool given = inputs[i] != kNoValue;
      inputs[i] = narrowed(r, inputs[i], type);
      all = all && (!given || inputs[i] != kNoValue);
    }
    if (!all) continue;
    r.at(n);
    r.replace(narrow_y, r.add(op, std::move(inputs), attrs));
  }
}

}  // namespace tenon::passes
