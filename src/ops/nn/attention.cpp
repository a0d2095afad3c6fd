// Attention: softmax(Q K^T * scale + mask) V, head by head.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

enum Input : size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

// One of Q, K, V as [batch, heads, length, size].
Dims headed(const InferContext& ctx, size_t i, std::string_view heads_attr) {
  const Dims& dims = ctx.dims(i);
  if (dims.size() == 4) {
    ctx.check(!ctx.has(heads_attr) || !differ(dims[1], ctx.i(heads_attr)),
              "{} is {}, which has {} heads, and {} is {}; leave it out", ctx.op.inputs[i].name,
              ctx.str(i), dims[1].str(), heads_attr, ctx.has(heads_attr) ? ctx.i(heads_attr) : 0);
    return dims;
  }
  ctx.check(ctx.has(heads_attr), "Q is {}, of rank 3; give {}", ctx.str(kQ), heads_attr);
  const int64_t heads = ctx.i(heads_attr);
  ctx.check(heads >= 1, "{} is {}; it must be at least 1", heads_attr, heads);
  ctx.check(!dims[2].is_const() || dims[2].value() % heads == 0,
            "{} is {}, whose last axis cannot be divided into {} heads ({})", ctx.op.inputs[i].name,
            ctx.str(i), heads, heads_attr);
  return {dims[0], heads, dims[1], dims[2].floor_div(heads)};
}

void check_equal(const InferContext& ctx, const Dim& a, const Dim& b, size_t i, size_t k,
                 std::string_view what) {
  ctx.check(!differ(a, b), "{} is {} and {} is {}, of {} {} and {}; they must be equal",
            ctx.op.inputs[i].name, ctx.str(i), ctx.op.inputs[k].name, ctx.str(k), what, a.str(),
            b.str());
}

// Right-aligned against the scores; the last axis may be shorter than there are keys.
void check_mask(const InferContext& ctx, const Dims& scores) {
  const Dims& mask = ctx.dims(kMask);
  bool fits = !mask.empty() && mask.size() <= 4;
  for (size_t i = 0; fits && i + 1 < mask.size(); ++i)
    fits = mask[i] == Dim(1) || !differ(mask[i], scores[4 - mask.size() + i]);
  if (fits && mask.back().is_const() && scores[3].is_const())
    fits = mask.back().value() <= scores[3].value();
  ctx.check(fits, "attn_mask is {}, which does not broadcast to the scores {}", ctx.str(kMask),
            str(scores));
}

void check_past(const InferContext& ctx, size_t i, const Dims& now) {
  const Dims& past = ctx.dims(i);
  bool fits = past.size() == 4;
  for (size_t axis : {0, 1, 3}) fits = fits && !differ(past[axis], now[axis]);
  ctx.check(fits, "{} is {}; it must be [{}, {}, past length, {}]", ctx.op.inputs[i].name,
            ctx.str(i), now[0].str(), now[1].str(), now[3].str());
}

void check_attributes(const InferContext& ctx) {
  const int64_t mode = ctx.i("qk_matmul_output_mode");
  ctx.check(mode >= 0 && mode <= 3, "qk_matmul_output_mode is {}; use 0 to 3", mode);
  if (!ctx.has("softmax_precision")) return;
  const int64_t type = ctx.i("softmax_precision");
  ctx.check(type > 0 && type < kTensorTypeCount && is_float(static_cast<DType>(type)),
            "softmax_precision is {}; use 1 (f32), 10 (f16), 11 (f64) or 16 (bf16)", type);
}

void infer(InferContext& ctx) {
  const size_t rank = ctx.rank(kQ);
  ctx.check((rank == 3 || rank == 4) && ctx.rank(kK) == rank && ctx.rank(kV) == rank,
            "Q is {}, K is {}, V is {}; they must all be [batch, length, heads * size] or all "
            "[batch, heads, length, size]",
            ctx.str(kQ), ctx.str(kK), ctx.str(kV));
  const Dims q = headed(ctx, kQ, "q_num_heads"), k = headed(ctx, kK, "kv_num_heads"),
             v = headed(ctx, kV, "kv_num_heads");
  check_equal(ctx, q[0], k[0], kQ, kK, "batch sizes");
  check_equal(ctx, q[0], v[0], kQ, kV, "batch sizes");
  check_equal(ctx, k[1], v[1], kK, kV, "head counts");
  check_equal(ctx, k[2], v[2], kK, kV, "lengths");
  check_equal(ctx, q[3], k[3], kQ, kK, "head sizes");
  ctx.check(!q[1].is_const() || !k[1].is_const() ||
                (k[1].value() > 0 && q[1].value() % k[1].value() == 0),
            "{} query heads cannot share {} key heads; the first must be a multiple", q[1].str(),
            k[1].str());
  ctx.check(ctx.has_input(kPastKey) == ctx.has_input(kPastValue),
            "only one of past_key and past_value is given; give both or none");
  Dim total = k[2];
  if (ctx.has_input(kPastKey)) {
    check_past(ctx, kPastKey, k);
    check_past(ctx, kPastValue, v);
    check_equal(ctx, ctx.dims(kPastKey)[2], ctx.dims(kPastValue)[2], kPastKey, kPastValue,
                "lengths");
    total = ctx.dims(kPastKey)[2] + k[2];
  }
  const Dims scores{q[0], q[1], q[2], total};
  if (ctx.has_input(kMask)) check_mask(ctx, scores);
  if (ctx.has_input(kLengths)) {
    ctx.check(!ctx.has_input(kPastKey),
              "nonpad_kv_seqlen and past_key are both given; a cache is one or the other");
    ctx.check(ctx.rank(kLengths) == 1 && !differ(ctx.dims(kLengths)[0], q[0]),
              "nonpad_kv_seqlen is {}; it must have shape [{}]", ctx.str(kLengths), q[0].str());
  }
  check_attributes(ctx);
  ctx.output(0, rank == 4 ? Dims{q[0], q[1], q[2], v[3]} : Dims{q[0], q[2], q[1] * v[3]});
  ctx.output(1, {k[0], k[1], total, k[3]});
  ctx.output(2, {v[0], v[1], total, v[3]});
  ctx.output(3, scores);
}

// The mask as numbers to add, as wide as there are keys.
Tensor added_mask(const Tensor& mask, const Tensor& scores) {
  const double infinity = std::numeric_limits<double>::infinity();
  Tensor added = mask.dtype() == DType::boolean
                     ? attention_rules::mask_out(constant_like(scores, 0), mask)
                     : mask.to(scores.dtype());
  const Dims dims = mask.dims();
  const Dim keys = scores.dims()[3];
  if (dims.back() == keys) return added;
  const Tensor missing =
      attention_rules::size_of(scores, 3) - attention_rules::size_of(mask, dims.size() - 1);
  const std::vector<int64_t> none(2 * dims.size() - 1, 0);
  const Tensor pads = Concat.all({Tensor::ints(none), missing.view({1})}, {{"axis", 0}})[0];
  return Pad(added, pads, constant_like(scores, -infinity));
}

// Which keys each query may see as far as causality and lengths decide; undefined: all.
Tensor allowed_keys(const ExpandContext& ctx, const Tensor& q, const Tensor& k) {
  const bool causal = ctx.i("is_causal") != 0, limited = ctx.has_input(kLengths);
  Tensor allowed;
  if (!causal && !limited) return allowed;
  const Tensor keys = attention_rules::positions(k, 2);
  const auto by_batch = [](const Tensor& x) { return Unsqueeze(x, Tensor::ints({1, 2, 3})); };
  if (causal) {
    // The queries are the last of the valid keys.
    Tensor rows = Unsqueeze(attention_rules::positions(q, 2), Tensor::ints({1}));
    if (ctx.has_input(kPastKey))
      rows = rows + attention_rules::size_of(ctx.input(kPastKey), 2);
    else if (limited)
      rows = rows + by_batch(ctx.input(kLengths) - attention_rules::size_of(q, 2));
    allowed = LessOrEqual(keys, rows);
  }
  if (limited) {
    const Tensor valid = Less(keys, by_batch(ctx.input(kLengths)));
    allowed = allowed.defined() ? And(allowed, valid) : valid;
  }
  return allowed;
}

double scale_of(const ExpandContext& ctx, const Tensor& q) {
  if (ctx.has("scale")) return ctx.f("scale");
  const int64_t size = attention_rules::fixed_size(q, 3, ctx.op.name);
  return 1 / std::sqrt(static_cast<double>(std::max<int64_t>(size, 1)));
}

int64_t queries_a_key(const Tensor& q, const Tensor& k) {
  if (q.dims()[1] == k.dims()[1]) return 1;
  return attention_rules::fixed_size(q, 1, "Attention") /
         attention_rules::fixed_size(k, 1, "Attention");
}

TensorList expand(const ExpandContext& ctx) {
  const bool flat = ctx.input(kQ).rank() == 3;
  const auto head_input = [&](size_t i, std::string_view heads) {
    return flat ? attention_rules::split_heads(ctx.input(i), ctx.i(heads)) : ctx.input(i);
  };
  const auto past = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const Tensor q = head_input(kQ, "q_num_heads");
  const Tensor k = attention_rules::append(past(kPastKey), head_input(kK, "kv_num_heads"));
  const Tensor v = attention_rules::append(past(kPastValue), head_input(kV, "kv_num_heads"));
  const int64_t group = queries_a_key(q, k);

  // Half of the scale on either side keeps products of f16 in range.
  const double scale = scale_of(ctx, q);
  const double root = scale == 0 ? 1 : std::sqrt(std::abs(scale));
  const Tensor keys = attention_rules::repeat_heads(k * root, group);
  Tensor scores = MatMul(q * (scale / root), keys.t());
  Tensor shown = scores;
  const int64_t mode = ctx.i("qk_matmul_output_mode");
  if (const double cap = ctx.f("softcap"); cap > 0) scores = Tanh(scores / cap) * cap;
  if (mode == 1) shown = scores;
  if (ctx.has_input(kMask)) scores = scores + added_mask(ctx.input(kMask), scores);
  if (const Tensor allowed = allowed_keys(ctx, q, k); allowed.defined())
    scores = attention_rules::mask_out(scores, allowed);
  if (mode == 2) shown = scores;

  const DType type = q.dtype();
  const auto precision =
      ctx.has("softmax_precision") ? static_cast<DType>(ctx.i("softmax_precision")) : type;
  const Tensor precise = scores.to(precision);
  const bool may_be_empty = ctx.has_input(kMask) || ctx.has_input(kLengths);
  const Tensor weights =
      (may_be_empty ? attention_rules::softmax_or_zero(precise) : Softmax(precise)).to(type);
  if (mode == 3) shown = weights;
  const Tensor y = MatMul(weights, attention_rules::repeat_heads(v.to(type), group));
  TensorList outputs{flat ? attention_rules::merge_heads(y) : y};
  if (ctx.output_count() > 1) outputs.push_back(Identity(k));
  if (ctx.output_count() > 2) outputs.push_back(Identity(v));
  if (ctx.output_count() > 3) outputs.push_back(shown);
  return outputs;
}

double flops(const InferContext& ctx) {
  const Dims& q = ctx.dims(kQ);
  const Dims& v = ctx.dims(kV);
  const size_t rank = q.size();
  const Dim past = ctx.has_input(kPastKey) ? ctx.dims(kPastKey)[2] : Dim(0);
  const Dim keys = v[rank - 2] + past;
  const Dim steps = product(q) * keys * 2;
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

// Each call with V, past_value and a mask of the type of Q, as far as the tests draw them so.
void add(Samples& s, std::vector<Arg> inputs, const Attrs& attrs = {}, size_t outputs = 1) {
  Sample& narrow = s.add(inputs, attrs);
  narrow.outputs = outputs;
  narrow.types = kFloats - types(DType::f64);
  narrow.grad = false;
  for (size_t i : {kV, kMask, kPastValue})
    if (i < inputs.size() && !inputs[i].absent && !inputs[i].fixed.defined() &&
        inputs[i].dtype == DType::undefined)
      inputs[i].dtype = DType::f64;
  Sample& wide = s.add(inputs, attrs);
  wide.outputs = outputs;
  wide.types = types(DType::f64);
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const auto no = arg::none();
  add(s, {x({2, 2, 3, 4}), x({2, 2, 5, 4}), x({2, 2, 5, 3})});
  add(s, {x({2, 3, 8}), x({2, 5, 8}), x({2, 5, 4})}, {{"q_num_heads", 2}, {"kv_num_heads", 2}});
  add(s, {x({1, 3, 8}), x({1, 3, 4}), x({1, 3, 2})},
      {{"q_num_heads", 4}, {"kv_num_heads", 2}, {"is_causal", 1}}, 3);
  add(s, {x({1, 2, 3, 2}), x({1, 1, 3, 2}), x({1, 1, 3, 2})}, {{"scale", 0.3}, {"softcap", 1.5}});
  add(s, {x({2, 1, 3, 2}), x({2, 1, 2, 2}), x({2, 1, 2, 3}), no, x({2, 1, 3, 2}), x({2, 1, 3, 3})},
      {{"is_causal", 1}}, 3);
  add(s, {x({2, 1, 3, 2}), x({2, 1, 5, 2}), x({2, 1, 5, 2}), x({3, 5})}, {{"is_causal", 1}});
  add(s, {x({2, 2, 3, 2}), x({2, 2, 5, 2}), x({2, 2, 5, 2}), x({2, 1, 3, 4})});
  add(s,
      {x({2, 2, 3, 2}), x({2, 2, 2, 2}), x({2, 2, 2, 2}), x({2, 3, 4}), x({2, 2, 2, 2}),
       x({2, 2, 2, 2})},
      {{"softmax_precision", 11}}, 4);
  for (const int64_t mode : {0, 1, 2, 3})
    add(s, {x({1, 2, 3, 2}), x({1, 2, 3, 2}), x({1, 2, 3, 2}), x({1, 1, 3, 3})},
        {{"softcap", 2.0}, {"qk_matmul_output_mode", mode}}, 4);
  const Tensor bools = Tensor::from<bool>({true, false, true, true, true, false}, {2, 3});
  add(s, {x({1, 2, 2, 4}), x({1, 2, 3, 4}), x({1, 2, 3, 4}), arg::fixed(bools)});
  // A query that may see nothing gives zeros.
  const Tensor none = Tensor::from<bool>({false, false, false, true}, {2, 2});
  add(s, {x({1, 1, 2, 2}), x({1, 1, 3, 2}), x({1, 1, 3, 2}), arg::fixed(none)});
  const Arg lengths = arg::ints({3, 1});
  add(s, {x({2, 1, 2, 2}), x({2, 1, 4, 2}), x({2, 1, 4, 3}), no, no, no, lengths});
  add(s, {x({2, 2, 2, 2}), x({2, 2, 4, 2}), x({2, 2, 4, 3}), no, no, no, lengths},
      {{"is_causal", 1}});
  add(s, {x({2, 0, 4}), x({2, 3, 4}), x({2, 3, 4})}, {{"q_num_heads", 2}, {"kv_num_heads", 2}});
  // Enough rows, keys and columns for every loop of a kernel that works in tiles.
  Sample& large = s.add({x({1, 2, 75, 20}), x({1, 1, 150, 20}), x({1, 1, 150, 19})},
                        {{"is_causal", 1}, {"softmax_precision", 1}});
  large.grad = false;
  large.types = types(DType::f32);

  const auto bad = [&](std::vector<Arg> inputs, const Attrs& attrs, std::string message) {
    s.bad(inputs, attrs, message);
  };
  bad({x({2, 3, 8}), x({2, 2, 5, 4}), x({2, 2, 5, 4})}, {}, "Attention: Q is f32[2, 3, 8], K is");
  bad({x({2, 3, 8}), x({2, 5, 8}), x({2, 5, 8})}, {}, "of rank 3; give q_num_heads");
  bad({x({2, 3, 8}), x({2, 5, 8}), x({2, 5, 8})}, {{"q_num_heads", 3}, {"kv_num_heads", 3}},
      "Q is f32[2, 3, 8], whose last axis cannot be divided into 3 heads");
  bad({x({2, 3, 8}), x({2, 5, 8}), x({2, 5, 8})}, {{"q_num_heads", 0}, {"kv_num_heads", 2}},
      "q_num_heads is 0");
  bad({x({2, 3, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8})}, {}, "3 query heads cannot share 2");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 7}), x({2, 2, 5, 8})}, {}, "of head sizes 8 and 7");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 6, 8})}, {}, "of lengths 5 and 6");
  bad({x({2, 2, 4, 8}), x({3, 2, 5, 8}), x({3, 2, 5, 8})}, {}, "of batch sizes 2 and 3");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8}), x({3, 5})}, {},
      "attn_mask is f32[3, 5], which does not broadcast to the scores [2, 2, 4, 5]");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8}), no, x({2, 2, 1, 8})}, {},
      "only one of past_key and past_value");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8}), no, x({2, 1, 1, 8}), x({2, 2, 1, 8})}, {},
      "past_key is f32[2, 1, 1, 8]; it must be [2, 2, past length, 8]");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8}), no, no, no, arg::ints({1})}, {},
      "nonpad_kv_seqlen is i64[1]; it must have shape [2]");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8})}, {{"q_num_heads", 3}},
      "Q is f32[2, 2, 4, 8], which has 2 heads, and q_num_heads is 3");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8})}, {{"qk_matmul_output_mode", 4}},
      "qk_matmul_output_mode is 4; use 0 to 3");
  bad({x({2, 2, 4, 8}), x({2, 2, 5, 8}), x({2, 2, 5, 8})}, {{"softmax_precision", 7}},
      "softmax_precision is 7");
}

}  // namespace

constinit const OpDef Attention{
    .name = "Attention",
    .doc =
        "softmax(Q * K^T * scale + mask) * V for each head, where groups of query heads may share "
        "a "
        "key head; a query that may see no key gives zeros.",
    .inputs = {{"Q", "T1"},
               {"K", "T1"},
               {"V", "T2"},
               optional("attn_mask", "U"),
               optional("past_key", "T1"),
               optional("past_value", "T2"),
               optional("nonpad_kv_seqlen", "I")},
    .outputs = {{"Y", "T1"},
                optional("present_key", "T1"),
                optional("present_value", "T2"),
                optional("qk_matmul_output", "T1")},
    .types = {{"T1", kFloats}, {"T2", kFloats}, {"U", kNumeric | kBool}, {"I", kInt64}},
    .attrs = {attr_i("is_causal", 0), attr("kv_num_heads", AttrType::i),
              attr("q_num_heads", AttrType::i), attr_i("qk_matmul_output_mode", 0),
              attr("scale", AttrType::f), attr_f("softcap", 0),
              attr("softmax_precision", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 24, .older = {{23, upgrade::as_is}}},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
