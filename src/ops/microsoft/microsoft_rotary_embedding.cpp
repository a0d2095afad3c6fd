// com.microsoft.RotaryEmbedding: ONNX's with positions first, and a position to count from.
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

Dims ids_of(const InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  return {x[0], x.size() == 4 ? x[2] : x[1]};
}

// A head is twice as wide as the cache where nothing else says; 0 where sizes are not known yet.
int64_t heads_of(const Call& call, const Dims& x, const Dims& cache) {
  const int64_t heads = call.i("num_heads");
  if (heads != 0 || x.size() == 4) return heads;
  TENON_CHECK(call.i("rotary_embedding_dim") == 0, usage,
              "{}: num_heads is not given, and rotary_embedding_dim is {}; give num_heads",
              call.op.name, call.i("rotary_embedding_dim"));
  if (!x[2].is_const() || !cache[1].is_const() || cache[1].value() == 0) return 0;
  return x[2].value() / (2 * cache[1].value());
}

// Attributes of the standard's operator.
Attrs standard_attrs(const Call& call, int64_t heads) {
  return {{"interleaved", call.i("interleaved")},
          {"num_heads", heads},
          {"rotary_embedding_dim", call.i("rotary_embedding_dim")}};
}

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() == 3 || x.size() == 4,
            "input is {}; it takes [batch, length, heads * size] or [batch, heads, length, size]",
            ctx.str(0));
  ctx.check(ctx.rank(2) == 2 && ctx.rank(3) == 2,
            "cos_cache is {} and sin_cache {}; they must be [positions, half]", ctx.str(2),
            ctx.str(3));
  TENON_CHECK(ctx.i("is_packed_batching") == 0, unsupported,
              "RotaryEmbedding of com.microsoft: packed batching is not known; export without it");
  TensorType ids = ctx.input(1);
  if (ids.dims.size() < 2) {
    ctx.check(ids.dims.empty() || !differ(ids.dims[0], 1),
              "position_ids is {}; it must be [1], the first position, or [batch, length]",
              ctx.str(1));
    ids.dims = ids_of(ctx);
  }
  std::vector<TensorType> inputs{ctx.input(0), ctx.input(2), ctx.input(3), ids};
  const int64_t heads = heads_of(ctx, x, ctx.dims(2));
  if (heads != 0 || x.size() == 4)
    microsoft::like(ctx, RotaryEmbedding, standard_attrs(ctx, heads), inputs);
  ctx.output(0, x);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const int64_t heads = heads_of(ctx, x.dims(), ctx.input(2).dims());
  TENON_CHECK(heads != 0 || x.rank() == 4, unsupported,
              "{}: num_heads is not given and input has shape {}; give it", ctx.op.name,
              str(x.dims()));
  const Attrs attrs = standard_attrs(ctx, heads);
  Tensor ids = ctx.input(1);
  if (ids.rank() < 2) {
    const size_t length = x.rank() == 4 ? 2 : 1;
    const auto vector = [&](size_t axis) { return attention_rules::size_of(x, axis).view({1}); };
    const Tensor row = attention_rules::positions(x, length) + ids;
    ids = Expand(row, Concat.all({vector(0), vector(length)}, {{"axis", 0}})[0]);
  }
  const double scale = ctx.f("scale");
  const Tensor y = RotaryEmbedding(x, ctx.input(2), ctx.input(3), ids, attrs);
  return {scale == 1 ? y : y * scale};
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const Arg ids = arg::fixed(Tensor::from<int64_t>({0, 3, 1, 4, 4, 2}, {2, 3}));
  s.add({x({2, 3, 8}), ids, x({5, 2}), x({5, 2})});
  s.add({x({2, 2, 3, 4}), arg::ints({2}), x({5, 2}), x({5, 2})}, {{"interleaved", 1}});
  s.add({x({2, 3, 12}), ids, x({5, 2}), x({5, 2})},
        {{"num_heads", 2}, {"rotary_embedding_dim", 4}});
  s.bad({x({2, 8}), ids, x({5, 2}), x({5, 2})}, {}, "RotaryEmbedding: input is f32[2, 8]");
  s.bad({x({2, 3, 8}), arg::ints({1, 2}), x({5, 2}), x({5, 2})}, {}, "position_ids is i64[2]");
  s.bad({x({2, 3, 12}), ids, x({5, 2}), x({5, 2})}, {{"rotary_embedding_dim", 4}},
        "num_heads is not given");
}

}  // namespace

constinit const OpDef MicrosoftRotaryEmbedding{
    .name = "RotaryEmbedding",
    .doc = "ONNX's RotaryEmbedding, where position_ids may be the first position alone.",
    .inputs = {{"input", "T"}, {"position_ids", "I"}, {"cos_cache", "T"}, {"sin_cache", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}, {"I", kInt64}},
    .attrs = {attr_i("interleaved", 0), attr_i("is_packed_batching", 0), attr_i("num_heads", 0),
              attr_i("rotary_embedding_dim", 0), attr_f("scale", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
