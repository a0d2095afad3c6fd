// ZipMap: each row of scores as a map from the names of its columns.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/maps.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

Tensor keys_of(const Call& call) {
  const auto words = call.strings("classlabels_strings");
  const auto numbers = call.ints("classlabels_int64s");
  TENON_CHECK(words.empty() != numbers.empty(), usage,
              "{}: {} classlabels_strings and classlabels_int64s given; give one of them",
              call.op.name, words.empty() ? "none of" : "both");
  if (words.empty()) return Tensor::ints(numbers);
  return Tensor::from<std::string>(words, {static_cast<int64_t>(words.size())});
}

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  const Tensor keys = keys_of(ctx);
  ctx.check(!rows.features.is_const() || rows.features.value() == keys.numel(),
            "X is {}, but there are {} labels; give one a column", ctx.str(0), keys.numel());
  TensorType values;
  values.dtype = DType::f32;
  values.dims = {keys.numel()};
  TensorType sequence = TensorType::sequence_of(maps::map_type(keys.dtype(), std::move(values)));
  sequence.dims = {rows.count};
  ctx.output(0, std::move(sequence));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor keys = keys_of(ctx);
  const Tensor x = ctx.input(0).rank() == 1 ? ctx.input(0).unsqueeze(0) : ctx.input(0);
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < x.size(0); ++i) rows.push_back(Tensor::map(keys, x.select(0, i)));
  return {Tensor::sequence(rows)};
}

void samples(Samples& s) {
  const Attr words("classlabels_strings", AttrValue(std::vector<std::string>{"a", "b", "c"}));
  const Attr numbers("classlabels_int64s", {10, 20, 30});
  s.add({arg::any({2, 3})}, {words});
  s.add({arg::any({4, 3})}, {numbers});
  s.add({arg::any({3})}, {words});
  s.add({arg::any({0, 3})}, {numbers});
  s.bad({arg::any({2, 4})}, {words}, "X is f32[2, 4], but there are 3 labels");
  s.bad({arg::any({2, 3})}, {words, numbers}, "both classlabels_strings and classlabels_int64s");
  s.bad({arg::any({2, 3})}, {}, "none of classlabels_strings and classlabels_int64s");
  s.bad({arg::any({2, 3, 1})}, {words}, "give features as [rows, features] or [features]");
}

}  // namespace

constinit const OpDef ZipMap{
    .name = "ZipMap",
    .doc = "A map for each row: from the label of each column to what is in it.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T1", kFloat32}, {"T", kSequence}},
    .attrs = {attr("classlabels_int64s", AttrType::ints),
              attr("classlabels_strings", AttrType::strings)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("maps are for readers"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
