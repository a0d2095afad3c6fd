// MultiHeadAttention: attention of projected queries, keys and values, which may come packed.
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
  kBias,
  kMask,
  kAttentionBias,
  kPastKey,
  kPastValue,
  kPastLength,
  kCacheIndirection
};

// Q, K and V as [batch, heads, length, size].
struct Heads {
  Dims q, k, v;
};

Dims split(const InferContext& ctx, size_t i, int64_t heads) {
  const Dims& x = ctx.dims(i);
  ctx.check(x.size() == 3 && (!x[2].is_const() || x[2].value() % heads == 0),
            "{} is {}; it must be [batch, length, {} heads * size]", ctx.op.inputs[i].name,
            ctx.str(i), heads);
  return {x[0], heads, x[1], x[2].floor_div(heads)};
}

// One part of a packed [batch, length, heads, parts, size].
Dims unpack(const InferContext& ctx, size_t i, int64_t heads, int64_t parts) {
  const Dims& x = ctx.dims(i);
  ctx.check(!differ(x[2], heads) && !differ(x[3], parts),
            "{} is {}; packed it must be [batch, length, {}, {}, size]", ctx.op.inputs[i].name,
            ctx.str(i), heads, parts);
  return {x[0], heads, x[1], x[4]};
}

Heads heads_of(const InferContext& ctx) {
  const int64_t heads = ctx.i("num_heads");
  ctx.check(heads >= 1, "num_heads is {}; it must be at least 1", heads);
  if (ctx.rank(kQuery) == 5) {
    ctx.check(!ctx.has_input(kKey) && !ctx.has_input(kValue),
              "query is {}, with keys and values packed, but key or value is given too",
              ctx.str(kQuery));
    const Dims all = unpack(ctx, kQuery, heads, 3);
    return {all, all, all};
  }
  const Dims q = split(ctx, kQuery, heads);
  ctx.check(ctx.has_input(kKey), "key is missing, and query is {}; give key and value",
            ctx.str(kQuery));
  if (ctx.rank(kKey) == 5) {
    ctx.check(!ctx.has_input(kValue), "key is {}, with values packed, but value is given too",
              ctx.str(kKey));
    const Dims both = unpack(ctx, kKey, heads, 2);
    return {q, both, both};
  }
  ctx.check(ctx.has_input(kValue), "value is missing, and key is {}; give both", ctx.str(kKey));
  const auto one = [&](size_t i) { return ctx.rank(i) == 4 ? ctx.dims(i) : split(ctx, i, heads); };
  return {q, one(kKey), one(kValue)};
}

void infer(InferContext& ctx) {
  const Heads heads = heads_of(ctx);
  microsoft::check_bias(ctx, kBias, (heads.q[3] + heads.k[3] + heads.v[3]) * heads.q[1]);
  microsoft::check_key_mask(ctx, kMask, heads.q[0]);
  TENON_CHECK(!ctx.has_input(kPastLength) && !ctx.has_input(kCacheIndirection), unsupported,
              "MultiHeadAttention: buffers shared by past and present are not known; export "
              "without past_sequence_length and cache_indirection");
  // The rest is as in the standard's operator.
  std::vector<TensorType> inputs{ctx.input(kQuery),   ctx.input(kQuery),
                                 ctx.input(kQuery),   ctx.input(kAttentionBias),
                                 ctx.input(kPastKey), ctx.input(kPastValue)};
  inputs[0].dims = heads.q, inputs[1].dims = heads.k, inputs[2].dims = heads.v;
  const auto made = microsoft::like(ctx, Attention, {}, inputs, 4);
  ctx.output(0, {heads.q[0], heads.q[2], heads.q[1] * heads.v[3]});
  for (size_t i = 1; i < 4; ++i) ctx.output(i, made[i].dims);
}

// Part `i` of the bias, as wide as that part of each head.
Tensor add_bias(const Tensor& x, const TensorList& biases, size_t i, int64_t heads) {
  if (biases.empty()) return x;
  const int64_t size = attention_rules::fixed_size(x, 3, "MultiHeadAttention");
  return x + biases[i].view({heads, 1, size});
}

TensorList expand(const ExpandContext& ctx) {
  const int64_t heads = ctx.i("num_heads");
  const auto given = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const auto headed = [&](size_t i) {
    return ctx.input(i).rank() == 4 ? ctx.input(i)
                                    : attention_rules::split_heads(ctx.input(i), heads);
  };
  // [batch, length, heads, parts, size] to parts of [batch, heads, length, size]
  const auto unpack = [&](size_t i, int64_t part) {
    const Tensor one = Gather(ctx.input(i), Tensor::from<int64_t>({part}, {}), {{"axis", 3}});
    return Transpose(one, {{"perm", {0, 2, 1, 3}}});
  };
  Tensor q, k, v;
  if (ctx.input(kQuery).rank() == 5) {
    q = unpack(kQuery, 0), k = unpack(kQuery, 1), v = unpack(kQuery, 2);
  } else {
    q = headed(kQuery);
    const bool packed = ctx.input(kKey).rank() == 5;
    k = packed ? unpack(kKey, 0) : headed(kKey);
    v = packed ? unpack(kKey, 1) : headed(kValue);
  }
  TensorList biases;
  if (ctx.has_input(kBias)) {
    std::vector<int64_t> sizes;
    for (const Tensor& part : {q, k, v})
      sizes.push_back(heads * attention_rules::fixed_size(part, 3, ctx.op.name));
    biases = Split.all({ctx.input(kBias), Tensor::ints(sizes)}, {{"axis", 0}}, 3);
  }
  // Keys and values that were computed before have their bias.
  q = add_bias(q, biases, 0, heads);
  if (!ctx.has_input(kKey) || ctx.input(kKey).rank() != 4) {
    k = add_bias(k, biases, 1, heads);
    v = add_bias(v, biases, 2, heads);
  }
  Tensor added = given(kAttentionBias);
  if (ctx.has_input(kMask)) {
    const Tensor keys = attention_rules::append(given(kPastKey), k);
    added = attention_rules::sum_of(
        {added,
         microsoft::key_mask(ctx.input(kMask), keys, ctx.f("mask_filter_value"), q.dtype())});
  }
  Attrs attrs{{"is_causal", ctx.i("unidirectional")}, {"qk_matmul_output_mode", 2}};
  if (ctx.has("scale") && ctx.f("scale") != 0) attrs = attrs.with({"scale", ctx.f("scale")});
  TensorList outputs = Attention.all({q, k, v, added, given(kPastKey), given(kPastValue)}, attrs,
                                     ctx.output_count());
  outputs[0] = attention_rules::merge_heads(outputs[0]);
  return outputs;
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const auto no = arg::none();
  const auto mask = [](std::initializer_list<int32_t> values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<int32_t>(values, shape));
  };
  const Attrs two{{"num_heads", 2}};
  s.add({x({2, 3, 4}), x({2, 2, 4}), x({2, 2, 6}), x({14})}, two);
  s.add({x({1, 3, 2, 3, 2})}, two.with({"unidirectional", 1}));
  s.add({x({1, 2, 4}), x({1, 3, 2, 2, 2}), no, no, mask({1, 0, 1}, {1, 3})},
        two.with({"mask_filter_value", -3.0}));
  s.add({x({2, 2, 4}), x({2, 2, 3, 2}), x({2, 2, 3, 2}), no, mask({2, 3}, {2}), x({1, 2, 2, 3})},
        two.with({"scale", 0.3}));
  Sample& past = s.add(
      {x({1, 2, 4}), x({1, 2, 4}), x({1, 2, 4}), no, no, no, x({1, 2, 3, 2}), x({1, 2, 3, 2})},
      two);
  past.outputs = 4;
  s.add({x({1, 0, 4}), x({1, 2, 4}), x({1, 2, 4})}, two);
  s.bad({x({2, 4}), x({2, 4}), x({2, 4})}, two, "MultiHeadAttention: query is f32[2, 4]");
  s.bad({x({2, 3, 5}), x({2, 3, 4}), x({2, 3, 4})}, two, "query is f32[2, 3, 5]");
  s.bad({x({2, 3, 4})}, two, "key is missing");
  s.bad({x({2, 3, 4}), x({2, 3, 4})}, two, "value is missing");
  s.bad({x({1, 3, 2, 2, 2})}, two, "packed it must be [batch, length, 2, 3, size]");
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({2, 3, 4}), x({11})}, two, "bias is f32[11]");
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({2, 2, 4})}, two, "of lengths 3 and 2");
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({2, 3, 4})}, {}, "attribute num_heads is missing");
}

}  // namespace

constinit const OpDef MultiHeadAttention{
    .name = "MultiHeadAttention",
    .doc =
        "Attention of queries, keys and values with a bias added; masked keys get "
        "mask_filter_value "
        "added to their scores.",
    .inputs = {{"query", "T"},
               optional("key", "T"),
               optional("value", "T"),
               optional("bias", "T"),
               optional("key_padding_mask", "M"),
               optional("attention_bias", "T"),
               optional("past_key", "T"),
               optional("past_value", "T"),
               optional("past_sequence_length", "M"),
               optional("cache_indirection", "M")},
    .outputs = {{"output", "T"},
                optional("present_key", "T"),
                optional("present_value", "T"),
                optional("qk", "T")},
    .types = {{"T", kFloats}, {"M", types(DType::i32)}},
    .attrs = {attr_f("mask_filter_value", -10000), required("num_heads", AttrType::i),
              attr("scale", AttrType::f), attr_i("unidirectional", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
