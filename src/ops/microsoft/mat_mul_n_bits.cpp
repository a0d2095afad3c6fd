// MatMulNBits: a matrix product whose right side is stored in 2, 4 or 8 bits an element, block by
// block with a scale and a zero point each.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/packed_weights.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

using microsoft::PackedWeights;

void check_elements(const InferContext& ctx, size_t at, const tenon::Shape& wanted) {
  if (!ctx.has_input(at)) return;
  const Dim count = product(ctx.dims(at));
  ctx.check(!count.is_const() || count.value() == wanted.numel(),
            "{} is {}; K, N, bits and block_size want {}", ctx.op.inputs[at].name, ctx.str(at),
            wanted.str());
}

void infer(InferContext& ctx) {
  const PackedWeights w(ctx);
  ctx.check(w.bits == 2 || w.bits == 4 || w.bits == 8, "bits is {}; it must be 2, 4 or 8", w.bits);
  constexpr int64_t kMost = int64_t{1} << 31;
  ctx.check(w.inner >= 1 && w.columns >= 1 && w.inner <= kMost && w.columns <= kMost,
            "K is {} and N is {}; both must be from 1 to 2^31", w.inner, w.columns);
  ctx.check(w.block >= 16 && w.block <= (int64_t{1} << 20) && (w.block & (w.block - 1)) == 0,
            "block_size is {}; it must be a power of two from 16 on", w.block);
  ctx.check(ctx.i("weight_prepacked") == 0,
            "weight_prepacked is {}: the weights are laid out for one device; export them unpacked",
            ctx.i("weight_prepacked"));
  const Dims& a = ctx.dims(0);
  ctx.check(!a.empty() && (!a.back().is_const() || a.back().value() == w.inner),
            "A is {}; its last axis must be K, {}", ctx.str(0), w.inner);
  check_elements(ctx, 1, {w.columns, w.blocks(), w.blob()});
  check_elements(ctx, 2, {w.columns, w.blocks()});
  if (ctx.dtype(3) == DType::u8)
    check_elements(ctx, 3, {w.columns, w.zero_bytes()});
  else
    check_elements(ctx, 3, {w.columns, w.blocks()});
  ctx.check(
      !ctx.has_input(4) ||
          (ctx.rank(4) == 1 && (!ctx.dims(4)[0].is_const() || ctx.dims(4)[0].value() == w.inner ||
                                ctx.dims(4)[0].value() == w.blocks() * w.block)),
      "g_idx is {}; it must have shape [{}]", ctx.str(4), w.inner);
  check_elements(ctx, 5, {w.columns});
  Dims y = a;
  y.back() = w.columns;
  ctx.output(0, std::move(y));
}

// Bytes as the numbers packed into them, the first in the lowest bits: [rows, bytes] to [rows,
// bytes * 8 / bits].
Tensor unpack(const Tensor& bytes, int64_t rows, int64_t bits) {
  if (bits == 8) return bytes;
  TensorList parts;
  for (int64_t shift = 0; shift < 8; shift += bits) {
    const Tensor low = shift == 0
                           ? bytes
                           : BitShift(bytes, Tensor::scalar(static_cast<double>(shift), DType::u8),
                                      {{"direction", "RIGHT"}});
    const Tensor part = BitwiseAnd(low, Tensor::scalar((1 << bits) - 1, DType::u8));
    parts.push_back(Unsqueeze(part, Tensor::ints({-1})));
  }
  return Reshape(Concat.all(parts, {{"axis", -1}})[0], Tensor::ints({rows, -1}));
}

Tensor first_columns(const Tensor& x, int64_t count) {
  return Slice.all({x, Tensor::ints({0}), Tensor::ints({count}), Tensor::ints({1})})[0];
}

TensorList expand(const ExpandContext& ctx) {
  const PackedWeights w(ctx);
  const Tensor& a = ctx.input(0);
  const DType type = a.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const auto as_blocks = [&](const Tensor& x) {
    return Reshape(x, Tensor::ints({w.columns, w.blocks()})).to(type);
  };
  Tensor q = unpack(Reshape(ctx.input(1), Tensor::ints({w.columns, -1})), w.columns, w.bits);
  q = first_columns(q.to(type), w.inner);
  const Tensor scales = as_blocks(ctx.input(2));
  Tensor zeros =
      Tensor::full({w.columns, w.blocks()}, static_cast<double>(1 << (w.bits - 1)), type);
  if (ctx.has_input(3) && ctx.input(3).dtype() == DType::u8) {
    const Tensor bytes = Reshape(ctx.input(3), Tensor::ints({w.columns, w.zero_bytes()}));
    zeros = first_columns(unpack(bytes, w.columns, w.bits), w.blocks()).to(type);
  } else if (ctx.has_input(3)) {
    zeros = as_blocks(ctx.input(3));
  }
  // Which block each element belongs to.
  Tensor groups;
  if (ctx.has_input(4)) {
    groups = Slice.all({ctx.input(4), Tensor::ints({0}), Tensor::ints({w.inner})})[0];
  } else {
    std::vector<int64_t> list;
    for (int64_t k = 0; k < w.inner; ++k) list.push_back(k / w.block);
    groups = Tensor::ints(list);
  }
  const auto spread = [&](const Tensor& x) { return Gather(x, groups, {{"axis", 1}}); };
  const Tensor weights = (q - spread(zeros)) * spread(scales);
  Tensor y = MatMul(a.to(type), weights.t());
  if (ctx.has_input(5)) y = y + Reshape(ctx.input(5), Tensor::ints({w.columns})).to(type);
  return {y.to(a.dtype())};
}

double flops(const InferContext& ctx) {
  const Dim count = product(ctx.outputs()[0].dims);
  return count.is_const() ? 2.0 * static_cast<double>(count.value() * ctx.i("K")) : 0;
}

void samples(Samples& s) {
  const auto bytes = [](const tenon::Shape& shape) { return arg::typed(shape, DType::u8, 0, 255); };
  const auto floats = [](const tenon::Shape& shape) { return arg::range(shape, 0.1, 1); };
  const auto attrs = [](int k, int n, int bits, int block) {
    return Attrs{{"K", k}, {"N", n}, {"bits", bits}, {"block_size", block}};
  };
  s.add({arg::any({2, 32}), bytes({3, 2, 8}), floats({3, 2})}, attrs(32, 3, 4, 16));
  s.add({arg::any({2, 1, 20}), bytes({3, 2, 8}), floats({6}), bytes({3}), arg::none(), floats({3})},
        attrs(20, 3, 4, 16));
  s.add({arg::any({5, 40}), bytes({2, 2, 32}), floats({2, 2}), bytes({2, 2})}, attrs(40, 2, 8, 32));
  s.add({arg::any({1, 50}), bytes({5, 4, 4}), floats({5, 4}), floats({5, 4})}, attrs(50, 5, 2, 16));
  s.add({arg::any({3, 48}), bytes({2, 3, 8}), floats({2, 3}), bytes({2, 2}),
         arg::typed({48}, DType::i32, 0, 2), floats({2})},
        attrs(48, 2, 4, 16));
  s.add({arg::any({0, 16}), bytes({3, 1, 8}), floats({3, 1})}, attrs(16, 3, 4, 16));
  const Arg b = bytes({3, 2, 8}), scales = floats({3, 2});
  s.bad({arg::any({2, 31}), b, scales}, attrs(32, 3, 4, 16),
        "A is f32[2, 31]; its last axis must be K, 32");
  s.bad({arg::any({2, 32}), b, scales}, attrs(32, 3, 3, 16), "bits is 3; it must be 2, 4 or 8");
  s.bad({arg::any({2, 32}), b, scales}, attrs(32, 3, 4, 24),
        "block_size is 24; it must be a power of two");
  s.bad({arg::any({2, 32}), bytes({3, 2, 9}), scales}, attrs(32, 3, 4, 16),
        "B is u8[3, 2, 9]; K, N, bits and block_size want [3, 2, 8]");
  s.bad({arg::any({2, 32}), b, floats({3, 3})}, attrs(32, 3, 4, 16), "want [3, 2]");
  s.bad({arg::any({2, 32}), b, scales, arg::none(), arg::typed({3}, DType::i32)},
        attrs(32, 3, 4, 16), "g_idx is i32[3]; it must have shape [32]");
}

}  // namespace

constinit const OpDef MatMulNBits{
    .name = "MatMulNBits",
    .doc =
        "A times the transpose of B [N, K], which is stored in 2, 4 or 8 bits an element with a "
        "scale "
        "and a zero point a block of block_size elements along K; plus bias.",
    .inputs = {{"A", "T1"},
               {"B", "T2"},
               {"scales", "T1"},
               optional("zero_points", "T3"),
               optional("g_idx", "T4"),
               optional("bias", "T1")},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", kFloats},
              {"T2", types(DType::u8)},
              {"T3", kFloats | types(DType::u8)},
              {"T4", types(DType::i32)}},
    .attrs = {required("K", AttrType::i), required("N", AttrType::i), attr_i("accuracy_level", 0),
              attr_i("bits", 4), required("block_size", AttrType::i),
              attr_i("weight_prepacked", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "com.microsoft", .since = 1},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
