// com.microsoft.Attention: the projections of Q, K and V, merged into one product, and attention.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

enum Input : size_t { kInput, kWeights, kBias, kMask, kPast, kAttentionBias, kPastLength };

// Widths of Q, K and V.
Dims widths(const Call& call, const Dim& merged) {
  const auto given = call.ints("qkv_hidden_sizes");
  if (!given.empty()) return {given.begin(), given.end()};
  const Dim third = merged.floor_div(3);
  return {third, third, third};
}

void check_widths(const InferContext& ctx, const Dims& parts, const Dim& merged) {
  const int64_t heads = ctx.i("num_heads");
  ctx.check(heads >= 1, "num_heads is {}; it must be at least 1", heads);
  ctx.check(
      parts.size() == 3 && !differ(parts[0], parts[1]) &&
          !differ(parts[0] + parts[1] + parts[2], merged),
      "weights are {}, of {} columns, which are not the sum of Q, K and V of {}; Q and K must "
      "be alike",
      ctx.str(kWeights), merged.str(), str(parts));
  for (const Dim& part : parts)
    ctx.check(!part.is_const() || part.value() % heads == 0,
              "{} columns cannot be divided into {} heads", part.str(), heads);
}

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(kInput) == 3, "input is {}; it must be [batch, length, width]",
            ctx.str(kInput));
  ctx.check(ctx.rank(kWeights) == 2 && !differ(ctx.dims(kInput)[2], ctx.dims(kWeights)[0]),
            "weights are {}; with input {} they must be [{}, columns]", ctx.str(kWeights),
            ctx.str(kInput), ctx.dims(kInput)[2].str());
  const Dim merged = ctx.dims(kWeights)[1];
  microsoft::check_bias(ctx, kBias, merged);
  const Dims parts = widths(ctx, merged);
  check_widths(ctx, parts, merged);
  const Dim batch = ctx.dims(kInput)[0], length = ctx.dims(kInput)[1], heads = ctx.i("num_heads");
  microsoft::check_key_mask(ctx, kMask, batch);
  TENON_CHECK(ctx.i("do_rotary") == 0 && ctx.i("past_present_share_buffer") == 0, unsupported,
              "Attention of com.microsoft: do_rotary and past_present_share_buffer are not known; "
              "export without them");
  Dim total = length;
  if (ctx.has_input(kPast)) {
    const Dims& past = ctx.dims(kPast);
    ctx.check(past.size() == 5 && !differ(past[0], 2) && !differ(past[1], batch) &&
                  !differ(past[2], heads) && !differ(past[4], parts[0].floor_div(heads)),
              "past is {}; it must be [2, {}, {}, past length, {}]", ctx.str(kPast), batch.str(),
              heads.str(), parts[0].floor_div(heads).str());
    total = total + past[3];
  }
  ctx.check(!ctx.has_input(kAttentionBias) || ctx.rank(kAttentionBias) == 4,
            "attention_bias is {}; it must be [batch or 1, heads or 1, {}, {}]",
            ctx.str(kAttentionBias), length.str(), total.str());
  ctx.output(0, {batch, length, parts[2]});
  ctx.output(1, {2, batch, heads, total, parts[1].floor_div(heads)});
}

TensorList expand(const ExpandContext& ctx) {
  const int64_t heads = ctx.i("num_heads");
  Tensor merged = MatMul(ctx.input(kInput), ctx.input(kWeights));
  if (ctx.has_input(kBias)) merged = merged + ctx.input(kBias);
  const Dims parts = widths(ctx, ctx.input(kWeights).dims()[1]);
  std::vector<int64_t> sizes;
  for (const Dim& part : parts) {
    TENON_CHECK(part.is_const(), unsupported, "Attention: give the weights a fixed size");
    sizes.push_back(part.value());
  }
  const TensorList qkv = Split.all({merged, Tensor::ints(sizes)}, {{"axis", 2}}, 3);
  const Tensor q = attention_rules::split_heads(qkv[0], heads);
  const Tensor k = attention_rules::split_heads(qkv[1], heads);
  const Tensor v = attention_rules::split_heads(qkv[2], heads);
  TensorList inputs{q, k, v, Tensor(), Tensor(), Tensor()};
  if (ctx.has_input(kPast)) {
    inputs[4] = Gather(ctx.input(kPast), Tensor::from<int64_t>({0}, {}), {{"axis", 0}});
    inputs[5] = Gather(ctx.input(kPast), Tensor::from<int64_t>({1}, {}), {{"axis", 0}});
  }
  const Tensor keys = attention_rules::append(inputs[4], k);
  Tensor added = ctx.has_input(kAttentionBias) ? ctx.input(kAttentionBias) : Tensor();
  if (ctx.has_input(kMask))
    added = attention_rules::sum_of(
        {added,
         microsoft::key_mask(ctx.input(kMask), keys, ctx.f("mask_filter_value"), q.dtype())});
  inputs[3] = added;
  Attrs attrs{{"is_causal", ctx.i("unidirectional")}};
  if (ctx.has("scale") && ctx.f("scale") != 0) attrs = attrs.with({"scale", ctx.f("scale")});
  const bool keeps = ctx.output_count() > 1;
  const TensorList made = Attention.all(inputs, attrs, keeps ? 3 : 1);
  TensorList outputs{attention_rules::merge_heads(made[0])};
  if (keeps) {
    const auto stacked = [](const Tensor& x) { return Unsqueeze(x, Tensor::ints({0})); };
    outputs.push_back(Concat.all({stacked(made[1]), stacked(made[2])}, {{"axis", 0}})[0]);
  }
  return outputs;
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const auto no = arg::none();
  const auto mask = [](std::initializer_list<int32_t> values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<int32_t>(values, shape));
  };
  const Attrs two{{"num_heads", 2}};
  s.add({x({2, 3, 3}), x({3, 12}), x({12})}, two);
  s.add({x({2, 2, 3}), x({3, 12}), x({12}), mask({1, 2}, {2})}, two.with({"unidirectional", 1}));
  s.add({x({2, 3, 3}), x({3, 6}), no, mask({3, 2, 1, 0}, {4})},
        {{"num_heads", 1}, {"mask_filter_value", -5.0}});
  s.add({x({1, 3, 3}), x({3, 10}), x({10}), mask({1, 1, 0}, {1, 3})},
        {{"num_heads", 2}, {"qkv_hidden_sizes", {4, 4, 2}}, {"scale", 0.4}});
  s.add({x({1, 2, 3}), x({3, 12}), x({12}), mask({1, 0, 1, 1, 1, 1}, {1, 2, 3}), x({2, 1, 2, 1, 2}),
         x({1, 2, 2, 3})},
        two.with({"mask_filter_value", -3.0}))
      .outputs = 2;
  s.bad({x({2, 3}), x({3, 12})}, two, "Attention: input is f32[2, 3]");
  s.bad({x({2, 3, 3}), x({4, 12})}, two, "weights are f32[4, 12]");
  s.bad({x({2, 3, 3}), x({3, 13})}, two, "of 13 columns");
  s.bad({x({2, 3, 3}), x({3, 12}), x({11})}, two, "bias is f32[11]; it must have shape [12]");
  s.bad({x({2, 3, 3}), x({3, 12}), no, mask({1, 1, 1}, {3})}, two, "mask_index is i32[3]");
  s.bad({x({2, 3, 3}), x({3, 12}), no, no, x({2, 2, 2, 2})}, two, "past is f32[2, 2, 2, 2]");
}

}  // namespace

constinit const OpDef MicrosoftAttention{
    .name = "Attention",
    .doc =
        "Attention of Q, K and V that input * weights + bias holds side by side; masked keys get "
        "mask_filter_value added to their scores.",
    .inputs = {{"input", "T"},
               {"weights", "T"},
               optional("bias", "T"),
               optional("mask_index", "M"),
               optional("past", "T"),
               optional("attention_bias", "T"),
               optional("past_sequence_length", "M")},
    .outputs = {{"output", "T"}, optional("present", "T")},
    .types = {{"T", kFloats}, {"M", types(DType::i32)}},
    .attrs = {attr_i("do_rotary", 0), attr_f("mask_filter_value", -10000),
              required("num_heads", AttrType::i), attr_i("past_present_share_buffer", 0),
              attr("qkv_hidden_sizes", AttrType::ints), attr_i("rotary_embedding_dim", 0),
              attr("scale", AttrType::f), attr_i("unidirectional", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .samples = samples,
};

}  // namespace tenon::op
