// AveragePoolGrad: the gradient of AveragePool; each element of a window takes an equal part.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& dy = ctx.dims(0);
  const size_t spatial = pool_rules::check(ctx, dy, "dY");
  const auto input = ctx.ints("input_spatial");
  ctx.check(input.size() == spatial,
            "input_spatial has {} entries, but dY is {}; give the {} spatial sizes of X",
            input.size(), ctx.str(0), spatial);
  pool_rules::check_windows(ctx, 0, Dims(input.begin(), input.end()));
  Dims dx{dy[0], dy[1]};
  dx.insert(dx.end(), input.begin(), input.end());
  ctx.output(0, std::move(dx));
}

TensorList grad(const GradContext& ctx) {
  return {AveragePool(ctx.grad(), ctx.attrs.without("input_spatial"))};
}

void samples(Samples& s) {
  s.add({arg::any({2, 2, 4, 2})}, {{"kernel_shape", {2, 3}}, {"input_spatial", {5, 4}}});
  s.add({arg::any({1, 2, 4})},
        {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}, {"input_spatial", {7}}});
  s.add({arg::any({1, 1, 4, 3})}, {{"kernel_shape", {3, 2}},
                                   {"strides", {2, 2}},
                                   {"ceil_mode", 1},
                                   {"pads", {1, 0, 0, 0}},
                                   {"count_include_pad", 1},
                                   {"input_spatial", {7, 5}}});
  s.add({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}},
                                   {"dilations", {2, 3}},
                                   {"pads", {1, 0, 0, 2}},
                                   {"input_spatial", {5, 5}}});
  s.add({arg::any({1, 1, 3, 3})}, {{"kernel_shape", {2, 3}},
                                   {"auto_pad", "SAME_UPPER"},
                                   {"strides", {2, 2}},
                                   {"input_spatial", {5, 5}}});
  s.add({arg::any({0, 2, 3, 3})}, {{"kernel_shape", {2, 2}}, {"input_spatial", {4, 4}}});
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"input_spatial", {4, 4}}},
        "gives [3, 3]");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}, {"input_spatial", {5}}},
        "input_spatial has 1 entries");
  s.bad({arg::any({1, 2, 4, 4})}, {{"kernel_shape", {2, 2}}}, "attribute input_spatial is missing");
}

}  // namespace

constinit const OpDef AveragePoolGrad{
    .name = "AveragePoolGrad",
    .doc =
        "d(loss)/dX of AveragePool from dY, with AveragePool's attributes; input_spatial are X's "
        "spatial sizes.",
    .inputs = {{"dY", "T"}},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr_i("count_include_pad", 0),
              attr("dilations", AttrType::ints), required("input_spatial", AttrType::ints),
              required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
