// SpaceToDepth: blocks of pixels gathered into channels.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const int64_t block = ctx.i("blocksize");
  ctx.check(ctx.rank(0) == 4, "input is {}; give images of the axes [N, C, H, W]", ctx.str(0));
  ctx.check(block >= 1 && block < 1 << 15, "blocksize={}; use 1 to 32767", block);
  const Dims& x = ctx.dims(0);
  for (size_t a = 2; a < 4; ++a)
    ctx.check(!x[a].is_const() || x[a].value() % block == 0,
              "axis {} of {} is no multiple of blocksize={}; change one of them", a, ctx.str(0),
              block);
  ctx.output(0, {x[0], x[1] * (block * block), x[2].floor_div(block), x[3].floor_div(block)});
}

TensorList grad(const GradContext& ctx) {
  return {DepthToSpace(ctx.grad(), {{"blocksize", ctx.i("blocksize")}})};
}

void samples(Samples& s) {
  s.add({arg::any({1, 2, 4, 6})}, {{"blocksize", 2}});
  s.add({arg::any({2, 1, 3, 3})}, {{"blocksize", 3}});
  s.add({arg::any({0, 1, 2, 2})}, {{"blocksize", 2}});
  s.bad({arg::any({1, 1, 4, 3})}, {{"blocksize", 2}}, "axis 3 of");
  s.bad({arg::any({4, 2, 2})}, {{"blocksize", 2}}, "give images of the axes [N, C, H, W]");
  s.bad({arg::any({1, 1, 2, 2})}, {{"blocksize", -1}}, "blocksize=-1; use 1 to 32767");
}

}  // namespace

constinit const OpDef SpaceToDepth{
    .name = "SpaceToDepth",
    .doc = "Moves blocks of `blocksize` by `blocksize` pixels into channels.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}},
    .attrs = {required("blocksize", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 1},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
