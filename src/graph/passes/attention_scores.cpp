#include "graph/passes/attention_scores.h"

#include <algorithm>
#include <limits>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

using graph::kNoValue;
using graph::Node;
using graph::Rewriter;
using graph::ValueId;

namespace {

constexpr int kMaxDepth = 10;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ScoresReader {
 public:
  ScoresReader(const Rewriter& r, Pattern& pattern) : r_(r), pattern_(pattern) {}

  AttentionScores scores;

  bool read(ValueId value, int depth) {
    if (depth == 0 || r_.producer(value) < 0) return false;
    const size_t mark = pattern_.mark();
    const AttentionScores before = scores;
    if (read_node(value, depth)) return true;
    pattern_.back(mark);
    scores = before;
    return false;
  }

 private:
  bool read_node(ValueId value, int depth) {
    if (pattern_.take(value, op::MatMul)) {
      scores.product = r_.producer(value);
      return true;
    }
    if (const Node* node = pattern_.take(value, op::Mul)) return read_scaled(*node, depth);
    if (const Node* node = pattern_.take(value, op::Div)) {
      const auto divisor = scalar_beside(r_, node->inputs[1], node->inputs[0]);
      return divisor && *divisor != 0 && read_factor(node->inputs[0], 1 / *divisor, depth);
    }
    if (const Node* node = pattern_.take(value, op::Add)) {
      for (const size_t i : {0, 1}) {
        if (!read(node->inputs[i], depth - 1)) continue;
        scores.added.push_back(node->inputs[1 - i]);
        return true;
      }
      return false;
    }
    if (const Node* node = pattern_.take(value, op::Sub)) {
      if (!read(node->inputs[0], depth - 1)) return false;
      scores.subtracted.push_back(node->inputs[1]);
      return true;
    }
    if (const Node* node = pattern_.take(value, op::Where)) {
      for (const size_t i : {1, 2}) {
        const auto fill = r_.scalar(node->inputs[3 - i]);
        if (!fill || !read(node->inputs[i], depth - 1)) continue;
        scores.choices.push_back({node->inputs[0], i == 1, *fill});
        return true;
      }
      return false;
    }
    if (const Node* node = pattern_.take(value, op::Cast))
      return widened_from(r_, value) != kNoValue && read(node->inputs[0], depth - 1);
    if (const Node* node = pattern_.take(value, op::Reshape))
      return merges_heads(node->inputs[0], value) && read(node->inputs[0], depth - 1);
    return false;
  }

  bool read_scaled(const Node& node, int depth) {
    const auto parts = with_scalar(r_, node);
    if (!parts) return false;
    // softcap * tanh(scores / softcap)
    const size_t mark = pattern_.mark();
    if (const Node* squash = pattern_.take(parts->value, op::Tanh); squash && parts->scalar > 0) {
      if (!read_factor(squash->inputs[0], parts->scalar, depth)) return false;
      scores.softcap = parts->scalar;
      return true;
    }
    pattern_.back(mark);
    return read_factor(parts->value, parts->scalar, depth);
  }

  // The operator scales first.
  bool read_factor(ValueId value, double factor, int depth) {
    if (!read(value, depth - 1) || scores.is_masked() || scores.softcap != 0) return false;
    scores.scale *= factor;
    return true;
  }

  // [batch, heads, queries, keys] and [batch * heads, queries, keys], either way.
  bool merges_heads(ValueId from, ValueId to) const {
    const TensorType &a = r_.type(from), &b = r_.type(to);
    const size_t n = a.dims.size(), m = b.dims.size();
    return a.ranked && b.ranked && ((n == 3 && m == 4) || (n == 4 && m == 3)) &&
           a.dims[n - 1] == b.dims[m - 1] && a.dims[n - 2] == b.dims[m - 2];
  }

  const Rewriter& r_;
  Pattern& pattern_;
};

// Broadcasts to the scores without changing their shape; the keys are all there.
bool broadcasts(const Rewriter& r, ValueId mask, const Dims& scores) {
  const TensorType& type = r.type(mask);
  if (!type.ranked || type.dims.empty() || type.dims.size() > 4) return false;
  const size_t lead = 4 - type.dims.size();
  if (!(type.dims.back() == scores.back())) return false;
  for (size_t i = 0; i + 1 < type.dims.size(); ++i)
    if (!(type.dims[i] == Dim(1)) && !(type.dims[i] == scores[lead + i])) return false;
  return true;
}

// What a constant mask lets be seen, row by row over the last axis; empty where it does anything
// but let through or take out.
std::vector<bool> seen_by(const Tensor& mask, bool keeps) {
  std::vector<bool> seen;
  const bool is_bool = mask.dtype() == DType::boolean;
  for (const double value : mask.to_vector<double>()) {
    if (!is_bool && value != 0 && value > -1e4) return {};
    seen.push_back(is_bool ? (value != 0) == keeps : value == 0);
  }
  return seen;
}

// Query i sees keys 0 to i, and there are as many of either.
bool is_causal(const Tensor& mask, bool keeps, const Dims& scores) {
  const Shape& shape = mask.shape();
  const size_t rank = shape.rank();
  if (rank < 2 || shape[rank - 1] != shape[rank - 2] || mask.numel() != shape.back() * shape.back())
    return false;
  const int64_t length = shape.back();
  if (length < 2 || !(scores[2] == Dim(length)) || !(scores[3] == Dim(length))) return false;
  const std::vector<bool> seen = seen_by(mask, keeps);
  for (size_t at = 0; at < seen.size(); ++at)
    if (seen[at] != (static_cast<int64_t>(at) % length <= static_cast<int64_t>(at) / length))
      return false;
  return !seen.empty();
}

bool each_row_sees_something(const Tensor& mask, bool keeps) {
  const std::vector<bool> seen = seen_by(mask, keeps);
  const int64_t length = mask.rank() == 0 ? 1 : mask.shape().back();
  for (size_t at = 0; at < seen.size(); at += static_cast<size_t>(length))
    if (std::find(seen.begin() + static_cast<std::ptrdiff_t>(at),
                  seen.begin() + static_cast<std::ptrdiff_t>(at) + length,
                  true) == seen.begin() + static_cast<std::ptrdiff_t>(at) + length)
      return false;
  return !seen.empty();
}

// A choice between scores and `fill` is, for softmax, the same as a sum with 0 or `fill` where that
// swallows any score in rounding; and the same as not seeing where each query sees some key.
bool swallows(double fill, DType type) {
  return fill == -kInfinity || (type == DType::f32 && fill <= -1e9);
}

ValueId scalar_of(Rewriter& r, double value, DType type) {
  return r.constant(Tensor::scalar(value, type));
}

}  // namespace

std::optional<AttentionScores> attention_scores(const Rewriter& r, Pattern& pattern,
                                                ValueId value) {
  ScoresReader reader(r, pattern);
  if (!reader.read(value, kMaxDepth)) return std::nullopt;
  return reader.scores;
}

std::optional<AttentionMask> attention_mask(Rewriter& r, const AttentionScores& scores,
                                            const Dims& dims, DType type) {
  for (const auto* list : {&scores.added, &scores.subtracted})
    for (ValueId mask : *list)
      if (!broadcasts(r, mask, dims) || !is_float(r.type(mask).dtype)) return std::nullopt;
  for (const auto& choice : scores.choices)
    if (!broadcasts(r, choice.condition, dims)) return std::nullopt;

  AttentionMask result;
  const size_t count = scores.added.size() + scores.subtracted.size() + scores.choices.size();
  if (count == 1 && scores.subtracted.empty()) {
    const ValueId only = scores.added.empty() ? scores.choices[0].condition : scores.added[0];
    const bool keeps = scores.added.empty() && scores.choices[0].keeps;
    const Tensor* constant = r.constant(only);
    const bool hides = !scores.added.empty() || scores.choices[0].fill <= -1e4;
    if (constant && hides && is_causal(*constant, keeps, dims)) {
      result.causal = true;
      return result;
    }
  }

  const auto unite = [&](const OpDef& op, ValueId mask) {
    result.mask = result.mask == kNoValue ? mask : r.add(op, {result.mask, mask});
  };
  const bool hidden = std::ranges::all_of(scores.choices, [&](const AttentionScores::Choice& c) {
    const Tensor* constant = r.constant(c.condition);
    return c.fill == -kInfinity || (scores.choices.size() == 1 && c.fill <= -1e4 && constant &&
                                    each_row_sees_something(*constant, c.keeps));
  });
  if (hidden && scores.choices.size() == count) {
    for (const auto& choice : scores.choices)
      unite(op::And, choice.keeps ? choice.condition : r.add(op::Not, {choice.condition}));
    return result;
  }
  for (const auto& choice : scores.choices) {
    if (!swallows(choice.fill, type)) return std::nullopt;
    const ValueId none = scalar_of(r, 0, type), fill = scalar_of(r, choice.fill, type);
    unite(op::Add, choice.keeps ? r.add(op::Where, {choice.condition, none, fill})
                                : r.add(op::Where, {choice.condition, fill, none}));
  }
  const auto typed = [&](ValueId mask) {
    return r.type(mask).dtype == type
               ? mask
               : r.add(op::Cast, {mask}, {{"to", static_cast<int64_t>(type)}});
  };
  for (ValueId mask : scores.added) unite(op::Add, typed(mask));
  for (ValueId mask : scores.subtracted) unite(op::Add, r.add(op::Neg, {typed(mask)}));
  return result;
}

}  // namespace tenon::passes
