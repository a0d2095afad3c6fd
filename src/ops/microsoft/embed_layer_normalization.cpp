// EmbedLayerNormalization: what BERT begins with: embeddings of words, positions and segments,
// their sum normalised.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

enum Input : size_t {
  kIds,
  kSegments,
  kWords,
  kPositions,
  kSegmentTable,
  kGamma,
  kBeta,
  kMask,
  kPositionIds
};

void infer(InferContext& ctx) {
  const Dims& ids = ctx.dims(kIds);
  ctx.check(ids.size() == 2, "input_ids is {}; it must be [batch, length]", ctx.str(kIds));
  for (size_t i : {kWords, kPositions, kSegmentTable})
    ctx.check(!ctx.has_input(i) || ctx.rank(i) == 2, "{} is {}; it must be [entries, width]",
              ctx.op.inputs[i].name, ctx.str(i));
  const Dim& width = ctx.dims(kWords)[1];
  for (size_t i : {kPositions, kSegmentTable})
    ctx.check(!ctx.has_input(i) || !differ(ctx.dims(i)[1], width),
              "{} is {}; its rows must be as long as those of word_embedding, {}",
              ctx.op.inputs[i].name, ctx.str(i), width.str());
  ctx.check(ctx.has_input(kSegments) == ctx.has_input(kSegmentTable),
            "only one of segment_ids and segment_embedding is given; give both or none");
  for (size_t i : {kGamma, kBeta}) microsoft::check_bias(ctx, i, width);
  for (size_t i : {kSegments, kMask, kPositionIds}) {
    if (!ctx.has_input(i)) continue;
    const Dims& like = ctx.dims(i);
    const bool shared = i == kPositionIds && like.size() == 2 && like[0] == Dim(1);
    ctx.check(like.size() == 2 && (shared || !differ(like[0], ids[0])) && !differ(like[1], ids[1]),
              "{} is {}; it must have the shape of input_ids, {}", ctx.op.inputs[i].name,
              ctx.str(i), str(ids));
  }
  const Dims sum{ids[0], ids[1], width};
  ctx.output(0, sum);
  ctx.output(1, {ids[0]});
  ctx.output(2, sum);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor positions =
      ctx.has_input(kPositionIds)
          ? ctx.input(kPositionIds)
          : Unsqueeze(attention_rules::positions(ctx.input(kIds), 1), Tensor::ints({0}));
  const auto rows = [](const Tensor& table, const Tensor& ids) {
    return Gather(table, ids, {{"axis", 0}});
  };
  Tensor sum = rows(ctx.input(kWords), ctx.input(kIds)) + rows(ctx.input(kPositions), positions);
  if (ctx.has_input(kSegments)) sum = sum + rows(ctx.input(kSegmentTable), ctx.input(kSegments));
  TensorList outputs{LayerNormalization(sum, ctx.input(kGamma), ctx.input(kBeta),
                                        {{"epsilon", ctx.f("epsilon")}})};
  if (ctx.output_count() == 1) return outputs;
  // How many words count in each sample.
  const Tensor mask = ctx.has_input(kMask) ? ctx.input(kMask) : ctx.input(kIds) * 0.0;
  outputs.push_back(ReduceSum(mask, Tensor::ints({1}), {{"keepdims", 0}}));
  if (ctx.output_count() > 2) outputs.push_back(sum);
  return outputs;
}

void samples(Samples& s) {
  const auto table = [](int64_t rows) { return arg::any({rows, 4}); };
  const auto ids = [](std::vector<int32_t> values) {
    return arg::fixed(Tensor::from<int32_t>(std::span<const int32_t>(values), {2, 3}));
  };
  const Arg words = ids({0, 4, 2, 1, 1, 3}), segments = ids({0, 0, 1, 0, 1, 1});
  const Arg mask = ids({1, 1, 0, 1, 0, 0});
  const auto no = arg::none();
  const Attrs epsilon{{"epsilon", 1e-5}};
  s.add({words, segments, table(5), table(3), table(2), arg::any({4}), arg::any({4}), mask},
        epsilon)
      .outputs = 3;
  s.add({words, no, table(5), table(3), no, arg::any({4}), arg::any({4})}, epsilon);
  s.add({words, no, table(5), table(6), no, arg::any({4}), arg::any({4}), no,
         ids({5, 0, 1, 2, 3, 4})},
        epsilon)
      .outputs = 2;
  s.bad({arg::fixed(Tensor::from<int32_t>({0, 1}, {2})), no, table(5), table(3), no, arg::any({4}),
         arg::any({4})},
        {}, "EmbedLayerNormalization: input_ids is i32[2]");
  s.bad({words, segments, table(5), table(3), no, arg::any({4}), arg::any({4})}, {},
        "only one of segment_ids and segment_embedding");
  s.bad({words, no, table(5), arg::any({3, 5}), no, arg::any({4}), arg::any({4})}, {},
        "position_embedding is f32[3, 5]");
  s.bad({words, no, table(5), table(3), no, arg::any({3}), arg::any({4})}, {},
        "gamma is f32[3]; it must have shape [4]");
}

}  // namespace

constinit const OpDef EmbedLayerNormalization{
    .name = "EmbedLayerNormalization",
    .doc =
        "LayerNormalization of the sum of word, position and segment embeddings; output 1 counts "
        "the words that the mask keeps.",
    .inputs = {{"input_ids", "I"},
               optional("segment_ids", "I"),
               {"word_embedding", "T"},
               {"position_embedding", "T"},
               optional("segment_embedding", "T"),
               {"gamma", "T"},
               {"beta", "T"},
               optional("mask", "I"),
               optional("position_ids", "I")},
    .outputs = {{"output", "T"}, optional("mask_index", "I"), optional("embedding_sum", "T")},
    .types = {{"I", types(DType::i32)}, {"T", kFloats}},
    .attrs = {attr_f("epsilon", 1e-12), attr("mask_index_type", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
