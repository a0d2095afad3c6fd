// QAttention: com.microsoft.Attention of quantised input and weights.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/nn/windows.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

enum Input : size_t {
  kInput,
  kWeight,
  kBias,
  kInputScale,
  kWeightScale,
  kMask,
  kInputZero,
  kWeightZero,
  kPast
};

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(kInput) == 3, "input is {}; it must be [batch, length, width]",
            ctx.str(kInput));
  ctx.check(ctx.rank(kWeight) == 2 && !differ(ctx.dims(kInput)[2], ctx.dims(kWeight)[0]),
            "weight is {}; with input {} it must be [{}, columns]", ctx.str(kWeight),
            ctx.str(kInput), ctx.dims(kInput)[2].str());
  const Dim columns = ctx.dims(kWeight)[1];
  const int64_t heads = ctx.i("num_heads");
  ctx.check(heads >= 1 && (!columns.is_const() || columns.value() % (3 * heads) == 0),
            "weight is {}; its columns must be Q, K and V of {} heads each", ctx.str(kWeight),
            heads);
  ctx.check(ctx.rank(kBias) == 1 && !differ(ctx.dims(kBias)[0], columns),
            "bias is {}; it must have shape [{}]", ctx.str(kBias), columns.str());
  microsoft::check_singles(ctx, {kInputScale, kInputZero});
  for (size_t at : {kWeightScale, kWeightZero})
    integer_rules::check_each(ctx, at, columns, "columns");
  ctx.check(ctx.i("do_rotary") == 0 && ctx.i("past_present_share_buffer") == 0,
            "do_rotary and past_present_share_buffer are not known; export without them");
  const Dim batch = ctx.dims(kInput)[0], length = ctx.dims(kInput)[1];
  const Dim width = columns.floor_div(3), size = width.floor_div(heads);
  Dim total = length;
  if (ctx.has_input(kPast)) {
    const Dims& past = ctx.dims(kPast);
    ctx.check(past.size() == 5 && !differ(past[0], 2) && !differ(past[1], batch) &&
                  !differ(past[2], heads) && !differ(past[4], size),
              "past is {}; it must be [2, {}, {}, past length, {}]", ctx.str(kPast), batch.str(),
              heads, size.str());
    total = total + past[3];
  }
  ctx.output(0, {batch, length, width});
  if (ctx.output_count() > 1) ctx.output(1, {2, batch, heads, total, size});
}

// The weights' columns each by their own scale, where they have one.
Tensor weights(const ExpandContext& ctx) {
  const bool has_zero = ctx.has_input(kWeightZero);
  const Dims scales = ctx.input(kWeightScale).dims();
  if (scales.empty() || scales[0] == Dim(1))
    return microsoft::dequantized(ctx.input(kWeight), ctx.input(kWeightScale),
                                  has_zero ? ctx.input(kWeightZero) : Tensor());
  const Tensor w = ctx.input(kWeight).to(DType::f32);
  const Tensor zero = has_zero ? ctx.input(kWeightZero).to(DType::f32) : Tensor::scalar(0);
  return (w - zero) * ctx.input(kWeightScale).to(DType::f32);
}

TensorList expand(const ExpandContext& ctx) {
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const DType type = ctx.input(kBias).dtype();
  const Tensor x =
      microsoft::dequantized(input(kInput), input(kInputScale).to(DType::f32), input(kInputZero));
  Attrs attrs{{"num_heads", ctx.i("num_heads")},
              {"unidirectional", ctx.i("unidirectional")},
              {"mask_filter_value", ctx.f("mask_filter_value")}};
  if (ctx.has("scale")) attrs = attrs.with({"scale", ctx.f("scale")});
  const Tensor past = input(kPast).defined() ? input(kPast).to(DType::f32) : Tensor();
  TensorList made = MicrosoftAttention.all(
      {x, weights(ctx).to(DType::f32), input(kBias).to(DType::f32), input(kMask), past}, attrs,
      ctx.output_count());
  for (Tensor& output : made) output = output.to(type);
  return made;
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05);
  const auto scales = [](int64_t n) { return arg::range({n}, 0.01, 0.05); };
  s.add({arg::u8({2, 3, 4}), arg::i8({4, 12}), arg::any({12}), scale, scale, arg::none(),
         arg::u8({}), arg::i8({})},
        {{"num_heads", 2}});
  s.add({arg::u8({2, 3, 4}), arg::u8({4, 12}), arg::any({12}), scale, scales(12),
         arg::fixed(Tensor::from<int32_t>({2, 3}, {2})), arg::u8({1}), arg::u8({12})},
        {{"num_heads", 1}, {"unidirectional", 1}});
  s.add({arg::u8({1, 2, 4}), arg::i8({4, 12}), arg::any({12}), scale, scale, arg::none(),
         arg::u8({}), arg::i8({}), arg::any({2, 1, 2, 3, 2})},
        {{"num_heads", 2}})
      .outputs = 2;
  const Arg x = arg::u8({2, 3, 4}), w = arg::i8({4, 12}), bias = arg::any({12});
  const Attrs two{{"num_heads", 2}};
  s.bad({arg::u8({2, 3}), w, bias, scale, scale}, two, "input is u8[2, 3]; it must be");
  s.bad({x, arg::i8({3, 12}), bias, scale, scale}, two, "weight is i8[3, 12]");
  s.bad({x, w, bias, scale, scale}, {{"num_heads", 5}}, "of 5 heads each");
  s.bad({x, w, arg::any({11}), scale, scale}, two, "bias is f32[11]; it must have shape [12]");
  s.bad({x, w, bias, scale, scales(4)}, two, "one for each of the 12 columns");
}

}  // namespace

constinit const OpDef QAttention{
    .name = "QAttention",
    .doc = "Attention of com.microsoft, whose input and weights are quantised.",
    .inputs = {{"input", "T1"},
               {"weight", "T2"},
               {"bias", "T3"},
               {"input_scale", "T3"},
               {"weight_scale", "T3"},
               optional("mask_index", "T4"),
               optional("input_zero_point", "T1"),
               optional("weight_zero_point", "T2"),
               optional("past", "T3")},
    .outputs = {{"output", "T3"}, optional("present", "T3")},
    .types = {{"T1", integer_rules::kBytes},
              {"T2", integer_rules::kBytes},
              {"T3", types(DType::f32, DType::f16)},
              {"T4", types(DType::i32)}},
    .attrs = {attr_i("do_rotary", 0), attr_f("mask_filter_value", -10000),
              required("num_heads", AttrType::i), attr_i("past_present_share_buffer", 0),
              attr("scale", AttrType::f), attr_i("unidirectional", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("input and weights are integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
