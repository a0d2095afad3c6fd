// MaxPool: the maximum of each window, and on request where it was found.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  return {MaxPoolGrad(ctx.grad(), ctx.input(0), ctx.attrs.without("storage_order"))};
}

void samples(Samples& s) {
  const auto x = [](const Shape& shape) { return arg::distinct(shape); };
  s.add({x({2, 2, 5, 4})}, {{"kernel_shape", {2, 3}}}).outputs = 2;
  s.add({x({1, 2, 7})}, {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}});
  s.add({x({1, 1, 6, 6})}, {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}})
      .outputs = 2;
  s.add({x({1, 1, 4, 4})}, {{"kernel_shape", {1, 1}}, {"strides", {3, 2}}, {"ceil_mode", 1}});
  s.add({x({1, 2, 5, 5})},
        {{"kernel_shape", {2, 2}}, {"dilations", {2, 3}}, {"pads", {1, 0, 0, 2}}});
  s.add({x({1, 2, 4, 5})}, {{"kernel_shape", {2, 2}}, {"storage_order", 1}}).outputs = 2;
  s.add({x({1, 1, 5, 5})},
        {{"kernel_shape", {2, 3}}, {"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  s.add({x({1, 1, 5, 5})}, {{"kernel_shape", {2, 2}}, {"auto_pad", "SAME_LOWER"}});
  s.add({x({1, 1, 5, 5})}, {{"kernel_shape", {3, 3}}, {"auto_pad", "VALID"}, {"strides", {2, 2}}});
  s.add({x({1, 2, 3, 3, 4})}, {{"kernel_shape", {2, 2, 2}}, {"storage_order", 1}}).outputs = 2;
  s.add({x({0, 2, 4, 4})}, {{"kernel_shape", {2, 2}}});
  s.bad({arg::any({2, 4})}, {{"kernel_shape", {2}}},
        "MaxPool: X has shape [2, 4]; it takes [N, C, spatial...]");
  s.bad({arg::any({1, 2, 4, 4})}, {}, "attribute kernel_shape is missing");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2}}},
        "kernel_shape has 1 entries, but X has 2 spatial axes");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 0}}}, "every entry must be at least 1");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"pads", {2, 0, 0, 0}}},
        "use smaller pads");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 5}}},
        "a window of 5 elements does not fit");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"dilations", {1}}},
        "dilations has 1 entries");
}

}  // namespace

constinit const OpDef MaxPool{
    .name = "MaxPool",
    .doc = "The maximum of each window; Indices are its places in X, flattened.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}, optional("Indices", "I")},
    .types = {{"T", kFloats | types(DType::i8, DType::u8)}, {"I", kInt64}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr("dilations", AttrType::ints),
              required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr_i("storage_order", 0), attr("strides", AttrType::ints)},
    .infer = pool_rules::infer,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 10, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
