// QLinearConcat: quantised tensors, each with its own scale and zero point, one behind the other.
#include "ops/grad.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/nn/windows.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const size_t given = ctx.input_count();
  ctx.check(given >= 5 && (given - 2) % 3 == 0,
            "{} inputs are given; it takes Y_scale and Y_zero_point, then a tensor, its scale and "
            "its zero point for each part",
            given);
  microsoft::check_singles(ctx, {0, 1});
  const size_t rank = ctx.rank(2);
  ctx.check(rank > 0, "part 0 is {}; it needs one axis or more", ctx.str(2));
  const size_t axis = ctx.axis(ctx.i("axis"), rank);
  Dims y = ctx.dims(2);
  for (size_t at = 2; at < given; at += 3) {
    const size_t part = (at - 2) / 3;
    for (size_t i : {at, at + 2})
      ctx.check(ctx.dtype(i) == ctx.dtype(1), "part {} has {}, but Y_zero_point is {}", part,
                ctx.str(i), ctx.str(1));
    ctx.check(ctx.dtype(at + 1) == DType::f32, "the scale of part {} is {}; it must be f32", part,
              ctx.str(at + 1));
    for (size_t i : {at + 1, at + 2}) {
      const Dims& dims = ctx.dims(i);
      ctx.check(dims.empty() || (dims.size() == 1 && !differ(dims[0], Dim(1))),
                "part {} has the scale or zero point {}; it must have one element", part,
                ctx.str(i));
    }
    if (at == 2) continue;
    ctx.check(ctx.rank(at) == rank, "part {} is {} and part 0 is {}; all must have one rank", part,
              ctx.str(at), ctx.str(2));
    for (size_t i = 0; i < rank; ++i) {
      const Dim& size = ctx.dims(at)[i];
      if (i == axis) {
        y[i] = y[i] + size;
        continue;
      }
      ctx.check(!differ(y[i], size), "part {} is {} and part 0 is {}; axis {} must be equal", part,
                ctx.str(at), ctx.str(2), i);
      if (size.is_const()) y[i] = size;
    }
  }
  ctx.output(0, std::move(y));
}

TensorList expand(const ExpandContext& ctx) {
  TensorList parts;
  for (size_t at = 2; at < ctx.input_count(); at += 3)
    parts.push_back(microsoft::dequantized(ctx.input(at), ctx.input(at + 1), ctx.input(at + 2)));
  const Tensor y = Concat.all(parts, {{"axis", ctx.i("axis")}})[0];
  return {microsoft::quantized(y, ctx.input(0), ctx.input(1), ctx.input(1).dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::typed({}, DType::f32, 0.01, 0.05);
  s.add({scale, arg::u8({}), arg::u8({2, 3}), scale, arg::u8({}), arg::u8({2, 5}), scale,
         arg::u8({})},
        {{"axis", 1}});
  s.add({scale, arg::i8({1}), arg::i8({2, 3}), scale, arg::i8({1}), arg::i8({1, 3}), scale,
         arg::i8({}), arg::i8({0, 3}), scale, arg::i8({})},
        {{"axis", -2}});
  s.add({scale, arg::u8({}), arg::u8({4}), scale, arg::u8({})}, {{"axis", 0}});
  s.bad({scale, arg::u8({}), arg::u8({2, 3}), scale}, {{"axis", 1}}, "4 inputs are given");
  s.bad({scale, arg::u8({}), arg::u8({2, 3}), scale, arg::u8({}), arg::u8({3, 3}), scale,
         arg::u8({})},
        {{"axis", 1}}, "axis 0 must be equal");
  s.bad({scale, arg::u8({}), arg::i8({2, 3}), scale, arg::u8({})}, {{"axis", 1}},
        "part 0 has i8[2, 3], but Y_zero_point is u8[]");
  s.bad({scale, arg::u8({}), arg::u8({2, 3}), scale, arg::u8({})}, {{"axis", 2}}, "axis 2");
}

}  // namespace

constinit const OpDef QLinearConcat{
    .name = "QLinearConcat",
    .doc =
        "Quantised tensors one behind the other along axis, quantised by Y_scale and "
        "Y_zero_point. Each part is a tensor, its scale and its zero point.",
    .inputs = {{"Y_scale", "TF"},
               {"Y_zero_point", "T8"},
               {"inputs", "TV", Arity::variadic, false, true}},
    .outputs = {{"Y", "T8"}},
    .types = {{"TF", kFloat32},
              {"T8", integer_rules::kBytes},
              {"TV", integer_rules::kBytes | kFloat32}},
    .attrs = {required("axis", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
