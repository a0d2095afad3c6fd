// Col2Im: columns of blocks added up where they lie in an image; the reverse of what a convolution
// reads.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/col2im_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() == 3, "input is {}; it takes [N, C * block elements, blocks]", ctx.str(0));
  const Dim axes = list_size(ctx, 1), block_axes = list_size(ctx, 2);
  ctx.check(!differ(axes, block_axes),
            "image_shape has {} sizes and block_shape {}; give one of each a spatial axis",
            axes.str(), block_axes.str());
  if (!axes.is_const()) return ctx.output_unranked(0);
  const auto rank = static_cast<size_t>(axes.value());
  ctx.check(rank >= 1, "image_shape is empty; give one size a spatial axis");
  const WindowAttrs attrs(ctx, rank);
  const Dims image = ctx.values(1) ? *ctx.values(1) : unknown_dims(rank);
  for (const Dim& size : image)
    ctx.check(!size.is_const() || size.value() >= 1,
              "image_shape is {}; every size must be at least 1", str(image));
  Dims y{x[0], Dim::unknown()};
  y.insert(y.end(), image.begin(), image.end());
  if (ctx.values(2)) {
    const Dims& block = *ctx.values(2);
    for (const Dim& size : block)
      ctx.check(!size.is_const() || size.value() >= 1,
                "block_shape is {}; every size must be at least 1", str(block));
    const Dim elements = product(block);
    ctx.check(!x[1].is_const() || !elements.is_const() || x[1].value() % elements.value() == 0,
              "input is {}; its axis 1 must be a multiple of the {} elements of a block",
              ctx.str(0), elements.str());
    if (elements.is_const()) y[1] = x[1].floor_div(elements);
    const Dim blocks = product(attrs.output(image, block));
    ctx.check(!differ(x[2], blocks), "input is {}, but an image of {} has {} blocks; give as many",
              ctx.str(0), str(image), blocks.str());
  }
  ctx.output(0, std::move(y));
}

// Each element of a column is the image's at its place, or nothing in the padding: one behind the
// image's last.
TensorList grad(const GradContext& ctx) {
  const tenon::Shape image(ctx.ints_of(1)), block(ctx.ints_of(2));
  const std::vector<int64_t> places = col2im_places(resolve_windows(ctx, block, image));
  const Tensor one = Tensor::ints({1}), last = Tensor::ints({2});
  const Tensor flat = Reshape(ctx.grad(), Tensor::ints({0, 0, image.numel()}));
  const Tensor padded = Pad(flat, Tensor::ints({0, 1}), Tensor(), last);
  TensorList out = ctx.none();
  out[0] = ctx.reshape(Gather(padded, Tensor::ints(places), {{"axis", 2}}), 0);
  return out;
}

void samples(Samples& s) {
  s.add({arg::any({1, 5, 5}), arg::ints({5, 5}), arg::ints({1, 5})});
  s.add({arg::any({2, 8, 4}), arg::ints({3, 3}), arg::ints({2, 2})});
  s.add({arg::any({1, 4, 9}), arg::ints({5, 5}), arg::ints({2, 2})},
        {{"strides", {2, 2}}, {"pads", {0, 1, 1, 0}}});
  s.add({arg::any({1, 4, 4}), arg::ints({4, 5}), arg::ints({2, 2})}, {{"dilations", {2, 3}}});
  s.add({arg::any({1, 6, 5}), arg::ints({6}), arg::ints({2})});
  s.add({arg::any({1, 8, 2}), arg::ints({2, 2, 3}), arg::ints({2, 2, 2})});
  s.add({arg::any({0, 4, 4}), arg::ints({3, 3}), arg::ints({2, 2})}).grad = false;
  s.bad({arg::any({5, 5}), arg::ints({5, 5}), arg::ints({1, 5})}, {}, "it takes [N, C * block");
  s.bad({arg::any({1, 5, 5}), arg::ints({5, 5}), arg::ints({5})}, {}, "and block_shape 1");
  s.bad({arg::any({1, 6, 5}), arg::ints({5, 5}), arg::ints({1, 5})}, {}, "must be a multiple of");
  s.bad({arg::any({1, 5, 4}), arg::ints({5, 5}), arg::ints({1, 5})}, {}, "has 5 blocks");
  s.bad({arg::any({1, 5, 5}), arg::ints({5, 5}), arg::ints({0, 5})}, {}, "block_shape is [0, 5]");
  s.bad({arg::any({1, 5, 5}), arg::ints({-5, 5}), arg::ints({1, 5})}, {}, "image_shape is [-5, 5]");
}

}  // namespace

constinit const OpDef Col2Im{
    .name = "Col2Im",
    .doc = "Columns [N, C * block elements, blocks] added up where their blocks lie in an image.",
    .inputs = {{"input", "T"}, value("image_shape", "I"), value("block_shape", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kNumeric}, {"I", kInt64}},
    .attrs = {attr("dilations", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2)},
    .onnx = {.since = 18},
    .samples = samples,
};

}  // namespace tenon::op
