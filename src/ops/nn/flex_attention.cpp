// FlexAttention: attention whose scores and weights pass through graphs of the model's own.
#include <algorithm>
#include <cmath>

#include "ops/control/sample_body.h"
#include "ops/math/catalog.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

enum Input : size_t { kQ, kK, kV, kCaptures };

DType precision(const Call& call, DType type) {
  return call.has("softmax_precision") ? static_cast<DType>(call.i("softmax_precision")) : type;
}

// A graph takes the scores and what it captures, and makes scores of the same shape.
void check_graph(const InferContext& ctx, std::string_view name, const TensorType& scores) {
  if (!ctx.has(name)) return;
  std::vector<TensorType> inputs{scores};
  for (size_t i = kCaptures; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  const auto made = ctx.graph(name).infer(inputs);
  ctx.check(made.size() == 1, "{} has {} outputs; it must have one", name, made.size());
  bool same = !made[0].ranked || made[0].dims.size() == 4;
  for (size_t i = 0; same && made[0].ranked && i < 4; ++i)
    same = !differ(made[0].dims[i], scores.dims[i]);
  ctx.check(same && made[0].dtype == scores.dtype, "{} makes {} of {}; it must keep shape and type",
            name, made[0].str(), scores.str());
}

void infer(InferContext& ctx) {
  const Dims &q = ctx.dims(kQ), &k = ctx.dims(kK), &v = ctx.dims(kV);
  ctx.check(q.size() == 4 && k.size() == 4 && v.size() == 4,
            "Q is {}, K is {}, V is {}; they must be [batch, heads, length, size]", ctx.str(kQ),
            ctx.str(kK), ctx.str(kV));
  for (size_t i : {kK, kV})
    ctx.check(!differ(ctx.dims(i)[0], q[0]), "Q is {} and {} is {}; the batches must be equal",
              ctx.str(kQ), ctx.op.inputs[i].name, ctx.str(i));
  ctx.check(!differ(k[1], v[1]) && !differ(k[2], v[2]),
            "K is {} and V is {}; heads and lengths must be equal", ctx.str(kK), ctx.str(kV));
  ctx.check(!differ(q[3], k[3]), "Q is {} and K is {}; the head sizes must be equal", ctx.str(kQ),
            ctx.str(kK));
  ctx.check(!q[1].is_const() || !k[1].is_const() ||
                (k[1].value() > 0 && q[1].value() % k[1].value() == 0),
            "{} query heads cannot share {} key heads; the first must be a multiple", q[1].str(),
            k[1].str());
  if (ctx.has("softmax_precision"))
    ctx.check(is_float(precision(ctx, DType::undefined)),
              "softmax_precision is {}; use 1 (f32), 10 (f16), 11 (f64) or 16 (bf16)",
              ctx.i("softmax_precision"));
  TensorType scores;
  scores.dtype = precision(ctx, ctx.dtype(kQ));
  scores.dims = {q[0], q[1], q[2], k[2]};
  check_graph(ctx, "score_mod", scores);
  check_graph(ctx, "prob_mod", scores);
  ctx.output(0, {q[0], q[1], q[2], v[3]});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &q = ctx.input(kQ), &k = ctx.input(kK), &v = ctx.input(kV);
  const DType wide = precision(ctx, q.dtype());
  if (!ctx.has("score_mod") && !ctx.has("prob_mod")) {
    Attrs attrs;
    for (const char* name : {"scale", "softmax_precision"})
      if (const AttrValue* value = ctx.attrs.find(name)) attrs = attrs.with({name, *value});
    return {Attention(q, k, v, attrs)};
  }
  const auto modified = [&](std::string_view name, const Tensor& x) {
    if (!ctx.has(name)) return x;
    TensorList inputs{x};
    for (size_t i = kCaptures; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
    return ctx.graph(name).runner()(inputs)[0];
  };
  const int64_t group = q.dims()[1] == k.dims()[1]
                            ? 1
                            : attention_rules::fixed_size(q, 1, ctx.op.name) /
                                  attention_rules::fixed_size(k, 1, ctx.op.name);
  const double scale =
      ctx.has("scale")
          ? ctx.f("scale")
          : 1 / std::sqrt(static_cast<double>(attention_rules::fixed_size(q, 3, ctx.op.name)));
  const double root = scale == 0 ? 1 : std::sqrt(std::abs(scale));
  const Tensor keys = attention_rules::repeat_heads(k * root, group);
  const Tensor scores = modified("score_mod", MatMul(q * (scale / root), keys.t()).to(wide));
  const Tensor weights =
      modified("prob_mod", attention_rules::softmax_or_zero(scores)).to(q.dtype());
  return {MatMul(weights, attention_rules::repeat_heads(v, group))};
}

std::vector<TensorType> same_type(std::span<const TensorType> inputs) { return {inputs[0]}; }

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const Attr bend =
      control::SampleBody::attr("score_mod", 1, 1, same_type,
                                [](const TensorList& list) { return TensorList{Tanh(list[0])}; });
  const Attr halve =
      control::SampleBody::attr("prob_mod", 1, 1, same_type,
                                [](const TensorList& list) { return TensorList{list[0] * 0.5}; });
  const Attr flat = control::SampleBody::attr(
      "score_mod", 1, 1,
      [](std::span<const TensorType> inputs) {
        TensorType type = inputs[0];
        type.dims.pop_back();
        return std::vector<TensorType>{type};
      },
      [](const TensorList& list) -> TensorList { return {list[0]}; });
  s.add({x({1, 2, 3, 4}), x({1, 2, 5, 4}), x({1, 2, 5, 2})});
  s.add({x({2, 4, 3, 2}), x({2, 2, 3, 2}), x({2, 2, 3, 2})}, {{"scale", 0.3}, bend, halve});
  s.add({x({1, 2, 3, 4}), x({1, 2, 2, 4}), x({1, 2, 2, 4})}, {halve});
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({2, 3, 4})}, {}, "FlexAttention: Q is f32[2, 3, 4]");
  s.bad({x({1, 3, 3, 4}), x({1, 2, 5, 4}), x({1, 2, 5, 2})}, {}, "3 query heads cannot share 2");
  s.bad({x({1, 2, 3, 4}), x({1, 2, 5, 3}), x({1, 2, 5, 2})}, {}, "the head sizes must be equal");
  s.bad({x({1, 2, 3, 4}), x({1, 2, 5, 4}), x({1, 2, 4, 2})}, {}, "heads and lengths");
  s.bad({x({1, 2, 3, 4}), x({1, 2, 5, 4}), x({1, 2, 5, 2})}, {flat},
        "score_mod makes f32[1, 2, 3] of f32[1, 2, 3, 5]");
}

}  // namespace

constinit const OpDef FlexAttention{
    .name = "FlexAttention",
    .doc =
        "prob_mod(softmax(score_mod(Q * K^T * scale))) * V for each head, where either graph may "
        "be absent.",
    .inputs = {{"Q", "T"}, {"K", "T"}, {"V", "T"}, {"captures", "C", Arity::variadic, false, true}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}, {"C", kAnyType | kStored | kContainers}},
    .attrs = {attr("prob_mod", AttrType::graph), attr("scale", AttrType::f),
              attr("score_mod", AttrType::graph), attr("softmax_precision", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.preview", .since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
