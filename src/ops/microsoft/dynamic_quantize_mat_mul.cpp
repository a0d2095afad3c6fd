// DynamicQuantizeMatMul: A is quantised by its own range, then multiplied by the quantised B.
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
  for (size_t at : {2, 3}) integer_rules::check_columns(ctx, at, 1);
  const Dim columns = ctx.rank(1) == 1 ? Dim(1) : ctx.dims(1).back();
  if (ctx.has_input(4))
    ctx.check(ctx.rank(4) == 1 &&
                  (ctx.dims(4)[0] == columns || !ctx.dims(4)[0].is_const() || !columns.is_const()),
              "bias is {}; it must have shape [{}]", ctx.str(4), columns.str());
  ctx.output(0, std::move(y));
}

TensorList expand(const ExpandContext& ctx) {
  const TensorList a = DynamicQuantizeLinear.all({ctx.input(0)}, {}, 3);
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  return MatMulIntegerToFloat.all({a[0], input(1), a[1], input(2), a[2], input(3), input(4)});
}

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(1)); }

void samples(Samples& s) {
  const auto scale = [](const Shape& shape) { return arg::range(shape, 0.01, 0.05); };
  s.add({arg::any({2, 4}), i8({4, 3}), scale({3}), i8({3}), arg::any({3})});
  s.add({arg::any({2, 3, 4}), u8({4, 2}), scale({})});
  s.add({arg::any({2, 3, 4}), u8({4, 17}), scale({}), u8({})});
  s.bad({arg::any({2, 3}), i8({4, 5}), scale({})}, {}, "the last axis of A, 3, must be as long as");
  s.bad({arg::any({2, 3}), i8({3, 5}), scale({4})}, {}, "one for each of the 5 columns of B");
  s.bad({arg::any({2, 3}), i8({3, 5}), scale({}), arg::none(), arg::any({3})}, {},
        "bias is f32[3]; it must have shape [5]");
}

}  // namespace

constinit const OpDef DynamicQuantizeMatMul{
    .name = "DynamicQuantizeMatMul",
    .doc = "A, quantised to u8 by its own range, times the quantised B, as f32, plus bias.",
    .inputs = {{"A", "T1"},
               {"B", "T2"},
               {"b_scale", "T1"},
               optional("b_zero_point", "T2"),
               optional("bias", "T1")},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", kFloat32}, {"T2", integer_rules::kBytes}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("rounding is constant almost everywhere"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
