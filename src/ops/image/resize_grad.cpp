// ResizeGrad: the gradient of Resize; each element gets its share of all that mixed it.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/resize_rules.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  if (!ctx.values(1)) return ctx.output(0, unknown_dims(ctx.rank(0)));
  const Dims& x = *ctx.values(1);
  ctx.check(x.size() == ctx.rank(0), "dY is {}, but shape {} has {} axes; give it as many",
            ctx.str(0), str(x), x.size());
  const Dims y = resize_rules::output(ctx, x, ctx.dtype(0), 2);
  const auto given = to_shape(ctx.dims(0)), wanted = to_shape(y);
  ctx.check(!given || !wanted || *given == *wanted,
            "dY is {}, but X of shape {} is resized to {}; give dY that shape", ctx.str(0), str(x),
            str(y));
  ctx.output(0, x);
}

TensorList grad(const GradContext& ctx) {
  TensorList inputs{ctx.grad()};
  for (size_t i = 2; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  TensorList out = ctx.none();
  out[0] = Resize.all(inputs, ctx.attrs)[0];
  return out;
}

Arg floats(std::initializer_list<float> values) {
  return arg::fixed(Tensor::from<float>(values, {static_cast<int64_t>(values.size())}));
}

void samples(Samples& s) {
  const Arg none = arg::none(), shape = arg::ints({1, 2, 3, 4});
  const Arg part = floats({1, 1, 0.6F, 0.8F});
  s.add({arg::any({1, 2, 6, 8}), shape, none, floats({1, 1, 2, 2})});
  s.add({arg::any({1, 2, 5, 3}), shape, none, none, arg::ints({5, 3})}, {{"axes", {2, 3}}});
  for (const std::string mode : {"linear", "cubic"}) {
    s.add({arg::any({1, 2, 6, 8}), shape, none, floats({1, 1, 2, 2})}, {{"mode", mode}});
    s.add({arg::any({1, 2, 1, 3}), shape, none, part}, {{"mode", mode}, {"exclude_outside", 1}});
    s.add({arg::any({1, 2, 1, 3}), shape, none, part}, {{"mode", mode}, {"antialias", 1}});
    s.add(
        {arg::any({1, 2, 3, 3}), shape, floats({0.4F, 0.6F, 0.6F, 1.2F}), none, arg::ints({3, 3})},
        {{"mode", mode},
         {"axes", {2, 3}},
         {"coordinate_transformation_mode", "tf_crop_and_resize"}});
    s.add({arg::any({2, 1, 3, 6, 3}), arg::ints({2, 1, 2, 3, 2}), none,
           floats({1, 1, 1.5F, 2, 1.5F})},
          {{"mode", mode}});
  }
  s.add({arg::any({0, 6}), arg::ints({0, 3}), none, floats({2, 2})});
  s.bad({arg::any({1, 2, 6, 7}), shape, none, floats({1, 1, 2, 2})}, {},
        "but X of shape [1, 2, 3, 4] is resized to [1, 2, 6, 8]");
  s.bad({arg::any({6, 8}), shape, none, floats({1, 1, 2, 2})}, {}, "has 4 axes");
}

}  // namespace

constinit const OpDef ResizeGrad{
    .name = "ResizeGrad",
    .doc = "d(loss)/dX of Resize from dY and X's shape, with Resize's other inputs and attributes.",
    .inputs = {{"dY", "T1"},
               value("shape", "I"),
               optional_value("roi", "T2"),
               optional_value("scales", "S"),
               optional_value("sizes", "I")},
    .outputs = {{"dX", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kFloats}, {"S", kFloat32}, {"I", kInt64}},
    .attrs = {attr_i("antialias", 0), attr("axes", AttrType::ints),
              attr_s("coordinate_transformation_mode", "half_pixel",
                     "half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric|"
                     "tf_half_pixel_for_nn|tf_crop_and_resize"),
              attr_f("cubic_coeff_a", -0.75), attr_i("exclude_outside", 0),
              attr_s("keep_aspect_ratio_policy", "stretch", "stretch|not_larger|not_smaller"),
              attr_s("mode", "nearest", "nearest|linear|cubic"),
              attr_s("nearest_mode", "round_prefer_floor",
                     "round_prefer_floor|round_prefer_ceil|floor|ceil")},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(2) | saves::input(3) | saves::input(4)},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
