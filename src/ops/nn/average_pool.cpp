// AveragePool: the mean of each window.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Shape input = known_spatial("AveragePool", "X", ctx.dims(0));
  return {AveragePoolGrad(ctx.grad(), ctx.attrs.with({"input_spatial", input}))};
}

void lower(OnnxNode& node) { pool_rules::lower_dilations(node, 19); }

void samples(Samples& s) {
  s.add({arg::any({2, 2, 5, 4})}, {{"kernel_shape", {2, 3}}});
  s.add({arg::any({1, 2, 7})}, {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}});
  s.add({arg::any({1, 2, 7})},
        {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}, {"count_include_pad", 1}});
  s.add({arg::any({1, 1, 6, 6})},
        {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}});
  s.add({arg::any({1, 1, 6, 5})}, {{"kernel_shape", {3, 2}},
                                   {"strides", {2, 2}},
                                   {"ceil_mode", 1},
                                   {"pads", {1, 0, 0, 0}},
                                   {"count_include_pad", 1}});
  s.add({arg::any({1, 2, 5, 5})},
        {{"kernel_shape", {2, 2}}, {"dilations", {2, 3}}, {"pads", {1, 0, 0, 2}}});
  s.add({arg::any({1, 1, 5, 5})},
        {{"kernel_shape", {2, 3}}, {"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  s.add({arg::any({1, 1, 5, 5})},
        {{"kernel_shape", {2, 2}}, {"auto_pad", "SAME_LOWER"}, {"count_include_pad", 1}});
  s.add({arg::any({1, 2, 3, 3, 4})}, {{"kernel_shape", {2, 2, 2}}});
  s.add({arg::any({0, 2, 4, 4})}, {{"kernel_shape", {2, 2}}});
  s.bad({arg::any({2, 4})}, {{"kernel_shape", {2}}}, "AveragePool: X has shape [2, 4]");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2}}}, "kernel_shape has 1 entries");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"pads", {0, 2, 0, 0}}},
        "use smaller pads");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {5, 2}}},
        "a window of 5 elements does not fit");
}

}  // namespace

constinit const OpDef AveragePool{
    .name = "AveragePool",
    .doc =
        "The mean of each window, over its elements inside X or, with count_include_pad, inside "
        "the padded X.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr_i("count_include_pad", 0),
              attr("dilations", AttrType::ints), required("kernel_shape", AttrType::ints),
              attr("pads", AttrType::ints), attr("strides", AttrType::ints)},
    .infer = pool_rules::infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 19, .older = {{1, upgrade::as_is}}, .lower = lower},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
