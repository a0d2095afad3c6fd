// FusedLinear: a matrix product with what follows it.
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/product_rules.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

microsoft::Activation activation(const Call& call) {
  const auto parameters = call.floats("activation_params");
  return {call.s("activation"), {parameters.begin(), parameters.end()}};
}

// Sizes of W as it is multiplied.
Dims weight_dims(const InferContext& ctx) {
  Dims w = ctx.dims(1);
  if (ctx.i("transW") != 0) std::swap(w[w.size() - 1], w[w.size() - 2]);
  return w;
}

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 1, "X is {}; it needs one axis or more; multiply by a scalar with Mul",
            ctx.str(0));
  ctx.check(ctx.rank(1) >= 2, "W is {}; it must be a matrix or a stack of matrices", ctx.str(1));
  const Dims w = weight_dims(ctx);
  const Dim &left = ctx.dims(0).back(), &right = w[w.size() - 2];
  ctx.check(!differ(left, right),
            "X is {} and W is {} with transW={}; the inner sizes {} and {} must be equal",
            ctx.str(0), ctx.str(1), ctx.i("transW"), left.str(), right.str());
  std::vector<TensorType> operands{ctx.input(0), ctx.input(1)};
  operands[1].dims = w;
  const TensorType y = microsoft::like(ctx, MatMul, {}, operands)[0];
  if (ctx.has_input(2)) {
    const Dims& b = ctx.dims(2);
    ctx.check(b.empty() || (b.size() == 1 && (b[0] == Dim(1) || !differ(b[0], w.back()))),
              "B is {}; it must have shape [{}] or be a scalar", ctx.str(2), w.back().str());
  }
  if (ctx.has_input(3)) {
    bool same = ctx.rank(3) == y.dims.size();
    for (size_t i = 0; same && i < y.dims.size(); ++i) same = !differ(ctx.dims(3)[i], y.dims[i]);
    ctx.check(same, "Z is {}; it must have the shape of the product, {}", ctx.str(3), str(y.dims));
  }
  microsoft::check_activation(ctx, activation(ctx));
  ctx.output(0, y.dims);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor w = ctx.i("transW") != 0 ? ctx.input(1).t() : ctx.input(1);
  Tensor y = MatMul(ctx.input(0), w);
  if (ctx.f("alpha") != 1) y = y * ctx.f("alpha");
  for (size_t i = 2; i < 4; ++i)
    if (ctx.has_input(i)) y = y + ctx.input(i);
  return {microsoft::activate(y, activation(ctx))};
}

double flops(const InferContext& ctx) {
  return product_rules::flops(ctx.dims(0), weight_dims(ctx));
}

void samples(Samples& s) {
  const auto with = [](Attrs attrs, std::string_view activation, std::vector<double> values = {}) {
    attrs = attrs.with({"activation", std::string(activation)});
    return values.empty() ? attrs : attrs.with({"activation_params", AttrValue(std::move(values))});
  };
  s.add({arg::any({2, 3}), arg::any({3, 4})});
  s.add({arg::any({3}), arg::any({3, 4}), arg::any({4}), arg::any({4})});
  s.add({arg::any({2, 3}), arg::any({4, 3}), arg::any({4})}, with({{"transW", 1}}, "Tanh"));
  s.add({arg::any({2, 2, 3}), arg::any({3, 4}), arg::any({4}), arg::any({2, 2, 4})},
        with({{"alpha", 0.5}}, "Sigmoid"));
  s.add({arg::any({2, 2, 3}), arg::any({2, 4, 3}), arg::none(), arg::any({2, 2, 4})},
        {{"transW", 1}, {"alpha", 0.25}});
  s.add({arg::any({2, 1, 2, 3}), arg::any({3, 3, 2}), arg::any({})});
  s.add({arg::any({5, 3}), arg::any({3, 4}), arg::any({1}), arg::any({5, 4})});
  s.add({arg::any({9, 5}), arg::any({5, 70}), arg::any({70})}, with({}, "Softplus"));
  s.add({arg::any({0, 3}), arg::any({3, 4}), arg::any({4})});
  s.add({arg::any({2, 0}), arg::any({0, 4}), arg::any({4})});
  for (const std::string_view kinked : {"Relu", "LeakyRelu", "HardSigmoid", "Clip"}) {
    std::vector<double> parameters;
    if (kinked == "LeakyRelu") parameters = {0.25};
    if (kinked == "Clip") parameters = {-0.5, 1};
    s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})}, with({}, kinked, parameters)).grad =
        false;
  }
  s.bad({arg::any({2, 3}), arg::any({4, 3})}, {},
        "X is f32[2, 3] and W is f32[4, 3] with transW=0; the inner sizes 3 and 4 must be equal");
  s.bad({arg::any({}), arg::any({4, 3})}, {}, "X is f32[]; it needs one axis or more");
  s.bad({arg::any({3}), arg::any({3})}, {}, "W is f32[3]; it must be a matrix");
  s.bad({arg::any({2, 2, 3}), arg::any({4, 3, 2})}, {}, "cannot be broadcast together");
  s.bad({arg::any({2, 3}), arg::any({3, 4}), arg::any({3})}, {},
        "B is f32[3]; it must have shape [4] or be a scalar");
  s.bad({arg::any({2, 3}), arg::any({3, 4}), arg::none(), arg::any({4})}, {},
        "Z is f32[4]; it must have the shape of the product, [2, 4]");
  s.bad({arg::any({2, 3}), arg::any({3, 4})}, with({}, "Relo"),
        "activation is 'Relo'; did you mean Relu?");
}

}  // namespace

constinit const OpDef FusedLinear{
    .name = "FusedLinear",
    .doc =
        "activation(alpha * X * W + B + Z), where transW swaps W's last two axes, B is a row or a "
        "scalar and Z has the shape of the result.",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("B", "T"), optional("Z", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("activation", ""), attr("activation_params", AttrType::floats),
              attr_f("alpha", 1), attr_i("transW", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("it is what graph passes make of products; export writes the expansion"),
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
