// QuantizeLinear: numbers as steps of a scale, counted from a zero point.
#include <cmath>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/quant/catalog.h"
#include "ops/quant/granularity.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

using quant::kQuantized;

void infer(InferContext& ctx) {
  quant::check_scales(ctx);
  const int64_t number = ctx.i("output_dtype"), precision = ctx.i("precision");
  ctx.check(number == 0 || (number > 0 && number < kTensorTypeCount &&
                            kQuantized.has(static_cast<DType>(number))),
            "attribute output_dtype is {}, which is not the number of a type it makes; use those "
            "of {}",
            number, kQuantized.str());
  ctx.check(precision == 0 || (precision > 0 && precision < kTensorTypeCount &&
                               is_float(static_cast<DType>(precision))),
            "attribute precision is {}, which is not the number of a type it divides in; use those "
            "of {}",
            precision, kFloats.str());
  DType type = number ? static_cast<DType>(number) : DType::u8;
  if (ctx.has_input(2)) {
    ctx.check(number == 0 || ctx.dtype(2) == type,
              "attribute output_dtype is {} ({}), but y_zero_point is {}; leave one of them out",
              number, name(type), ctx.str(2));
    type = ctx.dtype(2);
  }
  ctx.output(0, ctx.dims(0), type);
}

// Before opset 21 the zero point said the type, and there were no blocks.
void lowered(OnnxNode& node) {
  const Call call{QuantizeLinear, node.attrs};
  TENON_CHECK(node.opset >= 21 || call.i("block_size") == 0, unsupported,
              "QuantizeLinear '{}': opset {} has no blocks; export at opset 21 or newer", node.name,
              node.opset);
  const int64_t precision = call.i("precision");
  TENON_CHECK(
      precision == 0 || static_cast<DType>(precision) == node.inputs[1].dtype(), unsupported,
      "QuantizeLinear '{}': opset {} divides in the type of the scale, {}, not in {}; cast "
      "the scale",
      node.name, node.opset, name(node.inputs[1].dtype()), name(static_cast<DType>(precision)));
  const int64_t number = call.i("output_dtype");
  const TypeSet real = quant::real_in(node.opset) | types(DType::i32);
  quant::check_exportable(node, "x", node.inputs[0].dtype(), real);
  quant::check_exportable(node, "y_scale", node.inputs[1].dtype(),
                          node.opset >= 19 ? real : kFloat32);
  quant::check_exportable(node, "y",
                          node.has_input(2) ? node.inputs[2].dtype()
                          : number          ? static_cast<DType>(number)
                                            : DType::u8,
                          quant::quantized_in(node.opset));
  if (node.opset < 21 && !node.has_input(2) && number != 0) {
    const auto shape = to_shape(node.inputs[1].dims());
    TENON_CHECK(shape, unsupported,
                "QuantizeLinear '{}': opset {} needs a zero point, whose shape {} is not known; "
                "export at opset 21 or newer",
                node.name, node.opset, str(node.inputs[1].dims()));
    node.inputs.resize(3);
    node.inputs[2] = Tensor::zeros(*shape, static_cast<DType>(number));
  }
  node.attrs = node.attrs.without("precision");
  if (node.opset < 21) node.attrs = node.attrs.without("output_dtype").without("block_size");
  if (node.opset < 19) node.attrs = node.attrs.without("saturate");
}

Attrs made(DType type) { return {{"output_dtype", static_cast<int64_t>(type)}}; }

void samples(Samples& s) {
  const auto ramp = [](DType type) {
    Tensor x = Tensor::from<float>({-300, -2.5F, -1.5F, -0.5F, -0.0F, 0.5F, 1.5F, 2.4F, 100, 1e9F},
                                   {2, 5});
    return arg::fixed(x.to(type));
  };
  const auto scale = [](std::initializer_list<float> values, const tenon::Shape& shape,
                        DType type = DType::f32) {
    return arg::fixed(Tensor::from<float>(values, shape).to(type));
  };
  const auto zero = [](DType type, std::initializer_list<int64_t> values,
                       const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<int64_t>(values, shape).to(type));
  };
  for (const DType type :
       {DType::u8, DType::i8, DType::u16, DType::i16, DType::u4, DType::i4, DType::u2, DType::i2,
        DType::f4e2m1, DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz}) {
    s.add({ramp(DType::f32), scale({0.5F}, {})}, made(type));
    s.add({arg::range({2, 3, 20}, -40, 40), scale({0.3F, 0.5F, 2}, {3})}, made(type)).types =
        kFloat32;
  }
  for (const DType type : {DType::u8, DType::i8, DType::i16, DType::u4})
    s.add(
        {arg::range({2, 3, 20}, -40, 40), scale({0.3F, 0.5F, 2}, {3}), zero(type, {1, 0, 2}, {3})});
  s.add({ramp(DType::f16), scale({0.3F}, {1}, DType::f16), zero(DType::i8, {-3}, {})});
  s.add({ramp(DType::bf16), scale({0.3F}, {}, DType::f32), zero(DType::u8, {7}, {})});
  s.add({arg::any({4, 40}), scale({0.3F}, {})}).types = kFloats;
  s.add({arg::range({4, 40}, -100, 100), scale({0.3F}, {})}).types = types(DType::i32);
  s.add({arg::range({2, 3}, -100, 100), scale({3}, {}, DType::i32)}, made(DType::i8)).types =
      types(DType::i32);
  s.add({arg::range({2, 3}, -100, 100), scale({4, 0.5F}, {2}, DType::f8e8m0)},
        made(DType::i8).with({"axis", 0}));
  s.add({arg::range({2, 33}, -10, 10), scale({0.3F}, {})},
        made(DType::i8).with({"precision", static_cast<int64_t>(DType::f16)}));
  s.add({ramp(DType::f32), scale({0.5F}, {})}, made(DType::f8e5m2).with({"saturate", 0}));
  // Along the last axis and along the only one.
  s.add({arg::range({3, 5}, -40, 40), scale({0.3F, 0.5F, 2, 1, 0.1F}, {5}),
         zero(DType::u8, {1, 0, 2, 255, 9}, {5})},
        {{"axis", -1}});
  s.add({arg::range({3}, -40, 40), scale({0.3F, 0.5F, 2}, {3}), zero(DType::i8, {1, 0, 2}, {3})});
  // Blocks: in the middle, along the last axis with a part left over, of one element.
  s.add({arg::range({2, 4, 3}, -9, 9), arg::range({2, 2, 3}, 0.1, 1)}, {{"block_size", 2}}).types =
      kFloat32;
  s.add({arg::range({2, 5}, -9, 9), scale({0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F}, {2, 3}),
         zero(DType::i4, {1, 2, 3, 4, -5, 6}, {2, 3})},
        {{"block_size", 2}, {"axis", -1}});
  s.add({arg::range({3}, -9, 9), scale({0.1F, 0.2F, 0.3F}, {3})}, {{"block_size", 1}, {"axis", 0}});
  s.add({arg::any({0, 3}), scale({0.1F}, {})});
  s.add({arg::any({}), scale({0.1F}, {})});
  s.add({arg::fixed(Tensor::from<float>({NAN, INFINITY, -INFINITY}, {3})), scale({1}, {})},
        made(DType::i8));
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "y_scale holds 2 scales, but axis 1 of");
  s.bad({arg::any({2, 3}), arg::any({3}), zero(DType::u8, {1}, {})}, {},
        "y_scale is f32[3] but y_zero_point is u8[]");
  s.bad({arg::any({2, 3}), arg::any({2, 3})}, {}, "give a scalar, one scale for each index");
  s.bad({arg::any({2, 3}), arg::any({3})}, {{"axis", 2}}, "axis 2 is outside");
  s.bad({arg::any({2, 3}), arg::any({})}, {{"output_dtype", 1}}, "output_dtype is 1");
  s.bad({arg::any({2, 3}), arg::any({})}, {{"precision", 2}}, "precision is 2");
  s.bad({arg::any({2, 3}), arg::any({}), zero(DType::u8, {1}, {})}, made(DType::i8),
        "but y_zero_point is u8[]");
  s.bad({arg::any({2, 3}), arg::any({2, 3})}, {{"block_size", 2}}, "axis 1 takes 2");
  s.bad({arg::any({2, 3}), arg::any({3})}, {{"block_size", 2}}, "need as many axes");
  s.bad({arg::any({2, 3}), arg::any({})}, {{"block_size", -1}}, "block_size is -1");
}

}  // namespace

constinit const OpDef QuantizeLinear{
    .name = "QuantizeLinear",
    .doc =
        "x / y_scale, rounded to nearest even, plus y_zero_point, saturated to the quantised type; "
        "one scale for all, for each index of an axis, or for each block along it. NaN becomes the "
        "lowest integer.",
    .inputs = {{"x", "T1"}, {"y_scale", "T2"}, optional("y_zero_point", "T3")},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", kFloats | types(DType::i32)},
              {"T2", kFloats | types(DType::i32, DType::f8e8m0)},
              {"T3", kQuantized}},
    .attrs = {attr_i("axis", 1), attr_i("block_size", 0), attr_i("output_dtype", 0),
              attr_i("precision", 0), attr_i("saturate", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it rounds, so its slope is 0 where it has one"),
    .onnx = {.since = 25, .older = {{10, upgrade::as_is}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
