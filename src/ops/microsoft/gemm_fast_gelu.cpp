// GemmFastGelu: FastGelu of a matrix product.
#include "ops/math/catalog.h"
#include "ops/math/product_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const TensorType product = microsoft::like(ctx, MatMul, {}, {ctx.input(0), ctx.input(1)})[0];
  ctx.check(ctx.rank(1) == 2, "W is {}; it must be a matrix", ctx.str(1));
  microsoft::check_bias(ctx, 2, ctx.dims(1)[1]);
  ctx.output(0, product);
}

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(1)); }

TensorList expand(const ExpandContext& ctx) {
  const Tensor product = MatMul(ctx.input(0), ctx.input(1));
  const Tensor sum = ctx.has_input(2) ? product + ctx.input(2) : product;
  return {Gelu(sum, {{"approximate", "tanh"}})};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})});
  s.add({arg::any({2, 2, 3}), arg::any({3, 2})});
  s.bad({arg::any({2, 3}), arg::any({2, 4})}, {}, "GemmFastGelu: A is f32[2, 3] and B is");
  s.bad({arg::any({2, 3}), arg::any({3, 4}), arg::any({3})}, {},
        "bias is f32[3]; it must have shape [4]");
}

}  // namespace

constinit const OpDef GemmFastGelu{
    .name = "GemmFastGelu",
    .doc = "Gelu of X * W + bias, by the formula with tanh.",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("bias", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
