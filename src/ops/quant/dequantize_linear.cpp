// DequantizeLinear: the numbers that quantised steps stand for.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/quant/catalog.h"
#include "ops/quant/granularity.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

using quant::Granularity;

void infer(InferContext& ctx) {
  quant::check_scales(ctx);
  const int64_t number = ctx.i("output_dtype");
  ctx.check(number == 0 ||
                (number > 0 && number < kTensorTypeCount && is_float(static_cast<DType>(number))),
            "attribute output_dtype is {}, which is not the number of a type it makes; use those "
            "of {}",
            number, kFloats.str());
  const DType type = number ? static_cast<DType>(number) : ctx.dtype(1);
  ctx.check(is_float(type), "x_scale is {}, which nothing is computed in; give output_dtype",
            ctx.str(1));
  ctx.output(0, ctx.dims(0), type);
}

// x - zero point, in the type of the gradient: what the scale multiplies.
Tensor steps(const GradContext& ctx) {
  const DType type = ctx.grad().dtype();
  Attrs attrs = ctx.attrs.with({"output_dtype", static_cast<int64_t>(type)});
  if (!ctx.has_input(2))
    return DequantizeLinear(ctx.input(0), Tensor::ones({}, type), attrs.without("block_size"));
  const Tensor ones = ConstantOfShape(Shape(ctx.input(2)), {{"value", Tensor::ones({1}, type)}});
  return DequantizeLinear(ctx.input(0), ones, ctx.input(2), attrs);
}

// Sums over the elements that share a scale.
Tensor sum_to_scale(const GradContext& ctx, Tensor x) {
  const size_t rank = ctx.dims(0).size();
  const Granularity granularity = quant::granularity_of(ctx, ctx.dims(1));
  if (granularity == Granularity::tensor) return ctx.reshape(ReduceSum(x, {{"keepdims", 0}}), 1);
  const size_t axis = quant::axis_of(ctx, rank);
  if (granularity == Granularity::axis) {
    std::vector<int64_t> others;
    for (size_t i = 0; i < rank; ++i)
      if (i != axis) others.push_back(static_cast<int64_t>(i));
    return others.empty() ? x : ReduceSum(x, Tensor::ints(others), {{"keepdims", 0}});
  }
  const Dim block = ctx.i("block_size"), blocks = ctx.dims(1)[axis];
  if (const Dim missing = blocks * block - ctx.dims(0)[axis]; !(missing == Dim(0))) {
    Dims pads(2 * rank, Dim(0));
    pads[rank + axis] = missing;
    x = Pad(x, shape_tensor(pads, x));
  }
  Dims split = ctx.dims(0);
  split[axis] = blocks;
  split.insert(split.begin() + static_cast<ptrdiff_t>(axis) + 1, block);
  return ReduceSum(reshape_to(x, split, x), Tensor::ints({static_cast<int64_t>(axis) + 1}),
                   {{"keepdims", 0}});
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  if (is_float(ctx.dtype(1)) && ctx.needs(1))
    out[1] = sum_to_scale(ctx, ctx.grad() * steps(ctx)).to(ctx.dtype(1));
  return out;
}

void lowered(OnnxNode& node) {
  const Call call{DequantizeLinear, node.attrs};
  TENON_CHECK(node.opset >= 21 || call.i("block_size") == 0, unsupported,
              "DequantizeLinear '{}': opset {} has no blocks; export at opset 21 or newer",
              node.name, node.opset);
  const DType scale = node.inputs[1].dtype();
  const int64_t made = call.i("output_dtype");
  TENON_CHECK(made == 0 || static_cast<DType>(made) == scale, unsupported,
              "DequantizeLinear '{}': opset {} makes the type of the scale, {}, not {}; cast the "
              "scale",
              node.name, node.opset, name(scale), name(static_cast<DType>(made)));
  quant::check_exportable(node, "x", node.inputs[0].dtype(),
                          quant::quantized_in(node.opset) | types(DType::i32));
  quant::check_exportable(node, "x_scale", scale, quant::real_in(node.opset));
  node.attrs = node.attrs.without("output_dtype");
  if (node.opset < 21) node.attrs = node.attrs.without("block_size");
}

void samples(Samples& s) {
  const auto made = [](DType type) { return Attrs{{"output_dtype", static_cast<int64_t>(type)}}; };
  const auto add = [&](std::vector<Arg> inputs, Attrs attrs = {}) {
    s.add(inputs, attrs).types = kFloats;
  };
  for (const DType type : {DType::u8, DType::i8, DType::u16, DType::i16, DType::i32, DType::u4,
                           DType::i4, DType::u2, DType::i2, DType::f4e2m1, DType::f8e4m3fn,
                           DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz}) {
    add({arg::typed({2, 3, 20}, type, 0, 3), arg::range({3}, 0.1, 2)});
    add({arg::typed({2, 3}, type, 0, 3), arg::range({}, 0.1, 2), arg::typed({}, type, 0, 1)});
  }
  add({arg::typed({3, 4, 5}, DType::i8, -128, 127), arg::range({5}, 0.1, 2),
       arg::typed({5}, DType::i8, -128, 127)},
      {{"axis", -1}});
  add({arg::typed({2, 4, 3}, DType::u8, 0, 255), arg::range({2, 2, 3}, 0.1, 2),
       arg::typed({2, 2, 3}, DType::u8, 0, 255)},
      {{"block_size", 2}});
  add({arg::typed({2, 5}, DType::i4, -8, 7), arg::range({2, 3}, 0.1, 2)},
      {{"block_size", 2}, {"axis", -1}});
  add({arg::typed({3}, DType::i8, -9, 9), arg::range({3}, 0.1, 2)});
  add({arg::typed({2, 40}, DType::u8, 0, 255), arg::range({1}, 0.1, 2),
       arg::fixed(Tensor::scalar(128, DType::u8))});
  add({arg::typed({2, 3}, DType::i8), arg::range({}, 0.1, 2)}, made(DType::f64));
  add({arg::typed({0, 3}, DType::i8), arg::range({}, 0.1, 2)});
  add({arg::typed({}, DType::i8), arg::range({}, 0.1, 2)});
  s.add({arg::typed({2, 3}, DType::f4e2m1, 0, 3),
         arg::fixed(Tensor::from<float>({0.5F, 4}, {2}).to(DType::f8e8m0))},
        made(DType::f16).with({"axis", 0}));
  s.bad({arg::typed({2, 3}, DType::i8), arg::any({2})}, {}, "x_scale holds 2 scales, but axis 1");
  s.bad({arg::typed({2, 3}, DType::i8), arg::any({}), arg::typed({}, DType::u8)}, {},
        "cast one so that both have one type");
  s.bad({arg::typed({2, 3}, DType::i8), arg::any({})}, made(DType::i8), "output_dtype is 3");
  s.bad({arg::typed({2, 3}, DType::i8), arg::typed({}, DType::f8e8m0)}, {}, "give output_dtype");
  s.bad({arg::typed({2, 3}, DType::i8), arg::any({2, 3})}, {{"block_size", 2}}, "axis 1 takes 2");
}

}  // namespace

constinit const OpDef DequantizeLinear{
    .name = "DequantizeLinear",
    .doc =
        "(x - x_zero_point) * x_scale; one scale for all, for each index of an axis, or for each "
        "block along it.",
    .inputs = {{"x", "T1"}, {"x_scale", "T2"}, optional("x_zero_point", "T1")},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", quant::kQuantized | types(DType::i32)},
              {"T2", kFloats | types(DType::f8e8m0)},
              {"T3", kFloats}},
    .attrs = {attr_i("axis", 1), attr_i("block_size", 0), attr_i("output_dtype", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(0) | saves::input(2)},
    .onnx = {.since = 25, .older = {{10, upgrade::as_is}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
