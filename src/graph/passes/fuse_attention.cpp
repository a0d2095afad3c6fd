// softmax(Q K^T * scale + mask) V becomes the operator Attention, together with the transposes and
// reshapes that split heads before it and merge them behind it.
#include "graph/passes/attention_heads.h"
#include "graph/passes/attention_scores.h"
#include "graph/passes/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// What the match ends in, from the product of weights and values on; each later one is absent where
// it is not there.
struct Ends {
  ValueId product = kNoValue;  // [batch, heads, queries, size], or [batch * heads, queries, size]
  ValueId heads = kNoValue;    // [batch, heads, queries, size]
  ValueId rows = kNoValue;     // [batch, queries, heads, size]
  ValueId flat = kNoValue;     // [batch, queries, heads * size]
};

class Match {
 public:
  Match(Rewriter& r, NodeId softmax) : r_(r), pattern_(r), softmax_(softmax) {}

  void fuse() {
    if (!find_products() || !find_operands()) return;
    if (!by_heads()) single();
  }

 private:
  bool find_products() {
    const Node& softmax = r_.node(softmax_);
    const ValueId weights = softmax.outputs[0];
    const TensorType& type = r_.type(weights);
    if (!type.ranked || type.dims.size() < 3 || !is_computed(r_, weights)) return false;
    const int64_t axis = Call{op::Softmax, softmax.attrs}.i("axis");
    if (axis != -1 && axis != static_cast<int64_t>(type.dims.size()) - 1) return false;
    pattern_.take(softmax_);
    auto scores = attention_scores(r_, pattern_, softmax.inputs[0]);
    if (!scores) return false;
    scores_ = *scores;
    const Node& product = r_.node(scores_.product);
    type_ = r_.type(product.outputs[0]).dtype;
    precise_ = type.dtype != type_;
    return find_values(weights);
  }

  // From the weights to the product with the values.
  bool find_values(ValueId weights) {
    weights = without_nan(weights);
    for (;;) {
      NodeId at = -1;
      const Node* user = only_user(r_, weights, &at);
      if (!user) return false;
      if (user->op == &op::MatMul) {
        if (user->inputs[0] != weights) return false;
        values_ = user->inputs[1];
        pattern_.take(at);
        ends_.product = user->outputs[0];
        return r_.type(ends_.product).dtype == type_;
      }
      const bool passes =
          (user->op == &op::Cast && r_.type(user->outputs[0]).dtype == type_) ||
          (user->op == &op::Reshape && user->inputs[0] == weights) ||
          (user->op == &op::Dropout && user->inputs[0] == weights && !trains(*user));
      if (!passes) return false;
      pattern_.take(at);
      weights = user->outputs[0];
    }
  }

  bool trains(const Node& dropout) const {
    if (dropout.inputs.size() < 3 || dropout.inputs[2] == kNoValue) return false;
    const Tensor* training = r_.constant(dropout.inputs[2]);
    return !training || training->item<int64_t>() != 0;
  }

  // Where(IsNaN(weights), 0, weights): a query that sees no key gives zeros, as the operator does.
  ValueId without_nan(ValueId weights) {
    if (r_.is_output(weights) || r_.users(weights).size() != 2) return weights;
    NodeId test = -1, choice = -1;
    for (const NodeId user : r_.users(weights)) {
      if (r_.node(user).op == &op::IsNaN) test = user;
      if (r_.node(user).op == &op::Where) choice = user;
    }
    if (test < 0 || choice < 0) return weights;
    const Node& where = r_.node(choice);
    if (where.inputs[0] != r_.node(test).outputs[0] || r_.scalar(where.inputs[1]) != 0.0 ||
        where.inputs[2] != weights)
      return weights;
    pattern_.take(test);
    pattern_.take(choice);
    return where.outputs[0];
  }

  bool find_operands() {
    const Node& product = r_.node(scores_.product);
    q_ = attention_heads(r_, product.inputs[0], false, true);
    k_ = attention_heads(r_, product.inputs[1], true, true);
    v_ = attention_heads(r_, values_, false, false);
    return q_ && k_ && v_;
  }

  // Q, K and V have heads of their own.
  bool by_heads() {
    if (!q_->is_headed() || !k_->is_headed() || !v_->is_headed()) return false;
    const Dims &q = q_->dims, &k = k_->dims, &v = v_->dims;
    for (const size_t i : {0, 1})
      if (!(q[i] == k[i]) || !(q[i] == v[i])) return false;
    // The products hold the sizes of heads and the lengths of K and V together.
    if (!(q_->own_heads == q[1]) || !(k_->own_heads == v_->own_heads)) return false;
    if (!find_ends({q[0], q[1], q[2], v[3]}) || !pattern_.closed(ends_.heads)) return false;
    r_.at(softmax_);
    const auto mask = attention_mask(r_, scores_, {q[0], q[1], q[2], k[2]}, type_);
    if (!mask) return true;  // products of rank 3 would meet the same masks
    const bool flat = ends_.rows != kNoValue && q_->is_flat() && k_->is_flat() && v_->is_flat() &&
                      q[1].is_const() && k_->own_heads.is_const();
    if (!flat) {
      put(ends_.heads, attention(q_->to_heads(r_), k_->to_heads(r_), v_->to_heads(r_), *mask, {}));
      return true;
    }
    const ValueId y =
        attention(q_->to_flat(r_), k_->to_flat(r_), v_->to_flat(r_), *mask,
                  {{"q_num_heads", q[1].value()}, {"kv_num_heads", k_->own_heads.value()}});
    if (ends_.flat != kNoValue)
      put(ends_.flat, y);
    else
      put(ends_.rows,
          r_.add(op::Reshape, {y, r_.constant(Tensor::ints({0, 0, q[1].value(), -1}))}));
    return true;
  }

  // The nodes behind the product that merge the heads. One that gives products of rank 3 their
  // heads joins the match; the others are each the only reader of what they read.
  bool find_ends(const Dims& dims) {
    ends_.heads = ends_.product;
    NodeId at = -1;
    if (r_.type(ends_.product).dims.size() == 3) {
      const Node* reshape = only_user(r_, ends_.product, &at);
      if (!reshape || reshape->op != &op::Reshape) return false;
      ends_.heads = reshape->outputs[0];
    }
    if (!r_.type(ends_.heads).ranked || r_.type(ends_.heads).dims != dims) return false;
    if (at >= 0) pattern_.take(at);
    const Node* transpose = only_user(r_, ends_.heads, nullptr);
    if (!transpose || transpose->op != &op::Transpose || !has_order(*transpose, {0, 2, 1, 3}))
      return true;
    ends_.rows = transpose->outputs[0];
    const Node* reshape = only_user(r_, ends_.rows, nullptr);
    const Dims merged{dims[0], dims[2], dims[1] * dims[3]};
    if (reshape && reshape->op == &op::Reshape && reshape->inputs[0] == ends_.rows &&
        r_.type(reshape->outputs[0]).dims == merged)
      ends_.flat = reshape->outputs[0];
    return true;
  }

  // Products of rank 3 whose heads cannot be told: each of the batch is one head.
  void single() {
    if (!q_->single || !k_->single || !v_->single) return;
    const auto dims = [&](const AttentionHeads& x) { return r_.type(x.single.value).dims; };
    const Dims q = dims(*q_), k = dims(*k_), v = dims(*v_);
    if (!(q[0] == k[0]) || !(q[0] == v[0]) ||
        r_.type(ends_.product).dims != Dims{q[0], q[1], v[2]} || !pattern_.closed(ends_.product))
      return;
    r_.at(softmax_);
    AttentionScores scores = scores_;
    // [batch, queries, keys] as [batch, 1, queries, keys]
    const auto with_head = [&](ValueId& mask) {
      if (r_.type(mask).ranked && r_.type(mask).dims.size() == 3)
        mask = r_.add(op::Unsqueeze, {mask, r_.constant(Tensor::ints({1}))});
    };
    for (ValueId& mask : scores.added) with_head(mask);
    for (ValueId& mask : scores.subtracted) with_head(mask);
    for (auto& choice : scores.choices) with_head(choice.condition);
    const auto mask = attention_mask(r_, scores, {q[0], 1, q[1], k[1]}, type_);
    if (!mask) return;
    put(ends_.product, attention(q_->single, k_->single, v_->single, *mask,
                                 {{"q_num_heads", 1}, {"kv_num_heads", 1}}));
  }

  ValueId attention(AttentionHeads::Place q, AttentionHeads::Place k, AttentionHeads::Place v,
                    const AttentionMask& mask, Attrs attrs) {
    attrs = attrs.with({"scale", scores_.scale * q.factor * k.factor});
    if (mask.causal) attrs = attrs.with({"is_causal", 1});
    if (scores_.softcap != 0) attrs = attrs.with({"softcap", scores_.softcap});
    if (precise_) attrs = attrs.with({"softmax_precision", static_cast<int64_t>(DType::f32)});
    std::vector<ValueId> inputs{q.value, k.value, v.value};
    if (mask.mask != kNoValue) inputs.push_back(mask.mask);
    return r_.add(op::Attention, std::move(inputs), attrs);
  }

  void put(ValueId old, ValueId by) {
    if (same_type(r_, old, by)) r_.replace(old, by);
  }

  Rewriter& r_;
  Pattern pattern_;
  NodeId softmax_;
  AttentionScores scores_;
  std::optional<AttentionHeads> q_, k_, v_;
  ValueId values_ = kNoValue;
  Ends ends_;
  DType type_ = DType::undefined;
  bool precise_ = false;  // softmax in f32 of narrower scores
};

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::Softmax) Match(r, n).fuse();
}

}  // namespace

constinit const Pass fuse_attention{
    "fuse_attention",
    "Scaled products of queries and keys, masks, Softmax and the product with values become "
    "Attention.",
    run};

}  // namespace tenon::passes
