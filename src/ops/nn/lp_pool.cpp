// LpPool: the p-norm of each window.
#include <algorithm>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.i("p") >= 1, "p is {}; it must be at least 1", ctx.i("p"));
  pool_rules::infer(ctx);
}

// The sum of each window's powers is a convolution of every channel by itself with ones.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Dims dims = x.dims();
  Windows windows =
      resolve_windows(ctx, Shape(ctx.ints("kernel_shape")), known_spatial("LpPool", "X", dims));
  Shape images{-1, 1}, ones{1, 1};
  Dims out{dims[0], dims[1]};
  for (size_t i = 0; i < windows.rank(); ++i) {
    // Conv knows no ceil_mode: what the last window needs beyond the padding is padding too.
    windows.pads_end[i] =
        std::max<int64_t>(0, (windows.output[i] - 1) * windows.strides[i] + windows.extent(i) -
                                 windows.input[i] - windows.pads_begin[i]);
    images.push_back(windows.input[i]);
    ones.push_back(windows.kernel[i]);
    out.push_back(windows.output[i]);
  }
  const double p = static_cast<double>(ctx.i("p"));
  const Tensor powers = Pow(Abs(x), constant_like(x, p)).view(images);
  const Tensor sums =
      Conv(powers, Tensor::ones(ones, x.dtype()), conv_rules::explicit_attrs(windows, 1));
  return {Pow(reshape_to(sums, out, x), constant_like(x, 1 / p))};
}

TensorList upgrade_1(const OnnxNode& node) {
  return {LpPool(node.inputs[0], pool_rules::integral_p(node))};
}

void lower(OnnxNode& node) {
  pool_rules::lower_dilations(node, 18);
  const Call call{LpPool, node.attrs};
  TENON_CHECK(
      call.i("ceil_mode") == 0, unsupported,
      "LpPool: node {} has ceil_mode, which opset {} cannot say; export to opset 18 or later",
      node.name, node.opset);
  node.attrs = node.attrs.without("ceil_mode");
}

void samples(Samples& s) {
  s.add({arg::range({2, 2, 5, 4}, 0.5, 2)}, {{"kernel_shape", {2, 3}}});
  s.add({arg::range({1, 2, 7}, -2, -0.5)},
        {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}, {"p", 3}});
  s.add({arg::range({1, 1, 6, 6}, 0.5, 2)},
        {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}, {"p", 1}});
  s.add({arg::range({1, 2, 5, 5}, 0.5, 2)}, {{"kernel_shape", {2, 2}}, {"dilations", {2, 3}}});
  s.add({arg::range({1, 1, 5, 5}, 0.5, 2)}, {{"kernel_shape", {2, 2}}, {"auto_pad", "SAME_LOWER"}});
  s.add({arg::any({0, 2, 4, 4})}, {{"kernel_shape", {2, 2}}});
  s.bad({arg::any({2, 4})}, {{"kernel_shape", {2}}}, "LpPool: X has shape [2, 4]");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"p", 0}},
        "p is 0; it must be at least 1");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2}}}, "kernel_shape has 1 entries");
}

}  // namespace

constinit const OpDef LpPool{
    .name = "LpPool",
    .doc = "The p-norm of each window.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr("dilations", AttrType::ints),
              required("kernel_shape", AttrType::ints), attr_i("p", 2),
              attr("pads", AttrType::ints), attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 18, .older = {{1, upgrade_1}, {2, upgrade::as_is}}, .lower = lower},
    .samples = samples,
};

}  // namespace tenon::op
