// Products take in what follows them: scale, bias, residual, activation.
#include <algorithm>

#include "graph/passes/catalog.h"
#include "graph/passes/following_activation.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// A row to be added: a value of shape [n], or a constant yet to be put into the graph.
struct Row {
  ValueId value = kNoValue;
  Tensor constant;  // of shape [n], where it is one

  bool exists() const { return value != kNoValue || constant.defined(); }
};

// FusedLinear in the making.
struct Linear {
  ValueId x = kNoValue, w = kNoValue;
  bool transposed = false;
  double alpha = 1;
  Row b;
  ValueId z = kNoValue;
  FollowingActivation activation;
  ValueId y = kNoValue;  // what it computes so far
  int taken = 0;         // nodes it stands for besides the product
};

bool is_fusable(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

ValueId input(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

// Whether both are of known rank and provably of the same sizes.
bool same_dims(const Rewriter& r, ValueId a, ValueId b) {
  return r.type(a).ranked && r.type(b).ranked && r.type(a).dims == r.type(b).dims;
}

// `id` as a row that is added to what has `columns` columns; it does not exist where it is none.
Row row_of(const Rewriter& r, ValueId id, const Dim& columns) {
  Row row;
  const TensorType& type = r.type(id);
  if (type.ranked && type.dims.size() == 1 && type.dims[0] == columns) row.value = id;
  const Tensor* constant = r.constant(id);
  if (!constant || !columns.is_const() || columns.value() < 1) return row;
  const int64_t n = columns.value();
  const Tensor sizes = Tensor::ints({n});
  const Shape& shape = constant->shape();
  if (constant->numel() == n && (shape.rank() == 0 || shape.back() == n))
    row.constant = op::Reshape(*constant, sizes);
  else if (constant->numel() == 1)
    row.constant = op::Expand(op::Reshape(*constant, Tensor::ints({1})), sizes).contiguous();
  return row;
}

// Whether an attribute of FusedGemm is a parameter of the activation: gamma is Selu's alone.
bool takes(std::string_view activation, std::string_view parameter) {
  return parameter != "activation_gamma" || activation == "Selu";
}

// What a node computes as a product, where it is one of matrices that FusedLinear takes.
std::optional<Linear> product_of(const Rewriter& r, const Node& node) {
  const Call call{*node.op, node.attrs};
  const auto flag = [&](std::string_view name) {
    return node.op->find_attr(name) && call.i(name) != 0;
  };
  const auto is = [&](std::initializer_list<const OpDef*> ops) {
    return std::ranges::find(ops, node.op) != ops.end();
  };
  const bool plain = is({&op::MatMul}), fused = is({&op::FusedLinear});
  const bool gemm = is({&op::Gemm, &op::FusedGemm}), with_gelu = is({&op::GemmFastGelu});
  const bool scaled = is({&op::FusedMatMul, &op::FusedMatMulActivation, &op::TransposeMatMul});
  if (!plain && !gemm && !scaled && !fused && !with_gelu) return std::nullopt;
  if (flag("transA") || flag("transBatchA") || flag("transBatchB")) return std::nullopt;

  Linear linear;
  linear.x = node.inputs[0];
  linear.w = node.inputs[1];
  linear.y = node.outputs[0];
  const TensorType &x = r.type(linear.x), &w = r.type(linear.w), &y = r.type(linear.y);
  if (!is_fusable(y.dtype) || !x.ranked || !w.ranked || !y.ranked || x.dims.empty() ||
      w.dims.size() < 2 || y.dims.empty())
    return std::nullopt;
  linear.transposed = flag("transB") || flag("transW");
  if (!plain && !with_gelu) linear.alpha = call.f("alpha");
  const ValueId third = input(node, 2);
  if (third != kNoValue && (gemm || fused || with_gelu)) {
    const double beta = gemm ? call.f("beta") : 1;
    linear.b = row_of(r, third, y.dims.back());
    if (beta != 1 && linear.b.constant.defined())
      linear.b = {kNoValue, linear.b.constant * beta};
    else if (beta == 0)
      linear.b = {};
    else if (beta != 1)
      return std::nullopt;
    else if (!linear.b.exists() && same_dims(r, third, linear.y))
      linear.z = third;
    else if (!linear.b.exists())
      return std::nullopt;
  }
  if (fused) {
    linear.z = input(node, 3);
    const auto parameters = call.floats("activation_params");
    linear.activation = {std::string(call.s("activation")), {parameters.begin(), parameters.end()}};
  }
  if (is({&op::FusedGemm, &op::FusedMatMulActivation})) {
    linear.activation.name = call.s("activation");
    for (const char* parameter : {"activation_alpha", "activation_beta", "activation_gamma"})
      if (call.has(parameter) && takes(linear.activation.name, parameter))
        linear.activation.parameters.push_back(call.f(parameter));
  }
  if (with_gelu) linear.activation.name = "GeluTanh";
  // There are better kernels for FusedLinear than for these.
  if (with_gelu || is({&op::FusedGemm}) || (scaled && r.constant(linear.w))) linear.taken = 1;
  return linear;
}

bool add(const Rewriter& r, Linear& linear, ValueId other, double sign) {
  const Row row = row_of(r, other, r.type(linear.y).dims.back());
  if (row.exists() && !linear.b.exists()) {
    if (sign == 1)
      linear.b = row;
    else if (row.constant.defined())
      linear.b = {kNoValue, op::Neg(row.constant)};
    return linear.b.exists();
  }
  if (row.constant.defined() && linear.b.constant.defined()) {
    linear.b = {kNoValue,
                sign == 1 ? linear.b.constant + row.constant : linear.b.constant - row.constant};
    return true;
  }
  if (sign != 1 || linear.z != kNoValue || !same_dims(r, other, linear.y)) return false;
  linear.z = other;
  return true;
}

bool scale(Linear& linear, double factor) {
  if (linear.z != kNoValue || (linear.b.exists() && !linear.b.constant.defined())) return false;
  linear.alpha *= factor;
  if (linear.b.exists()) linear.b = {kNoValue, linear.b.constant * factor};
  return true;
}

// Takes `node`, which alone reads what `linear` computes, into it.
bool take(const Rewriter& r, Linear& linear, const Node& node) {
  if (!same_dims(r, node.outputs[0], linear.y)) return false;
  const bool first = node.inputs[0] == linear.y;
  if (first)
    if (const std::optional<FollowingActivation> activation = activation_of(r, node)) {
      linear.activation = *activation;
      return true;
    }
  if (node.op == &op::BiasGelu || node.op == &op::FastGelu) {
    const ValueId bias = input(node, 1);
    if (!first || (bias != kNoValue && !add(r, linear, bias, 1))) return false;
    linear.activation.name = node.op == &op::BiasGelu ? "Gelu" : "GeluTanh";
    return true;
  }
  if (node.op == &op::Add) return add(r, linear, node.inputs[first ? 1 : 0], 1);
  if (node.op == &op::Sub) return first && add(r, linear, node.inputs[1], -1);
  if (node.op != &op::Mul && node.op != &op::Div) return false;
  if (node.op == &op::Div && !first) return false;
  const std::optional<double> factor = r.scalar(node.inputs[first ? 1 : 0]);
  if (!factor) return false;
  if (node.op == &op::Mul) return scale(linear, *factor);
  return *factor != 0 && scale(linear, 1 / *factor);
}

ValueId emit(Rewriter& r, const Linear& linear) {
  std::vector<ValueId> inputs{linear.x, linear.w};
  ValueId b = linear.b.value;
  if (b == kNoValue && linear.b.constant.defined()) b = r.constant(linear.b.constant);
  if (b != kNoValue || linear.z != kNoValue) inputs.push_back(b);
  if (linear.z != kNoValue) inputs.push_back(linear.z);
  Attrs attrs;
  if (linear.transposed) attrs = attrs.with({"transW", 1});
  if (linear.alpha != 1) attrs = attrs.with({"alpha", linear.alpha});
  if (!linear.activation.name.empty()) attrs = attrs.with({"activation", linear.activation.name});
  if (!linear.activation.parameters.empty())
    attrs = attrs.with({"activation_params", AttrValue(linear.activation.parameters)});
  return r.add(op::FusedLinear, std::move(inputs), attrs);
}

void run(Rewriter& r) {
  const NoGrad no_grad;
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    std::optional<Linear> linear = product_of(r, r.node(n));
    if (!linear) continue;
    while (linear->activation.name.empty() && r.used_once(linear->y)) {
      const Node& next = r.node(r.users(linear->y)[0]);
      if (!take(r, *linear, next)) break;
      linear->y = next.outputs[0];
      ++linear->taken;
    }
    if (linear->taken == 0) continue;
    r.at(n);
    r.replace(linear->y, emit(r, *linear));
  }
}

}  // namespace

constinit const Pass fuse_linear{
    "fuse_linear",
    "MatMul and Gemm take in the scale, bias, residual and activation that follow: FusedLinear.",
    run, false};

}  // namespace tenon::passes
