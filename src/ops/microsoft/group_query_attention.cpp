// GroupQueryAttention: what decoders of language models are made of: new keys and values are turned
// by their positions, written into a cache behind each sample's own past, and attended to.
#include <algorithm>

#include "ops/logic/catalog.h"
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

enum Input : size_t {
  kQuery,
  kKey,
  kValue,
  kPastKey,
  kPastValue,
  kLastPlaces,  // seqlens_k
  kTotal,       // total_sequence_length
  kCos,
  kSin,
  kPositionIds,
  kAttentionBias,
  kHeadSink,
  kKeyScale,
  kValueScale,
  kQueryNorm,
  kKeyNorm
};

void refuse_unknown(const InferContext& ctx) {
  const bool quantized = ctx.s("k_quant_type") != "NONE" || ctx.s("v_quant_type") != "NONE";
  TENON_CHECK(!quantized && ctx.i("sliding_window_cache") == 0 && ctx.i("qk_output") == 0,
              unsupported,
              "GroupQueryAttention: quantised caches, sliding_window_cache and qk_output are not "
              "known; export without them");
}

Dim head_size(const InferContext& ctx, int64_t heads, int64_t kv_heads) {
  const Dims& q = ctx.dims(kQuery);
  const bool packed = !ctx.has_input(kKey);
  const int64_t all = packed ? heads + 2 * kv_heads : heads;
  ctx.check(q.size() == 3 && (!q[2].is_const() || q[2].value() % all == 0),
            "query is {}; it must be [batch, length, {} heads * size]{}", ctx.str(kQuery), all,
            packed ? ", with keys and values packed" : "");
  return q[2].floor_div(all);
}

void check_cache(const InferContext& ctx, size_t i, int64_t kv_heads, const Dim& size) {
  if (!ctx.has_input(i)) return;
  const Dims& past = ctx.dims(i);
  ctx.check(past.size() == 4 && !differ(past[0], ctx.dims(kQuery)[0]) &&
                !differ(past[1], kv_heads) && !differ(past[3], size),
            "{} is {}; it must be [{}, {}, places, {}]", ctx.op.inputs[i].name, ctx.str(i),
            ctx.dims(kQuery)[0].str(), kv_heads, size.str());
}

void infer(InferContext& ctx) {
  refuse_unknown(ctx);
  const int64_t heads = ctx.i("num_heads"), kv_heads = ctx.i("kv_num_heads");
  ctx.check(heads >= 1 && kv_heads >= 1 && heads % kv_heads == 0,
            "{} query heads cannot share {} key heads; the first must be a multiple", heads,
            kv_heads);
  ctx.check(ctx.has_input(kKey) == ctx.has_input(kValue),
            "only one of key and value is given; give both, or pack them into query");
  ctx.check(ctx.has_input(kPastKey) == ctx.has_input(kPastValue),
            "only one of past_key and past_value is given; give both or none");
  const Dim size = head_size(ctx, heads, kv_heads);
  const Dims& q = ctx.dims(kQuery);
  for (size_t i : {kKey, kValue}) {
    if (!ctx.has_input(i)) continue;
    const Dims& x = ctx.dims(i);
    ctx.check(x.size() == 3 && !differ(x[0], q[0]) && !differ(x[1], q[1]) &&
                  !differ(x[2], size * kv_heads),
              "{} is {}; it must be [{}, {}, {}]", ctx.op.inputs[i].name, ctx.str(i), q[0].str(),
              q[1].str(), (size * kv_heads).str());
  }
  check_cache(ctx, kPastKey, kv_heads, size);
  check_cache(ctx, kPastValue, kv_heads, size);
  const Dim places = product(ctx.dims(kLastPlaces));
  ctx.check(!differ(places, q[0]), "seqlens_k is {}; it must have shape [{}]", ctx.str(kLastPlaces),
            q[0].str());
  ctx.check(ctx.i("do_rotary") == 0 || (ctx.has_input(kCos) && ctx.has_input(kSin)),
            "do_rotary is {}; give cos_cache and sin_cache", ctx.i("do_rotary"));
  ctx.check(ctx.has_input(kQueryNorm) == ctx.has_input(kKeyNorm),
            "only one of q_norm_weight and k_norm_weight is given; give both or none");
  for (size_t i : {kQueryNorm, kKeyNorm}) microsoft::check_bias(ctx, i, size);
  microsoft::check_bias(ctx, kHeadSink, heads);

  // The cache grows only where the total is longer.
  Dim length = Dim::unknown();
  if (const auto total = ctx.ints_of(kTotal); total && total->size() == 1) {
    length = total->front();
    if (ctx.has_input(kPastKey)) {
      const Dim& past = ctx.dims(kPastKey)[2];
      length = past.is_const() ? Dim(std::max(past.value(), total->front())) : Dim::unknown();
    }
  }
  ctx.output(0, {q[0], q[1], size * heads});
  ctx.output(1, {q[0], kv_heads, length, size});
  ctx.output(2, {q[0], kv_heads, length, size});
}

// Places that are filled before this call, one a sample: none when this call brings all there is.
Tensor past_lengths(const ExpandContext& ctx) {
  const Tensor length = attention_rules::size_of(ctx.input(kQuery), 1);
  const Tensor total = ctx.input(kTotal).to(DType::i64).view({1});
  const Tensor lasts = ctx.input(kLastPlaces).to(DType::i64).view({-1});
  return Where(Equal(length, total), constant_like(lasts, 0), lasts + 1 - length);
}

// The cache with room for all, and the new rows behind the old ones.
Tensor written(const ExpandContext& ctx, size_t past, const Tensor& now, const Tensor& places) {
  const Tensor total = ctx.input(kTotal).to(DType::i64).view({1});
  const Tensor zero = constant_like(now, 0);
  const auto padded = [&](const Tensor& x) {
    const Tensor missing = Max(total - attention_rules::size_of(x, 2).view({1}), Tensor::ints({0}));
    const Tensor pads = Concat.all({Tensor::ints({0, 0, 0, 0, 0, 0}), missing, Tensor::ints({0})},
                                   {{"axis", 0}})[0];
    return Pad(x, pads, zero);
  };
  if (!ctx.has_input(past)) return padded(now);
  return TensorScatter(padded(ctx.input(past)), now, places);
}

// Minus infinity for keys further back than the window, in the shape of the scores.
Tensor window_mask(const ExpandContext& ctx, const Tensor& q, const Tensor& k,
                   const Tensor& places) {
  const int64_t window = ctx.i("local_window_size");
  if (window <= 0) return {};
  const Tensor rows = Unsqueeze(attention_rules::positions(q, 2), Tensor::ints({1})) +
                      Unsqueeze(places, Tensor::ints({1, 2, 3}));
  const Tensor near = Greater(attention_rules::positions(k, 2), rows - window);
  return attention_rules::mask_out(constant_like(q, 0), near);
}

// The mask as wide as the keys; it may be given for the places that are filled only.
Tensor whole_mask(const Tensor& mask, const Tensor& k) {
  const Tensor missing = attention_rules::size_of(k, 2) - attention_rules::size_of(mask, 3);
  const Tensor pads =
      Concat.all({Tensor::ints({0, 0, 0, 0, 0, 0, 0}), missing.view({1})}, {{"axis", 0}})[0];
  return Pad(mask, pads, constant_like(mask, 0));
}

// With a sink, the softmax has one more term, e^sink, that belongs to no key: a key of zeros whose
// mask is the sink and whose value is zero.
Tensor attend_with_sink(const ExpandContext& ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                        const Tensor& mask, const Tensor& lengths, const Tensor& places,
                        const Attrs& attrs) {
  const Tensor keys = attention_rules::positions(k, 2);
  const auto by_sample = [](const Tensor& x) { return Unsqueeze(x, Tensor::ints({1, 2, 3})); };
  Tensor allowed = Less(keys, by_sample(lengths));
  if (ctx.i("causal") != 0) {
    const Tensor rows = Unsqueeze(attention_rules::positions(q, 2), Tensor::ints({1}));
    allowed = And(allowed, LessOrEqual(keys, rows + by_sample(places)));
  }
  const Tensor zero = constant_like(q, 0);
  const Tensor bias = attention_rules::sum_of({attention_rules::mask_out(zero, allowed), mask});
  const int64_t heads = ctx.i("num_heads");
  const Tensor sink = ctx.has_input(kHeadSink) ? ctx.input(kHeadSink).view({1, heads, 1, 1})
                                               : Tensor::zeros({1, heads, 1, 1}, q.dtype());
  // One row of zeros more, in front.
  const auto extended = [&](const Tensor& x, int64_t axis) {
    std::vector<int64_t> pads(8, 0);
    pads[static_cast<size_t>(axis)] = 1;
    return Pad(x, Tensor::ints(pads), zero);
  };
  const Tensor first = Equal(attention_rules::positions(extended(k, 2), 2), Tensor::ints({0}));
  const Tensor whole = Where(first, sink, extended(bias, 3));
  return Attention.all({q, extended(k, 2), extended(v, 2), whole}, attrs.without("is_causal"))[0];
}

// Queries, keys and values as [batch, heads, length, size], normalised and turned.
struct Projections {
  Tensor q, k, v;
};

Projections projections(const ExpandContext& ctx, const Tensor& places) {
  const int64_t heads = ctx.i("num_heads"), kv_heads = ctx.i("kv_num_heads");
  Projections made;
  if (ctx.has_input(kKey)) {
    made = {ctx.input(kQuery), ctx.input(kKey), ctx.input(kValue)};
  } else {
    const int64_t width = attention_rules::fixed_size(ctx.input(kQuery), 2, ctx.op.name);
    const int64_t size = width / (heads + 2 * kv_heads);
    const TensorList parts = Split.all(
        {ctx.input(kQuery), Tensor::ints({heads * size, kv_heads * size, kv_heads * size})},
        {{"axis", 2}}, 3);
    made = {parts[0], parts[1], parts[2]};
  }
  made.q = attention_rules::split_heads(made.q, heads);
  made.k = attention_rules::split_heads(made.k, kv_heads);
  made.v = attention_rules::split_heads(made.v, kv_heads);
  if (ctx.has_input(kQueryNorm)) {
    const Attrs attrs{{"epsilon", ctx.f("qk_norm_epsilon")}};
    made.q = RMSNormalization(made.q, ctx.input(kQueryNorm), attrs);
    made.k = RMSNormalization(made.k, ctx.input(kKeyNorm), attrs);
  }
  if (ctx.i("do_rotary") == 0) return made;
  const Tensor ids = ctx.has_input(kPositionIds) ? ctx.input(kPositionIds)
                                                 : Unsqueeze(places, Tensor::ints({1})) +
                                                       attention_rules::positions(made.q, 2);
  const int64_t half = attention_rules::fixed_size(ctx.input(kCos), 1, ctx.op.name);
  const Attrs attrs{{"interleaved", ctx.i("rotary_interleaved")},
                    {"rotary_embedding_dim", 2 * half}};
  made.q = RotaryEmbedding(made.q, ctx.input(kCos), ctx.input(kSin), ids, attrs);
  made.k = RotaryEmbedding(made.k, ctx.input(kCos), ctx.input(kSin), ids, attrs);
  return made;
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor places = past_lengths(ctx);
  const Projections made = projections(ctx, places);
  const Tensor k = written(ctx, kPastKey, made.k, places);
  const Tensor v = written(ctx, kPastValue, made.v, places);
  const Tensor lengths = places + attention_rules::size_of(ctx.input(kQuery), 1);

  Tensor mask = window_mask(ctx, made.q, k, places);
  if (ctx.has_input(kAttentionBias))
    mask = attention_rules::sum_of({mask, whole_mask(ctx.input(kAttentionBias), k)});
  Attrs attrs{{"is_causal", ctx.i("causal")}, {"softcap", ctx.f("softcap")}};
  if (ctx.has("scale") && ctx.f("scale") != 0) attrs = attrs.with({"scale", ctx.f("scale")});
  const bool sinks = ctx.has_input(kHeadSink) || ctx.i("smooth_softmax") > 0;
  const Tensor y = sinks
                       ? attend_with_sink(ctx, made.q, k, v, mask, lengths, places, attrs)
                       : Attention.all({made.q, k, v, mask, Tensor(), Tensor(), lengths}, attrs)[0];
  TensorList outputs{attention_rules::merge_heads(y), k, v};
  outputs.resize(ctx.output_count());
  return outputs;
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const auto no = arg::none();
  const auto ints = [](std::initializer_list<int32_t> values) {
    return arg::fixed(Tensor::from<int32_t>(values, {static_cast<int64_t>(values.size())}));
  };
  const Attrs heads{{"num_heads", 2}, {"kv_num_heads", 1}};
  // A prompt.
  s.add({x({2, 3, 4}), x({2, 3, 2}), x({2, 3, 2}), no, no, ints({2, 1}), ints({3})}, heads)
      .outputs = 3;
  // One more word, in a cache with room for it, and packed with positions.
  s.add({x({2, 1, 4}), x({2, 1, 2}), x({2, 1, 2}), x({2, 1, 4, 2}), x({2, 1, 4, 2}), ints({2, 1}),
         ints({3})},
        heads)
      .outputs = 3;
  s.add({x({1, 2, 8}), no, no, x({1, 1, 2, 2}), x({1, 1, 2, 2}), ints({3}), ints({4}), x({6, 1}),
         x({6, 1})},
        heads.with({"do_rotary", 1}).with({"scale", 0.5}))
      .outputs = 3;
  s.add({x({1, 3, 4}), x({1, 3, 2}), x({1, 3, 2}), no, no, ints({2}), ints({3}), no, no, no,
         x({1, 2, 3, 3})},
        heads.with({"local_window_size", 2}).with({"softcap", 2.0}));
  s.add({x({1, 3, 4}), x({1, 3, 2}), x({1, 3, 2}), no, no, ints({2}), ints({3}), no, no, no, no,
         x({2})},
        heads);
  s.add({x({1, 3, 4}), x({1, 3, 2}), x({1, 3, 2}), no, no, ints({2}), ints({3}), no, no, no, no, no,
         no, no, x({2}), x({2})},
        heads.with({"smooth_softmax", 1}).with({"causal", 0}));
  s.bad({x({2, 4}), x({2, 4}), x({2, 4}), no, no, ints({0, 0}), ints({1})}, heads,
        "GroupQueryAttention: query is f32[2, 4]");
  s.bad({x({2, 1, 4}), x({2, 1, 3}), x({2, 1, 2}), no, no, ints({0, 0}), ints({1})}, heads,
        "key is f32[2, 1, 3]; it must be [2, 1, 2]");
  s.bad({x({2, 1, 4}), x({2, 1, 2}), no, no, no, ints({0, 0}), ints({1})}, heads,
        "only one of key and value");
  s.bad({x({2, 1, 4}), x({2, 1, 2}), x({2, 1, 2}), no, no, ints({0}), ints({1})}, heads,
        "seqlens_k is i32[1]");
  s.bad({x({2, 1, 4}), x({2, 1, 2}), x({2, 1, 2}), no, no, ints({0, 0}), ints({1})},
        heads.with({"do_rotary", 1}), "give cos_cache and sin_cache");
  s.bad({x({2, 1, 6}), x({2, 1, 4}), x({2, 1, 4}), no, no, ints({0, 0}), ints({1})},
        {{"num_heads", 3}, {"kv_num_heads", 2}}, "3 query heads cannot share 2");
}

}  // namespace

constinit const OpDef GroupQueryAttention{
    .name = "GroupQueryAttention",
    .doc =
        "Causal attention of a decoder's step: new keys and values go into the cache behind each "
        "sample's past, turned by their positions where do_rotary is 1.",
    .inputs = {{"query", "T"},
               optional("key", "T"),
               optional("value", "T"),
               optional("past_key", "T"),
               optional("past_value", "T"),
               {"seqlens_k", "M"},
               value("total_sequence_length", "M"),
               optional("cos_cache", "T"),
               optional("sin_cache", "T"),
               optional("position_ids", "I"),
               optional("attention_bias", "T"),
               optional("head_sink", "T"),
               optional("k_scale", "S"),
               optional("v_scale", "S"),
               optional("q_norm_weight", "T"),
               optional("k_norm_weight", "T")},
    .outputs = {{"output", "T"}, optional("present_key", "T"), optional("present_value", "T")},
    .types = {{"T", kFloats}, {"M", types(DType::i32)}, {"I", kInt64}, {"S", kFloat32}},
    .attrs = {attr_i("causal", 1), attr_i("do_rotary", 0),
              attr_s("k_quant_type", "NONE", "NONE|PER_TENSOR|PER_CHANNEL"),
              attr_i("kv_cache_bit_width", 0), required("kv_num_heads", AttrType::i),
              attr_i("local_window_size", -1), required("num_heads", AttrType::i),
              attr_f("qk_norm_epsilon", 1e-6), attr_i("qk_output", 0),
              attr_i("rotary_interleaved", 0), attr("scale", AttrType::f),
              attr_i("sliding_window_cache", 0), attr_i("smooth_softmax", 0), attr_f("softcap", 0),
              attr_s("v_quant_type", "NONE", "NONE|PER_TENSOR|PER_CHANNEL")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
