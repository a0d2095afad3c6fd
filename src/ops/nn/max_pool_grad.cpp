// MaxPoolGrad: the gradient of MaxPool; the first maximum of a window takes it all.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(1);
  pool_rules::check(ctx, x, "X");
  ctx.check(ctx.rank(0) == x.size(), "dY is {} and X is {}; both must have the same rank",
            ctx.str(0), ctx.str(1));
  for (size_t i = 0; i < 2; ++i)
    ctx.check(!differ(ctx.dims(0)[i], x[i]),
              "dY is {} and X is {}; batch and channels must be the same", ctx.str(0), ctx.str(1));
  pool_rules::check_windows(ctx, 0, spatial_dims(x));
  ctx.output(0, x);
}

// dX places each element of dY at its window's maximum, so the gradient picks those elements. Where
// the maximum lies does not change with X, almost everywhere.
TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  if (!ctx.needs(0)) return grads;
  const Tensor places = MaxPool.all({ctx.input(1)}, ctx.attrs, 2)[1];
  grads[0] = Gather(ctx.grad().view({-1}), places);
  return grads;
}

void samples(Samples& s) {
  s.add({arg::any({2, 2, 4, 2}), arg::distinct({2, 2, 5, 4})}, {{"kernel_shape", {2, 3}}});
  s.add({arg::any({1, 2, 4}), arg::distinct({1, 2, 7})},
        {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}});
  s.add({arg::any({1, 1, 3, 3}), arg::distinct({1, 1, 6, 6})},
        {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}});
  s.add({arg::any({1, 2, 4, 4}), arg::distinct({1, 2, 5, 5})},
        {{"kernel_shape", {2, 2}}, {"dilations", {2, 3}}, {"pads", {1, 0, 0, 2}}});
  s.add({arg::any({1, 1, 3, 3}), arg::distinct({1, 1, 5, 5})},
        {{"kernel_shape", {2, 3}}, {"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  s.add({arg::any({0, 2, 3, 3}), arg::any({0, 2, 4, 4})}, {{"kernel_shape", {2, 2}}});
  s.bad({arg::any({1, 2, 4, 4}), arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}},
        "gives [3, 3]");
  s.bad({arg::any({1, 3, 3, 3}), arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}},
        "batch and channels");
  s.bad({arg::any({1, 2, 3}), arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}}, "the same rank");
}

}  // namespace

constinit const OpDef MaxPoolGrad{
    .name = "MaxPoolGrad",
    .doc = "d(loss)/dX of MaxPool from dY and X, with MaxPool's attributes.",
    .inputs = {{"dY", "T"}, {"X", "T"}},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr("dilations", AttrType::ints),
              required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
