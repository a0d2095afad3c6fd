// Trilu: the upper or lower triangle of matrices, zero elsewhere.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 2, "input is {}; give matrices, with two axes or more", ctx.str(0));
  if (ctx.has_input(1)) {
    const Dim count = product(ctx.dims(1));
    ctx.check(!count.is_const() || count.value() == 1, "k is {}; give one number", ctx.str(1));
  }
  ctx.output(0, ctx.dims(0));
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  out[0] =
      ctx.has_input(1) ? Trilu(ctx.grad(), ctx.input(1), ctx.attrs) : Trilu(ctx.grad(), ctx.attrs);
  return out;
}

void samples(Samples& s) {
  s.add({arg::any({3, 4})});
  s.add({arg::any({2, 3, 2})}, {{"upper", 0}});
  s.add({arg::any({3, 4}), arg::int_scalar(1)});
  s.add({arg::any({4, 3}), arg::int_scalar(-2)}, {{"upper", 0}});
  s.add({arg::any({2, 2}), arg::int_scalar(9)});
  s.add({arg::any({2, 2}), arg::int_scalar(-9)}, {{"upper", 0}});
  s.add({arg::any({0, 3})});
  s.bad({arg::any({3})}, {}, "give matrices, with two axes or more");
  s.bad({arg::any({3, 3}), arg::ints({1, 2})}, {}, "k is i64[2]; give one number");
}

}  // namespace

constinit const OpDef Trilu{
    .name = "Trilu",
    .doc =
        "Keeps what is on or above (below, without `upper`) the k-th diagonal of the last two "
        "axes.",
    .inputs = {{"input", "T"}, optional("k", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .attrs = {attr_i("upper", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 14},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
