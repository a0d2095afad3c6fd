// DequantizeLinear, an operator of floats, QuantizeLinear: one operator of integers. What is said
// of types and shapes here is what ONNX Runtime's integer operators take.
#include <algorithm>
#include <cmath>

#include "graph/passes/catalog.h"
#include "graph/quantization.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using namespace graph;  // NOLINT(google-build-using-namespace)

bool is_bytes(const Quantization& how) { return how.type == DType::i8 || how.type == DType::u8; }

// A value dequantised from bytes, one scale for all.
std::optional<Dequantized> whole(const Rewriter& r, ValueId value) {
  std::optional<Dequantized> x = dequantized(r, value);
  if (!x || !x->how.per_tensor() || !is_bytes(x->how)) return std::nullopt;
  return x;
}

// Weights: constant bytes with one scale for all or one for each index of `axis`.
std::optional<Dequantized> weights(Rewriter& r, ValueId value, int64_t axis) {
  std::optional<Dequantized> w = dequantized_constant(r, value);
  if (!w || !is_bytes(w->how) || (w->how.axis && *w->how.axis != axis)) return std::nullopt;
  return w;
}

std::vector<float> scales_of(const Rewriter& r, const Quantization& how, int64_t count) {
  std::vector<float> list = r.constant(how.scale)->to_vector<float>();
  if (list.size() == 1) list.assign(static_cast<size_t>(count), list[0]);
  return list;
}

// Biases become sums of 32 bits, in steps of x_scale * w_scale. Those that are not whole steps (as
// quantised ones are) take a step that is a small part of the result's; sums stay far from
// overflow.
constexpr float kMostOfAStep = 1.0F / 16;
constexpr double kMostBias = 1 << 30;

// kNoValue where the bias cannot be had so; `count` is its number of elements.
ValueId bias_sums(Rewriter& r, ValueId bias, float x_scale, const std::vector<float>& w_scales,
                  float y_scale) {
  const std::optional<Tensor> real = real_constant(r, bias);
  if (!real || real->numel() != static_cast<int64_t>(w_scales.size())) return kNoValue;
  const std::vector<float> values = real->to_vector<float>();
  std::vector<int32_t> sums;
  for (size_t i = 0; i < values.size(); ++i) {
    const float step = x_scale * w_scales[i];
    const double steps = static_cast<double>(values[i]) / static_cast<double>(step);
    const double sum = std::nearbyint(steps);
    const bool whole_steps = std::abs(steps - sum) <= 1e-4 + 1e-6 * std::abs(sum);
    if (!whole_steps && step > y_scale * kMostOfAStep) return kNoValue;
    if (!(std::abs(sum) < kMostBias)) return kNoValue;
    sums.push_back(static_cast<int32_t>(sum));
  }
  return r.constant(Tensor::from<int32_t>(sums, {static_cast<int64_t>(sums.size())}),
                    r.graph().value(bias).name + "_sums");
}

// Inputs of an integer operator, one behind the other.
struct Inputs {
  Rewriter& r;
  std::vector<ValueId> list = {};

  void add(ValueId value) { list.push_back(value); }
  void add(const Dequantized& x) {  // elements, scale, zero point
    list.push_back(x.x);
    add(x.how);
  }
  void add(const Quantization& how) {
    list.push_back(how.scale);
    list.push_back(zero_point(r, how));
  }
};

// What stands before a QuantizeLinear: an operator, then at most one Relu or Clip, whose bounds
// become those of the quantised numbers.
struct Core {
  NodeId node = -1;
  std::optional<double> low, high;
};

bool is_relu(const Rewriter& r, const Node& node, Core& core) {
  if (node.op == &op::Relu) {
    core.low = 0;
    return true;
  }
  if (node.op != &op::Clip) return false;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const auto bound = r.scalar(node.inputs[i]);
    if (!bound || std::isnan(*bound)) return false;
    (i == 1 ? core.low : core.high) = bound;
  }
  return true;
}

// The quantised result within the bounds, where those say anything.
ValueId bounded(Rewriter& r, ValueId y, const Core& core, const Quantization& how) {
  const auto low = core.low ? quantized(*core.low, how) : lowest(how.type);
  const auto high = core.high ? quantized(*core.high, how) : highest(how.type);
  if (low == lowest(how.type) && high == highest(how.type)) return y;
  const auto bound = [&](int64_t value) {
    return r.constant(Tensor::scalar(static_cast<double>(value), how.type));
  };
  return r.add(op::Clip, {y, bound(low), bound(high)});
}

ValueId fold_conv(Rewriter& r, const Node& node, const Quantization& y) {
  const auto x = whole(r, node.inputs[0]);
  const auto w = weights(r, node.inputs[1], 0);
  if (!x || !w) return kNoValue;
  const int64_t maps = r.constant(w->x)->shape()[0];
  ValueId bias = kNoValue;
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    bias = bias_sums(r, node.inputs[2], x->how.one_scale, scales_of(r, w->how, maps), y.one_scale);
    if (bias == kNoValue) return kNoValue;
  }
  Inputs in{r};
  in.add(*x);
  in.add(*w);
  in.add(y);
  if (bias != kNoValue) in.add(bias);
  return r.add(op::QLinearConv, in.list, node.attrs);
}

bool is_matrix(const Rewriter& r, ValueId value) {
  return r.type(value).ranked && r.type(value).dims.size() == 2;
}

// Right sides that are constant may have a scale for each column.
std::optional<Dequantized> right_side(Rewriter& r, ValueId value, int64_t column_axis) {
  if (!r.type(value).ranked) return std::nullopt;
  if (is_matrix(r, value))
    if (auto b = weights(r, value, column_axis)) return b;
  return whole(r, value);
}

ValueId fold_mat_mul(Rewriter& r, const Node& node, const Quantization& y) {
  const auto a = whole(r, node.inputs[0]);
  const auto b = right_side(r, node.inputs[1], 1);
  if (!a || !b) return kNoValue;
  Inputs in{r};
  in.add(*a);
  in.add(*b);
  in.add(y);
  return r.add(op::QLinearMatMul, in.list);
}

// Without `y` the result is one of floats.
ValueId fold_gemm(Rewriter& r, const Node& node, const Quantization* y) {
  const Call call{*node.op, node.attrs};
  const bool has_c = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  const bool transposed = call.i("transB") != 0;
  const auto a = whole(r, node.inputs[0]);
  const auto b = weights(r, node.inputs[1], transposed ? 0 : 1);
  if (!a || !b || (has_c && (call.f("alpha") != 1 || call.f("beta") != 1))) return kNoValue;
  const int64_t columns = r.constant(b->x)->shape()[transposed ? 0 : 1];
  ValueId c = kNoValue;
  if (has_c) {
    const std::vector<float> scales = scales_of(r, b->how, columns);
    const Dims& dims = r.type(node.inputs[2]).dims;
    if (dims.empty() || !(dims.back() == Dim(columns))) return kNoValue;
    // As floats the sums have steps of that size anyway.
    c = bias_sums(r, node.inputs[2], a->how.one_scale, scales, y ? y->one_scale : INFINITY);
    if (c == kNoValue) return kNoValue;
  }
  Inputs in{r};
  in.add(*a);
  in.add(*b);
  if (c != kNoValue || y) in.add(c);
  if (y) in.add(*y);
  Attrs attrs{
      {"alpha", call.f("alpha")}, {"transA", call.i("transA")}, {"transB", call.i("transB")}};
  return r.add(op::QGemm, in.list, attrs);
}

ValueId fold_binary(Rewriter& r, const Node& node, const Quantization& y) {
  const auto a = whole(r, node.inputs[0]), b = whole(r, node.inputs[1]);
  if (!a || !b || a->how.type != y.type || b->how.type != y.type) return kNoValue;
  Inputs in{r};
  in.add(*a);
  in.add(*b);
  in.add(y);
  return r.add(node.op == &op::Add ? op::QLinearAdd : op::QLinearMul, in.list);
}

// Operators of one input that have an integer form of the same attributes.
ValueId fold_unary(Rewriter& r, const Node& node, const OpDef& integer, const Quantization& y) {
  const auto x = whole(r, node.inputs[0]);
  if (!x || x->how.type != y.type) return kNoValue;
  std::vector<Attr> attrs;
  for (const Attr& attr : node.attrs.list()) {
    if (integer.find_attr(attr.name)) {
      attrs.push_back(attr);
      continue;
    }
    const auto* list = std::get_if<std::vector<int64_t>>(&attr.value);
    if (!list || std::ranges::any_of(*list, [](int64_t value) { return value != 1; }))
      return kNoValue;  // dilations that say something
  }
  Inputs in{r};
  in.add(*x);
  in.add(y);
  return r.add(integer, in.list, Attrs(std::move(attrs)));
}

ValueId fold_concat(Rewriter& r, const Node& node, const Quantization& y) {
  Inputs in{r};
  in.add(y);
  for (ValueId input : node.inputs) {
    const auto x = whole(r, input);
    if (!x || x->how.type != y.type) return kNoValue;
    in.add(*x);
  }
  return r.add(op::QLinearConcat, in.list, {{"axis", Call{*node.op, node.attrs}.i("axis")}});
}

ValueId fold_core(Rewriter& r, NodeId id, const Quantization& y) {
  const Node node = r.node(id);
  r.at(id);
  if (node.op == &op::Conv) return fold_conv(r, node, y);
  if (node.op == &op::MatMul) return fold_mat_mul(r, node, y);
  if (node.op == &op::Gemm) return fold_gemm(r, node, &y);
  if (node.op == &op::Add || node.op == &op::Mul) return fold_binary(r, node, y);
  if (node.op == &op::AveragePool) return fold_unary(r, node, op::QLinearAveragePool, y);
  if (node.op == &op::GlobalAveragePool)
    return fold_unary(r, node, op::QLinearGlobalAveragePool, y);
  if (node.op == &op::Sigmoid) return fold_unary(r, node, op::QLinearSigmoid, y);
  if (node.op == &op::LeakyRelu) return fold_unary(r, node, op::QLinearLeakyRelu, y);
  if (node.op == &op::Concat) return fold_concat(r, node, y);
  return kNoValue;
}

void fold_quantized(Rewriter& r, NodeId id) {
  const Node node = r.node(id);
  const auto y = quantization_of(r, node);
  if (!y || !y->per_tensor()) return;
  ValueId value = node.inputs[0];
  Core core;
  core.node = r.producer(value);
  if (core.node < 0) return;
  if (is_relu(r, r.node(core.node), core)) {
    const Node relu = r.node(core.node);
    // Of elements that are quantised alike: bounds on those.
    if (const auto x = whole(r, relu.inputs[0]); x && x->how.same_as(*y)) {
      r.at(core.node);
      return r.replace(node.outputs[0], bounded(r, x->x, core, *y));
    }
    if (!r.used_once(value)) return;
    value = relu.inputs[0];
    core.node = r.producer(value);
  }
  if (core.node < 0 || !r.used_once(value)) return;
  const ValueId integer = fold_core(r, core.node, *y);
  if (integer != kNoValue) r.replace(node.outputs[0], bounded(r, integer, core, *y));
}

// A bias of floats for each column, added to `product`, which only that Add reads.
struct BiasAdd {
  NodeId node = -1;
  ValueId bias = kNoValue;
};
BiasAdd bias_after(const Rewriter& r, ValueId product) {
  if (!r.used_once(product) || !r.type(product).ranked || r.type(product).dims.empty()) return {};
  const NodeId user = r.users(product)[0];
  const Node& node = r.node(user);
  if (node.op != &op::Add) return {};
  const ValueId other = node.inputs[node.inputs[0] == product ? 1 : 0];
  const Tensor* bias = r.constant(other);
  if (!bias || bias->rank() != 1 || bias->dtype() != DType::f32 ||
      !(r.type(product).dims.back() == Dim(bias->shape()[0])))
    return {};
  return {user, other};
}

// The product of bytes as floats, with the bias behind it.
void to_float(Rewriter& r, ValueId product, std::vector<ValueId> inputs) {
  const BiasAdd add = bias_after(r, product);
  if (add.node >= 0) inputs.push_back(add.bias);
  const ValueId y = r.add(op::MatMulIntegerToFloat, std::move(inputs));
  r.replace(add.node >= 0 ? r.node(add.node).outputs[0] : product, y);
}

void fold_float_mat_mul(Rewriter& r, NodeId id) {
  const Node node = r.node(id);
  const auto a = whole(r, node.inputs[0]);
  if (!a || !is_matrix(r, node.inputs[1])) return;
  const auto b = weights(r, node.inputs[1], 1);
  if (!b) return;
  r.at(id);
  to_float(r, node.outputs[0],
           {a->x, b->x, a->how.scale, b->how.scale, zero_point(r, a->how), zero_point(r, b->how)});
}

// The product of numbers quantised as they come: MatMulInteger, cast to f32, times both scales.
void fold_dynamic(Rewriter& r, NodeId id) {
  const Node node = r.node(id);
  const auto next = [&](ValueId value, const OpDef& op) -> NodeId {
    if (!r.used_once(value)) return -1;
    const NodeId user = r.users(value)[0];
    return r.node(user).op == &op ? user : -1;
  };
  const NodeId cast = next(node.outputs[0], op::Cast);
  if (cast < 0 || r.type(r.node(cast).outputs[0]).dtype != DType::f32) return;
  const ValueId real = r.node(cast).outputs[0];
  const NodeId scaled = next(real, op::Mul);
  if (scaled < 0) return;
  const Node& mul = r.node(scaled);
  const Node* scales = r.made_by(mul.inputs[mul.inputs[0] == real ? 1 : 0], op::Mul);
  if (!scales) return;
  // One scale is the left side's, a scalar, the other the right side's, which are constant.
  for (size_t i = 0; i < 2; ++i) {
    const ValueId a_scale = scales->inputs[i], b_scale = scales->inputs[1 - i];
    const Tensor* right = r.constant(b_scale);
    const auto left = r.shape(a_scale);
    if (!right || !left || left->numel() != 1 || left->rank() > 1 || right->rank() > 1) continue;
    const TensorType& y = r.type(mul.outputs[0]);
    if (!y.ranked || y.dims.empty() || r.type(a_scale).dtype != DType::f32) return;
    if (right->numel() != 1 && !(y.dims.back() == Dim(right->numel()))) return;
    const auto zero = [&](size_t at) {
      return at < node.inputs.size() ? node.inputs[at] : kNoValue;
    };
    const auto zero_shape = zero(2) == kNoValue ? std::optional(Shape()) : r.shape(zero(2));
    if (!zero_shape || zero_shape->numel() != 1 || zero_shape->rank() > 1) return;
    const ValueId product = mul.outputs[0];
    r.at(id);
    to_float(r, product, {node.inputs[0], node.inputs[1], a_scale, b_scale, zero(2), zero(3)});
    return;
  }
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::QuantizeLinear) fold_quantized(r, n);
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const OpDef* op = r.node(n).op;
    if (op == &op::MatMul) fold_float_mat_mul(r, n);
    if (op == &op::MatMulInteger) fold_dynamic(r, n);
    if (op == &op::Gemm) {
      const Node node = r.node(n);
      r.at(n);
      const ValueId folded = fold_gemm(r, node, nullptr);
      if (folded != kNoValue) r.replace(node.outputs[0], folded);
    }
  }
}

}  // namespace

constinit const Pass fold_qdq{
    "fold_qdq",
    "Operators between DequantizeLinear and QuantizeLinear become operators of integers.", run};

}  // namespace tenon::passes
