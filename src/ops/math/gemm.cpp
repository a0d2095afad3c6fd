// Gemm: alpha * A' * B' + beta * C, the matrix product of BLAS.
#include <cmath>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

// Integers are scaled by integers of their own sign.
void check_scale(const InferContext& ctx, std::string_view attr) {
  if (is_float(ctx.dtype(0))) return;
  const double scale = ctx.f(attr);
  const bool is_unsigned = is_unsigned_int(ctx.dtype(0));
  ctx.check(std::trunc(scale) == scale && std::fabs(scale) < 0x1p31 && (!is_unsigned || scale >= 0),
            "{} is {} and A is {}; use a whole number{}", attr, scale, name(ctx.dtype(0)),
            is_unsigned ? ", 0 or more" : "");
}

void infer_shape(InferContext& ctx) {
  for (size_t i = 0; i < 2; ++i)
    ctx.check(ctx.rank(i) == 2, "{} is {}; it must be a matrix; use MatMul for stacks and vectors",
              i == 0 ? "A" : "B", ctx.str(i));
  check_scale(ctx, "alpha");
  check_scale(ctx, "beta");
  const bool trans_a = ctx.i("transA") != 0, trans_b = ctx.i("transB") != 0;
  const Dims &a = ctx.dims(0), &b = ctx.dims(1);
  const Dim &left = a[trans_a ? 0 : 1], &right = b[trans_b ? 1 : 0];
  ctx.check(
      left == right || !left.is_const() || !right.is_const(),
      "A is {} with transA={} and B is {} with transB={}; the inner sizes {} and {} must be equal",
      ctx.str(0), trans_a, ctx.str(1), trans_b, left.str(), right.str());
  const Dims dims{a[trans_a ? 1 : 0], b[trans_b ? 0 : 1]};
  if (ctx.has_input(2)) {
    const Dims& c = ctx.dims(2);
    bool fits = c.size() <= 2;
    for (size_t i = 0; fits && i < c.size(); ++i) {
      const Dim& to = dims[2 - c.size() + i];
      fits = c[i] == Dim(1) || c[i] == to || !c[i].is_const() || !to.is_const();
    }
    ctx.check(fits,
              "C is {}, which does not broadcast to the product's {}; its sizes must be those or 1",
              ctx.str(2), str(dims));
  }
  ctx.output(0, dims);
}

// With A' and B' as multiplied: dA' = alpha * dY * B'^T and dB' = alpha * A'^T * dY. Each case
// chooses the flags that give dA and dB without moving a matrix.
TensorList grad(const GradContext& ctx) {
  const Tensor& g = ctx.grad();
  const bool trans_a = ctx.i("transA") != 0, trans_b = ctx.i("transB") != 0;
  const auto product = [&](const Tensor& x, bool trans_x, const Tensor& y, bool trans_y) {
    return Gemm(x, y, {{"alpha", ctx.f("alpha")}, {"transA", trans_x}, {"transB", trans_y}});
  };
  TensorList grads = ctx.none();
  if (ctx.needs(0)) {
    const Tensor& b = ctx.input(1);
    grads[0] = trans_a ? product(b, trans_b, g, true) : product(g, false, b, !trans_b);
  }
  if (ctx.needs(1)) {
    const Tensor& a = ctx.input(0);
    grads[1] = trans_b ? product(g, true, a, trans_a) : product(a, !trans_a, g, false);
  }
  if (ctx.has_input(2) && ctx.needs(2)) {
    const Tensor dc = sum_to(g, ctx.dims(2));
    grads[2] = ctx.f("beta") == 1 ? dc : dc * ctx.f("beta");
  }
  return grads;
}

TensorList expand(const ExpandContext& ctx) {
  const auto matrix = [&](size_t i, std::string_view flag) {
    return ctx.i(flag) != 0 ? ctx.input(i).t() : ctx.input(i);
  };
  Tensor y = MatMul(matrix(0, "transA"), matrix(1, "transB"));
  if (ctx.f("alpha") != 1) y = y * ctx.f("alpha");
  if (ctx.has_input(2)) y = y + (ctx.f("beta") == 1 ? ctx.input(2) : ctx.input(2) * ctx.f("beta"));
  return {y};
}

// Until opset 6, `broadcast` allowed what the canonical form always does.
TensorList upgrade_broadcast(const OnnxNode& node) {
  return Gemm.all(node.inputs, node.attrs.without("broadcast"));
}

// Until opset 10, C is required.
void lower_bias(OnnxNode& node) {
  if (node.has_input(2)) return;
  node.inputs.resize(3);
  node.inputs[2] = Tensor::zeros({1}, node.inputs[0].dtype());
}

double flops(const InferContext& ctx) {
  const Dims& a = ctx.dims(0);
  const Dim steps = a[0] * a[1] * ctx.dims(1)[ctx.i("transB") != 0 ? 0 : 1];
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

void samples(Samples& s) {
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true})
      s.add({arg::any(trans_a ? Shape{3, 2} : Shape{2, 3}),
             arg::any(trans_b ? Shape{4, 3} : Shape{3, 4}), arg::any({4})},
            {{"transA", trans_a}, {"transB", trans_b}});
  for (const Shape& c : {Shape{}, Shape{1}, Shape{4}, Shape{2, 1}, Shape{1, 4}, Shape{2, 4}})
    s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any(c)});
  s.add({arg::any({2, 3}), arg::any({3, 4})});
  s.add({arg::any({2, 3}), arg::any({3, 4})}, {{"alpha", 2.0}});
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})}, {{"alpha", 3.0}, {"beta", 2.0}});
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})}, {{"beta", -2.0}}).types =
      kFloats | kSignedInts;
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})}, {{"alpha", 0.5}, {"beta", 0.25}})
      .types = kFloats;
  s.add({arg::any({0, 3}), arg::any({3, 4}), arg::any({4})});
  s.add({arg::any({2, 0}), arg::any({0, 4}), arg::any({4})});
  s.bad({arg::any({2, 3}), arg::any({2, 4})}, {}, "the inner sizes 3 and 2 must be equal");
  s.bad({arg::any({2, 3, 4}), arg::any({4, 5})}, {}, "A is f32[2, 3, 4]; it must be a matrix");
  s.bad({arg::any({2, 3}), arg::any({3, 4}), arg::any({3})}, {},
        "does not broadcast to the product's [2, 4]");
  s.bad({arg::typed({2, 3}, DType::i32), arg::typed({3, 4}, DType::i32)}, {{"alpha", 0.5}},
        "Gemm: alpha is 0.5 and A is i32; use a whole number");
  s.bad({arg::typed({2, 3}, DType::u32), arg::typed({3, 4}, DType::u32)}, {{"beta", -1.0}},
        "use a whole number, 0 or more");
}

}  // namespace

constinit const OpDef Gemm{
    .name = "Gemm",
    .doc = "alpha * A * B + beta * C, where transA and transB transpose and C broadcasts.",
    .inputs = {{"A", "T"}, {"B", "T"}, optional("C", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | types(DType::i32, DType::i64, DType::u32, DType::u64)}},
    .attrs = {attr_f("alpha", 1), attr_f("beta", 1), attr_i("transA", 0), attr_i("transB", 0)},
    .infer = infer_shape,
    .expand = expand,
    .grad = {grad, saves::input(0) | saves::input(1)},
    .onnx = {.since = 11,
             .older = {{1, upgrade_broadcast}, {7, upgrade::as_is}},
             .lower = lower_bias},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
