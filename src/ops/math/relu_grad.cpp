// ReluGrad: the gradient of Relu, one pass over its output.
#include <algorithm>

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  for (size_t axis = 0; axis < std::max(ctx.rank(0), ctx.rank(1)); ++axis) {
    const bool fits = ctx.rank(0) == ctx.rank(1) &&
                      (!ctx.dims(0)[axis].is_const() || !ctx.dims(1)[axis].is_const() ||
                       ctx.dims(0)[axis] == ctx.dims(1)[axis]);
    ctx.check(fits, "dY is {} but Y is {}; both must have one shape", ctx.str(0), ctx.str(1));
  }
  ctx.output(0, ctx.dims(1));
}

TensorList grad(const GradContext& ctx) { return {ReluGrad(ctx.grad(), ctx.input(1)), Tensor()}; }

TensorList expand(const ExpandContext& ctx) {
  const Tensor& y = ctx.input(1);
  return {Where(Greater(y, constant_like(y, 0)), ctx.input(0), constant_like(y, 0))};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::distinct({2, 3})});
  s.add({arg::any({}), arg::range({}, 0.5, 2)});
  s.add({arg::any({0, 3}), arg::any({0, 3})});
  s.bad({arg::any({2, 3}), arg::any({3})}, {}, "both must have one shape");
}

}  // namespace

constinit const OpDef ReluGrad{
    .name = "ReluGrad",
    .doc = "dY where Relu's output Y is above 0, else 0.",
    .inputs = {{"dY", "T"}, {"Y", "T"}},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats | kSignedInts}},
    .infer = infer_shape,
    .expand = expand,
    .grad = {grad, saves::input(1)},
    .onnx = no_onnx("ONNX describes inference; export writes the expansion"),
    .samples = samples,
};

}  // namespace tenon::op
