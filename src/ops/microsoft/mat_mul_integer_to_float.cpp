// MatMulIntegerToFloat: the product of quantised matrices as floats.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/product_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

using arg::i8;
using arg::u8;

void infer(InferContext& ctx) {
  Dims y = product_rules::output(ctx, 0, 1);
  microsoft::check_singles(ctx, {2, 4});
  for (size_t at : {3, 5}) integer_rules::check_columns(ctx, at, 1);
  const Dim columns = ctx.rank(1) == 1 ? Dim(1) : ctx.dims(1).back();
  if (ctx.has_input(6))
    ctx.check(ctx.rank(6) == 1 &&
                  (ctx.dims(6)[0] == columns || !ctx.dims(6)[0].is_const() || !columns.is_const()),
              "bias is {}; it must have shape [{}]", ctx.str(6), columns.str());
  ctx.output(0, std::move(y));
}

TensorList expand(const ExpandContext& ctx) {
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const Tensor zero = input(4).defined() ? microsoft::scalar_of(input(4)) : Tensor();
  const Tensor sums = MatMulInteger(input(0), input(1), zero, input(5));
  const DType type = input(2).dtype();
  Tensor scale = microsoft::scalar_of(input(2)).to(DType::f32) * input(3).to(DType::f32);
  Tensor bias = input(6);
  if (ctx.input(1).rank() == 1) {  // B is one column
    scale = microsoft::scalar_of(scale);
    if (bias.defined()) bias = microsoft::scalar_of(bias);
  }
  Tensor y = sums.to(DType::f32) * scale;
  if (bias.defined()) y = y + bias.to(DType::f32);
  return {y.to(type)};
}

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(1)); }

void samples(Samples& s) {
  const auto scale = [](const Shape& shape) { return arg::range(shape, 0.01, 0.05); };
  s.add({u8({2, 4}), i8({4, 3}), scale({}), scale({3}), u8({}), i8({3}), arg::any({3})});
  s.add({i8({2, 3, 4}), u8({4, 2}), scale({1}), scale({}), i8({1}), u8({})});
  s.add({u8({3, 5}), u8({5, 17}), scale({}), scale({17})});
  s.add({u8({2, 3, 4}), i8({2, 4, 5}), scale({}), scale({2, 1, 5}), u8({}), i8({2, 1, 5})});
  s.add({u8({0, 4}), i8({4, 3}), scale({}), scale({})});
  s.bad({u8({2, 3}), i8({4, 5}), scale({}), scale({})}, {},
        "the last axis of A, 3, must be as long as");
  s.bad({u8({2, 3}), i8({3, 5}), scale({2}), scale({})}, {}, "a_scale is f32[2]; it must have one");
  s.bad({u8({2, 3}), i8({3, 5}), scale({}), scale({4})}, {}, "one for each of the 5 columns of B");
  s.bad({u8({2, 3}), i8({3, 5}), scale({}), scale({}), arg::none(), arg::none(), arg::any({3})}, {},
        "bias is f32[3]; it must have shape [5]");
}

}  // namespace

constinit const OpDef MatMulIntegerToFloat{
    .name = "MatMulIntegerToFloat",
    .doc =
        "The matrix product of A and B, 8-bit integers less their zero points, times a_scale and "
        "b_scale, plus bias.",
    .inputs = {{"A", "T1"},
               {"B", "T2"},
               {"a_scale", "T3"},
               {"b_scale", "T3"},
               optional("a_zero_point", "T1"),
               optional("b_zero_point", "T2"),
               optional("bias", "T3")},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", integer_rules::kBytes},
              {"T2", integer_rules::kBytes},
              {"T3", types(DType::f32, DType::f16)}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("A and B are integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
