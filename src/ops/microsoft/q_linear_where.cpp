// QLinearWhere: elements of one or the other quantised tensor, quantised anew.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  microsoft::check_singles(ctx, {2, 3, 5, 6, 7, 8});
  try {
    ctx.output(0, broadcast(broadcast(ctx.dims(0), ctx.dims(1)), ctx.dims(4)));
  } catch (const Error&) {
    ctx.fail("condition is {}, X is {} and Y is {}; they cannot be broadcast together", ctx.str(0),
             ctx.str(1), ctx.str(4));
  }
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor x = microsoft::dequantized(ctx.input(1), ctx.input(2), ctx.input(3));
  const Tensor y = microsoft::dequantized(ctx.input(4), ctx.input(5), ctx.input(6));
  return {microsoft::quantized(Where(ctx.input(0), x, y), ctx.input(7), ctx.input(8),
                               ctx.input(1).dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05);
  const auto condition = [](const Shape& shape) { return arg::typed(shape, DType::boolean); };
  s.add({condition({2, 3}), arg::u8({2, 3}), scale, arg::u8({}), arg::u8({2, 3}), scale,
         arg::u8({}), scale, arg::u8({})});
  s.add({condition({3}), arg::i8({}), scale, arg::i8({1}), arg::i8({2, 1}), scale, arg::i8({}),
         scale, arg::i8({})});
  s.bad({condition({3}), arg::u8({4}), scale, arg::u8({}), arg::u8({}), scale, arg::u8({}), scale,
         arg::u8({})},
        {}, "they cannot be broadcast together");
  s.bad({condition({3}), arg::u8({3}), scale, arg::u8({2}), arg::u8({}), scale, arg::u8({}), scale,
         arg::u8({})},
        {}, "x_zero_point is u8[2]; it must have one element");
}

}  // namespace

constinit const OpDef QLinearWhere{
    .name = "QLinearWhere",
    .doc =
        "Elements of the quantised X where condition is true, of Y elsewhere, quantised by "
        "z_scale and z_zero_point.",
    .inputs = {{"condition", "B"},
               {"X", "T"},
               {"x_scale", "TF"},
               {"x_zero_point", "T"},
               {"Y", "T"},
               {"y_scale", "TF"},
               {"y_zero_point", "T"},
               {"z_scale", "TF"},
               {"z_zero_point", "T"}},
    .outputs = {{"Z", "T"}},
    .types = {{"B", kBool}, {"TF", kFloat32}, {"T", integer_rules::kBytes}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
