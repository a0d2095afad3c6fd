// DepthToSpace: channels spread over blocks of pixels (pixel shuffle).
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
  ctx.check(!x[1].is_const() || x[1].value() % (block * block) == 0,
            "{} has {} channels, no multiple of blocksize * blocksize = {}; change one of them",
            ctx.str(0), x[1].str(), block * block);
  ctx.output(0, {x[0], x[1].floor_div(block * block), x[2] * block, x[3] * block});
}

TensorList grad(const GradContext& ctx) {
  const int64_t block = ctx.i("blocksize");
  const Tensor dx = SpaceToDepth(ctx.grad(), {{"blocksize", block}});
  if (ctx.s("mode") == "DCR") return {dx};
  // SpaceToDepth puts the place in the block before the channel, CRD behind it.
  const Dim& channels = ctx.dims(0)[1];
  TENON_CHECK(channels.is_const(), unsupported,
              "DepthToSpace: the gradient of mode CRD needs the number of channels of {}; give "
              "that axis a fixed size",
              str(ctx.dims(0)));
  const Tensor parts =
      Reshape(dx, Tensor::ints({0, block * block, channels.value() / (block * block), -1}));
  return {ctx.reshape(Transpose(parts, {{"perm", {0, 2, 1, 3}}}), 0)};
}

void lowered(OnnxNode& node) {
  const AttrValue* mode = node.attrs.find("mode");
  TENON_CHECK(!mode || std::get<std::string>(*mode) == "DCR", unsupported,
              "DepthToSpace '{}': opset {} has no mode CRD; export at opset 11 or newer", node.name,
              node.opset);
  node.attrs = node.attrs.without("mode");
}

void samples(Samples& s) {
  s.add({arg::any({1, 8, 2, 3})}, {{"blocksize", 2}});
  s.add({arg::any({2, 8, 1, 2})}, {{"blocksize", 2}, {"mode", "CRD"}});
  s.add({arg::any({1, 2, 2, 2})}, {{"blocksize", 1}});
  s.add({arg::any({0, 4, 2, 2})}, {{"blocksize", 2}});
  s.bad({arg::any({1, 6, 2, 2})}, {{"blocksize", 2}},
        "has 6 channels, no multiple of blocksize * blocksize = 4");
  s.bad({arg::any({4, 2, 2})}, {{"blocksize", 2}}, "give images of the axes [N, C, H, W]");
  s.bad({arg::any({1, 4, 2, 2})}, {{"blocksize", 0}}, "blocksize=0; use 1 to 32767");
  s.bad({arg::any({1, 4, 2, 2})}, {}, "attribute blocksize is missing");
}

}  // namespace

constinit const OpDef DepthToSpace{
    .name = "DepthToSpace",
    .doc = "Moves channels into blocks of `blocksize` by `blocksize` pixels.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}},
    .attrs = {required("blocksize", AttrType::i), attr_s("mode", "DCR", "DCR|CRD")},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 11, .older = {{1, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
