// ArrayFeatureExtractor: features by their places on the last axis.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) > 0, "X is {}; give features on its last axis", ctx.str(0));
  if (const auto places = ctx.ints_of(1); places && ctx.dims(0).back().is_const()) {
    const int64_t features = ctx.dims(0).back().value();
    for (int64_t place : *places)
      ctx.check(place >= -features && place < features,
                "place {} is outside the {} features of X {}; use 0 to {}", place, features,
                ctx.str(0), features - 1);
  }
  Dims out = ctx.dims(0);
  out.back() = product(ctx.dims(1));
  if (out.size() == 1) out.insert(out.begin(), Dim(1));
  ctx.output(0, std::move(out));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor places =
      ctx.input(1).rank() == 1 ? ctx.input(1) : Reshape(ctx.input(1), Tensor::ints({-1}));
  const Tensor z = Gather(ctx.input(0), places, {{"axis", -1}});
  return {z.rank() == 1 ? Unsqueeze(z, Tensor::ints({0})) : z};
}

void samples(Samples& s) {
  s.add({arg::any({3, 4}), arg::ints({0, 1})});
  s.add({arg::any({2, 2, 3}), arg::fixed(Tensor::from<int64_t>({2, 0, 2, 1}, {2, 2}))});
  s.add({arg::any({4}), arg::ints({3, 1, 1})});
  s.add({arg::any({3, 4}), arg::int_scalar(2)});
  s.add({arg::any({0, 4}), arg::ints({1})});
  s.bad({arg::any({}), arg::ints({0})}, {}, "give features on its last axis");
  s.bad({arg::any({3}), arg::typed({1}, DType::i32)}, {}, "input Y is i32[1]; it takes i64");
}

}  // namespace

constinit const OpDef ArrayFeatureExtractor{
    .name = "ArrayFeatureExtractor",
    .doc = "The features of each row at the places Y; a single row [C] gives [1, places].",
    .inputs = {{"X", "T"}, {"Y", "I"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32, DType::string)},
              {"I", kInt64}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
