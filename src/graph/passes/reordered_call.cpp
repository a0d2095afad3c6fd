#include "graph/passes/reordered_call.h"

#include <algorithm>
#include <span>

#include "ops/image/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::graph {

namespace {

using OpList = std::span<const OpDef* const>;

// Element by element; further inputs are scalars.
constexpr const OpDef* kUnary[] = {&op::Abs,
                                   &op::Acos,
                                   &op::Acosh,
                                   &op::Asin,
                                   &op::Asinh,
                                   &op::Atan,
                                   &op::Atanh,
                                   &op::BitwiseNot,
                                   &op::Cast,
                                   &op::Ceil,
                                   &op::Celu,
                                   &op::Clip,
                                   &op::Cos,
                                   &op::Cosh,
                                   &op::Elu,
                                   &op::Erf,
                                   &op::Exp,
                                   &op::FastGelu,
                                   &op::Floor,
                                   &op::Gelu,
                                   &op::HardSigmoid,
                                   &op::HardSwish,
                                   &op::IsInf,
                                   &op::IsNaN,
                                   &op::LeakyRelu,
                                   &op::Log,
                                   &op::MicrosoftGelu,
                                   &op::Mish,
                                   &op::Neg,
                                   &op::Not,
                                   &op::QuickGelu,
                                   &op::Reciprocal,
                                   &op::Relu,
                                   &op::Round,
                                   &op::Selu,
                                   &op::Shrink,
                                   &op::Sigmoid,
                                   &op::Sign,
                                   &op::Sin,
                                   &op::Sinh,
                                   &op::Softplus,
                                   &op::Softsign,
                                   &op::Sqrt,
                                   &op::Swish,
                                   &op::Tan,
                                   &op::Tanh,
                                   &op::ThresholdedRelu};
// Element by element, all inputs broadcast.
constexpr const OpDef* kBroadcasting[] = {
    &op::Add,        &op::And,         &op::BitShift, &op::BitwiseAnd, &op::BitwiseOr,
    &op::BitwiseXor, &op::Div,         &op::Equal,    &op::Greater,    &op::GreaterOrEqual,
    &op::Less,       &op::LessOrEqual, &op::Max,      &op::Mean,       &op::Min,
    &op::Mod,        &op::Mul,         &op::Or,       &op::PRelu,      &op::Pow,
    &op::Sub,        &op::Sum,         &op::Where,    &op::Xor};
// Along one axis, the attribute `axis`; outputs have all axes.
constexpr const OpDef* kAlongAxis[] = {&op::Softmax,         &op::LogSoftmax, &op::Hardmax,
                                       &op::LpNormalization, &op::Split,      &op::TopK};
constexpr const OpDef* kReductions[] = {
    &op::ReduceL1,   &op::ReduceL2,  &op::ReduceLogSum, &op::ReduceLogSumExp, &op::ReduceMax,
    &op::ReduceMean, &op::ReduceMin, &op::ReduceProd,   &op::ReduceSum,       &op::ReduceSumSquare};

bool is_one_of(const OpDef* op, OpList list) { return std::ranges::find(list, op) != list.end(); }

// One call being looked at.
struct Question {
  const Rewriter& r;
  const Node& node;
  const Order& order;

  Call call() const { return call_of(node); }
  int64_t rank() const { return static_cast<int64_t>(order.size()); }
  bool has(size_t i) const { return input_of(node, i) != kNoValue; }
  // The axis of x that an axis of the transposed tensor is.
  int64_t before(int64_t axis) const {
    return order[static_cast<size_t>(axis < 0 ? axis + rank() : axis)];
  }
  std::vector<int64_t> before(std::span<const int64_t> axes) const {
    std::vector<int64_t> list;
    for (const int64_t axis : axes) list.push_back(before(axis));
    return list;
  }
  std::optional<std::vector<int64_t>> ints(size_t i) const { return r.ints(input_of(node, i)); }
  // All axes keep their number; only the first input has them.
  ReorderedCall same() const {
    ReorderedCall result{order, node.attrs, std::vector<bool>(node.inputs.size(), false), {}};
    result.data[0] = true;
    return result;
  }
};

// What is left of the order when axes (of the transposed tensor, from the front) go.
Order without(const Order& order, std::span<const int64_t> gone) {
  Order left, places;
  for (size_t i = 0; i < order.size(); ++i)
    if (std::ranges::find(gone, static_cast<int64_t>(i)) == gone.end()) left.push_back(order[i]);
  for (const int64_t axis : left)
    places.push_back(std::ranges::count_if(left, [&](int64_t other) { return other < axis; }));
  return places;
}

bool is_single(const Rewriter& r, ValueId id) {
  return id == kNoValue || (r.type(id).ranked && product(r.type(id).dims) == Dim(1));
}

std::optional<ReorderedCall> unary(const Question& q) {
  for (size_t i = 1; i < q.node.inputs.size(); ++i)
    if (!is_single(q.r, q.node.inputs[i]) || q.node.op == &op::FastGelu) return std::nullopt;
  return q.same();
}

std::optional<ReorderedCall> broadcasting(const Question& q) {
  ReorderedCall result = q.same();
  result.data.assign(result.data.size(), true);
  return result;
}

std::optional<ReorderedCall> along_axis(const Question& q) {
  ReorderedCall result = q.same();
  result.attrs = result.attrs.with({"axis", q.before(q.call().i("axis"))});
  if (q.node.op == &op::Concat) result.data.assign(result.data.size(), true);
  return result;
}

// One scale for all, or one for each place of an axis.
std::optional<ReorderedCall> quantised(const Question& q) {
  if (q.call().i("block_size") != 0 || !q.r.type(q.node.inputs[1]).ranked) return std::nullopt;
  const size_t scale_rank = q.r.type(q.node.inputs[1]).dims.size();
  if (scale_rank == 0) return q.same();
  return scale_rank == 1 ? along_axis(q) : std::nullopt;
}

std::optional<ReorderedCall> reduced(const Question& q) {
  ReorderedCall result = q.same();
  std::vector<int64_t> axes;
  if (q.has(1)) {
    const auto given = q.ints(1);
    if (!given) return std::nullopt;
    for (const int64_t axis : *given) axes.push_back(axis < 0 ? axis + q.rank() : axis);
  }
  const bool all = axes.empty() && q.call().i("noop_with_empty_axes") == 0;
  if (!axes.empty()) result.lists.emplace_back(1, Tensor::ints(q.before(axes)));
  if (all)
    for (int64_t axis = 0; axis < q.rank(); ++axis) axes.push_back(axis);
  if (q.call().i("keepdims") == 0) result.output = without(q.order, axes);
  return result;
}

std::optional<ReorderedCall> arg_reduced(const Question& q) {
  ReorderedCall result = *along_axis(q);
  const int64_t axis = q.call().i("axis");
  const int64_t gone[] = {axis < 0 ? axis + q.rank() : axis};
  if (q.call().i("keepdims") == 0) result.output = without(q.order, gone);
  return result;
}

std::optional<ReorderedCall> squeezed(const Question& q) {
  const auto given = q.ints(1);
  if (!given) return std::nullopt;
  ReorderedCall result = q.same();
  std::vector<int64_t> axes;
  for (const int64_t axis : *given) axes.push_back(axis < 0 ? axis + q.rank() : axis);
  result.lists.emplace_back(1, Tensor::ints(q.before(axes)));
  result.output = without(q.order, axes);
  return result;
}

// The new axes stay where they are; the others are in x's order between them.
std::optional<ReorderedCall> unsqueezed(const Question& q) {
  const auto given = q.ints(1);
  if (!given) return std::nullopt;
  ReorderedCall result = q.same();
  const int64_t rank = q.rank() + static_cast<int64_t>(given->size());
  std::vector<int64_t> inserted, others;
  for (const int64_t axis : *given) inserted.push_back(axis < 0 ? axis + rank : axis);
  for (int64_t axis = 0; axis < rank; ++axis)
    if (std::ranges::find(inserted, axis) == inserted.end()) others.push_back(axis);
  result.output.assign(static_cast<size_t>(rank), 0);
  for (const int64_t axis : inserted) result.output[static_cast<size_t>(axis)] = axis;
  for (size_t i = 0; i < others.size(); ++i)
    result.output[static_cast<size_t>(others[i])] = others[static_cast<size_t>(q.order[i])];
  return result;
}

std::optional<ReorderedCall> gathered(const Question& q) {
  const TensorType& indices = q.r.type(q.node.inputs[1]);
  if (!indices.ranked || indices.dims.size() > 1) return std::nullopt;
  ReorderedCall result = *along_axis(q);
  const int64_t axis = q.call().i("axis");
  const int64_t gone[] = {axis < 0 ? axis + q.rank() : axis};
  if (indices.dims.empty()) result.output = without(q.order, gone);
  return result;
}

std::optional<ReorderedCall> padded(const Question& q) {
  ReorderedCall result = q.same();
  if (q.has(3)) {
    const auto axes = q.ints(3);
    if (!axes) return std::nullopt;
    result.lists.emplace_back(3,
                              Tensor::ints(q.before(*axes)).to(q.r.type(q.node.inputs[3]).dtype));
    return result;
  }
  const auto pads = q.ints(1);
  if (!pads) return std::nullopt;
  std::vector<int64_t> moved(pads->size());
  const size_t rank = q.order.size();
  for (size_t i = 0; i < rank; ++i) {
    const auto to = static_cast<size_t>(q.order[i]);
    moved[to] = (*pads)[i];
    moved[to + rank] = (*pads)[i + rank];
  }
  result.lists.emplace_back(1, Tensor::ints(moved));
  return result;
}

std::optional<ReorderedCall> sliced(const Question& q) {
  std::vector<int64_t> axes;
  if (q.has(3)) {
    const auto given = q.ints(3);
    if (!given) return std::nullopt;
    axes = *given;
  } else {
    const TensorType& starts = q.r.type(q.node.inputs[1]);
    if (!starts.ranked || !is_static(starts.dims)) return std::nullopt;
    for (int64_t i = 0; i < product(starts.dims).value(); ++i) axes.push_back(i);
  }
  ReorderedCall result = q.same();
  result.lists.emplace_back(3, Tensor::ints(q.before(axes)).to(q.r.type(q.node.inputs[1]).dtype));
  return result;
}

// A constant list of one number an axis, in x's order.
std::optional<Tensor> by_axis(const Question& q, size_t i) {
  const Tensor* list = q.r.constant(q.node.inputs[i]);
  if (!list || list->rank() != 1 || list->numel() != q.rank()) return std::nullopt;
  Tensor moved = Tensor::empty(list->shape(), list->dtype());
  for (int64_t axis = 0; axis < q.rank(); ++axis)
    moved.select(0, q.before(axis)).copy_from(list->select(0, axis));
  return moved;
}

std::optional<ReorderedCall> tiled(const Question& q) {
  const auto repeats = by_axis(q, 1);
  if (!repeats) return std::nullopt;
  ReorderedCall result = q.same();
  result.lists.emplace_back(1, *repeats);
  return result;
}

std::optional<ReorderedCall> resized(const Question& q) {
  const Call call = q.call();
  if (call.s("coordinate_transformation_mode") == "tf_crop_and_resize") return std::nullopt;
  ReorderedCall result = q.same();
  if (call.has("axes")) {
    result.attrs = result.attrs.with({"axes", AttrValue(q.before(call.ints("axes")))});
    return result;
  }
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (!q.has(i)) continue;
    const Tensor* list = q.r.constant(q.node.inputs[i]);
    if (list && list->numel() == 0) continue;
    const auto moved = by_axis(q, i);
    if (!moved) return std::nullopt;
    result.lists.emplace_back(i, *moved);
  }
  return result;
}

}  // namespace

std::optional<ReorderedCall> reordered_call(const Rewriter& r, const Node& node,
                                            const Order& order) {
  const OpDef* op = node.op;
  const Question q{r, node, order};
  if (is_one_of(op, kBroadcasting)) return broadcasting(q);
  if (!q.has(0) || !r.type(node.inputs[0]).ranked) return std::nullopt;
  if (r.type(node.inputs[0]).dims.size() != order.size()) return std::nullopt;
  if (is_one_of(op, kUnary)) return unary(q);
  if (is_one_of(op, kAlongAxis) || op == &op::Concat) return along_axis(q);
  if (is_one_of(op, kReductions)) return reduced(q);
  if (op == &op::ArgMax || op == &op::ArgMin) return arg_reduced(q);
  if (op == &op::QuantizeLinear || op == &op::DequantizeLinear) return quantised(q);
  if (op == &op::Squeeze) return squeezed(q);
  if (op == &op::Unsqueeze) return unsqueezed(q);
  if (op == &op::Gather) return gathered(q);
  if (op == &op::Pad) return padded(q);
  if (op == &op::Slice) return sliced(q);
  if (op == &op::Tile) return tiled(q);
  if (op == &op::Resize) return resized(q);
  return std::nullopt;
}

}  // namespace tenon::graph
