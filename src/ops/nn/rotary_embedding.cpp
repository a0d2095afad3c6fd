// RotaryEmbedding: pairs of each head's elements turned by an angle that grows with the position
// (Su et al. 2021, https://arxiv.org/abs/2104.09864).
#include "ops/math/catalog.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

struct Sizes {
  Dim batch, length, head_size, half;
};

Sizes sizes(const InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() == 3 || x.size() == 4,
            "X is {}; it takes [batch, length, heads * size] or [batch, heads, length, size]",
            ctx.str(0));
  Sizes s{x[0], x[x.size() - 2], x.back(), {}};
  const int64_t heads = ctx.i("num_heads");
  if (x.size() == 3) {
    ctx.check(heads >= 1, "X is {}, of rank 3, and num_heads is {}; give the number of heads",
              ctx.str(0), heads);
    ctx.check(!x[2].is_const() || x[2].value() % heads == 0,
              "X is {}, whose last axis cannot be divided into {} heads", ctx.str(0), heads);
    s.length = x[1];
    s.head_size = x[2].floor_div(heads);
  }
  const int64_t turned = ctx.i("rotary_embedding_dim");
  ctx.check(turned >= 0 && turned % 2 == 0,
            "rotary_embedding_dim is {}; it must be even, or 0 for the whole head", turned);
  ctx.check(!s.head_size.is_const() || turned <= s.head_size.value(),
            "rotary_embedding_dim is {}, but a head has {} elements", turned, s.head_size.str());
  ctx.check(turned > 0 || !s.head_size.is_const() || s.head_size.value() % 2 == 0,
            "a head has {} elements; it must be even to be turned, or give rotary_embedding_dim",
            s.head_size.str());
  s.half = turned > 0 ? Dim(turned / 2) : s.head_size.floor_div(2);
  return s;
}

void infer(InferContext& ctx) {
  const Sizes s = sizes(ctx);
  for (size_t i : {1, 2}) {
    const Dims& cache = ctx.dims(i);
    if (ctx.has_input(3))
      ctx.check(cache.size() == 2 && !differ(cache[1], s.half),
                "{} is {}; with position_ids it must be [positions, {}]", ctx.op.inputs[i].name,
                ctx.str(i), s.half.str());
    else
      ctx.check(cache.size() == 3 && !differ(cache[0], s.batch) && !differ(cache[1], s.length) &&
                    !differ(cache[2], s.half),
                "{} is {}; without position_ids it must be [{}, {}, {}]", ctx.op.inputs[i].name,
                ctx.str(i), s.batch.str(), s.length.str(), s.half.str());
  }
  if (ctx.has_input(3))
    ctx.check(
        ctx.rank(3) == 2 && !differ(ctx.dims(3)[0], s.batch) && !differ(ctx.dims(3)[1], s.length),
        "position_ids is {}; it must be [{}, {}]", ctx.str(3), s.batch.str(), s.length.str());
  ctx.output(0, ctx.dims(0));
}

// Elements start, start + step, ... to before `end` of the last axis.
Tensor part(const Tensor& x, int64_t start, int64_t end, int64_t step = 1) {
  return Slice.all(
      {x, Tensor::ints({start}), Tensor::ints({end}), Tensor::ints({-1}), Tensor::ints({step})})[0];
}

TensorList expand(const ExpandContext& ctx) {
  const bool flat = ctx.input(0).rank() == 3;
  const int64_t heads = ctx.i("num_heads");
  Tensor x = ctx.input(0);
  const int64_t width = attention_rules::fixed_size(x, flat ? 2 : 3, ctx.op.name);
  const int64_t size = flat ? width / heads : width;
  if (flat) x = x.view({0, 0, heads, size});
  const int64_t turned = ctx.i("rotary_embedding_dim") > 0 ? ctx.i("rotary_embedding_dim") : size;
  // [batch, length, half], the heads' axis put in.
  const auto angles = [&](size_t i) {
    const Tensor rows =
        ctx.has_input(3) ? Gather(ctx.input(i), ctx.input(3), {{"axis", 0}}) : ctx.input(i);
    return Unsqueeze(rows, Tensor::ints({flat ? 2 : 1}));
  };
  const Tensor cos = angles(1), sin = angles(2);
  const bool interleaved = ctx.i("interleaved") != 0;
  const Tensor a = interleaved ? part(x, 0, turned, 2) : part(x, 0, turned / 2);
  const Tensor b = interleaved ? part(x, 1, turned, 2) : part(x, turned / 2, turned);
  const Tensor real = cos * a - sin * b, imaginary = sin * a + cos * b;
  Tensor y;
  if (interleaved) {
    const auto column = [](const Tensor& t) { return Unsqueeze(t, Tensor::ints({4})); };
    const Tensor pairs = Concat.all({column(real), column(imaginary)}, {{"axis", 4}})[0];
    y = pairs.view({0, 0, flat ? heads : 0, turned});
  } else {
    y = Concat.all({real, imaginary}, {{"axis", 3}})[0];
  }
  if (turned < size) y = Concat.all({y, part(x, turned, size)}, {{"axis", 3}})[0];
  return {flat ? y.view({0, 0, width}) : y};
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const Arg ids = arg::fixed(Tensor::from<int64_t>({0, 3, 1, 4, 4, 2}, {2, 3}));
  s.add({x({2, 2, 3, 4}), x({5, 2}), x({5, 2}), ids});
  s.add({x({2, 2, 3, 4}), x({2, 3, 2}), x({2, 3, 2})}, {{"interleaved", 1}});
  s.add({x({2, 3, 8}), x({5, 2}), x({5, 2}), ids}, {{"num_heads", 2}});
  s.add({x({2, 3, 12}), x({2, 3, 1}), x({2, 3, 1})},
        {{"num_heads", 2}, {"rotary_embedding_dim", 2}, {"interleaved", 1}});
  s.add({x({2, 1, 3, 6}), x({5, 2}), x({5, 2}), ids}, {{"rotary_embedding_dim", 4}});
  s.add({x({2, 0, 8}), x({2, 0, 2}), x({2, 0, 2})}, {{"num_heads", 2}});
  Sample& wide = s.add({x({1, 2, 3, 76}), x({1, 3, 37}), x({1, 3, 37})},
                       {{"rotary_embedding_dim", 74}, {"interleaved", 1}});
  wide.grad = false;
  Sample& halves = s.add({x({1, 2, 3, 76}), x({1, 3, 38}), x({1, 3, 38})});
  halves.grad = false;
  s.bad({x({2, 8}), x({5, 2}), x({5, 2})}, {}, "RotaryEmbedding: X is f32[2, 8]");
  s.bad({x({2, 3, 8}), x({5, 2}), x({5, 2}), ids}, {}, "of rank 3, and num_heads is 0");
  s.bad({x({2, 3, 8}), x({5, 2}), x({5, 2}), ids}, {{"num_heads", 3}},
        "cannot be divided into 3 heads");
  s.bad({x({2, 2, 3, 4}), x({5, 3}), x({5, 2}), ids}, {}, "cos_cache is f32[5, 3]");
  s.bad({x({2, 2, 3, 4}), x({5, 2}), x({5, 2})}, {},
        "cos_cache is f32[5, 2]; without position_ids it must be [2, 3, 2]");
  s.bad({x({2, 2, 4, 4}), x({5, 2}), x({5, 2}), ids}, {},
        "position_ids is i64[2, 3]; it must be [2, 4]");
  s.bad({x({2, 2, 3, 4}), x({5, 2}), x({5, 2}), ids}, {{"rotary_embedding_dim", 6}},
        "rotary_embedding_dim is 6, but a head has 4 elements");
  s.bad({x({2, 2, 3, 4}), x({5, 2}), x({5, 2}), ids}, {{"rotary_embedding_dim", 3}},
        "rotary_embedding_dim is 3; it must be even");
  s.bad({x({2, 2, 3, 5}), x({5, 2}), x({5, 2}), ids}, {}, "a head has 5 elements");
}

}  // namespace

constinit const OpDef RotaryEmbedding{
    .name = "RotaryEmbedding",
    .doc =
        "Turns pairs of elements of each head by the angles whose cosines and sines are given: "
        "(cos*a - sin*b, sin*a + cos*b); pairs are neighbours (interleaved) or a half apart.",
    .inputs = {{"X", "T"}, {"cos_cache", "T"}, {"sin_cache", "T"}, optional("position_ids", "I")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}, {"I", kInt64}},
    .attrs = {attr_i("interleaved", 0), attr_i("num_heads", 0), attr_i("rotary_embedding_dim", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 23},
    .samples = samples,
};

}  // namespace tenon::op
