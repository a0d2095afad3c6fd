// TreeEnsembleRegressor: the sums, means or extremes of what decision trees say.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/trees.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  const trees::Forest forest = trees::read_regressor(ctx);
  trees::check_features(ctx, forest, rows.features);
  ctx.output(0, {rows.count, forest.targets});
}

using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;

Attr with_ints(std::string_view name, Ints values) { return {name, AttrValue(std::move(values))}; }
Attr with_floats(std::string_view name, Floats values) {
  return {name, AttrValue(std::move(values))};
}

// Three trees, the last a single leaf.
Attrs forest(int targets, Ints ids) {
  return Attrs(
      {{"n_targets", targets},
       with_ints("nodes_treeids", {0, 0, 0, 1, 1, 1, 2}),
       with_ints("nodes_nodeids", {0, 1, 2, 0, 1, 2, 0}),
       with_ints("nodes_featureids", {0, 0, 0, 1, 0, 0, 0}),
       with_ints("nodes_truenodeids", {1, 0, 0, 2, 0, 0, 0}),
       with_ints("nodes_falsenodeids", {2, 0, 0, 1, 0, 0, 0}),
       {"nodes_modes", AttrValue(std::vector<std::string>{"BRANCH_LEQ", "LEAF", "LEAF",
                                                          "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"})},
       with_floats("nodes_values", {0.5, 0, 0, -0.5, 0, 0, 0}),
       with_ints("target_treeids", {0, 0, 1, 1, 2}),
       with_ints("target_nodeids", {1, 2, 1, 2, 0}),
       with_ints("target_ids", std::move(ids)),
       with_floats("target_weights", {0.25, -0.5, 0.125, 0.75, 0.1})});
}

void samples(Samples& s) {
  const Arg x = arg::any({7, 2});
  const Attrs one = forest(1, {0, 0, 0, 0, 0}), two = forest(2, {0, 1, 1, 0, 0});
  for (const char* how : {"SUM", "AVERAGE", "MIN", "MAX"}) {
    s.add({x}, one.with({"aggregate_function", how}));
    s.add({x}, two.with({"aggregate_function", how}).with(with_floats("base_values", {1, -1})));
  }
  for (const char* post : {"SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"})
    s.add({x}, two.with({"post_transform", post}));
  s.add({x}, one.with({"post_transform", "LOGISTIC"}));
  s.add({x}, one.with(with_floats("target_weights", {0.25, 0.5, 0.1, 0.3, 0.1}))
                 .with({"post_transform", "PROBIT"}));
  s.add({x}, one.with(with_floats("base_values", {0.5})));
  s.add({x}, two.without("target_weights")
                 .with({"target_weights_as_tensor",
                        AttrValue(Tensor::from<double>({0.25, -0.5, 1e-12, 0.75, 0.1}, {5}))}));
  s.add({arg::any({2})}, one);
  s.add({arg::any({0, 2})}, two);
  s.bad({x}, one.with({"n_targets", 0}), "n_targets is 0; use 1 or more");
  s.bad({x}, one.without("n_targets"), "n_targets is 0; use 1 or more");
  s.bad({x}, one.with(with_floats("base_values", {1, 2})), "2 base values for 1 targets");
  s.bad({x}, one.with({"aggregate_function", "MEAN"}), "use one of AVERAGE, SUM, MIN, MAX");
  s.bad({x}, two.with(with_ints("target_ids", {0, 1, 2, 0, 0})), "target_ids holds 2");
  s.bad({x}, Attrs({{"n_targets", 1}}), "nodes_treeids has 0 entries");
  s.bad({arg::any({3, 1})}, one, "a node asks for feature 1");
}

}  // namespace

constinit const OpDef TreeEnsembleRegressor{
    .name = "TreeEnsembleRegressor",
    .doc = "What decision trees say of each row, summed or otherwise taken together.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr_s("aggregate_function", "SUM", "AVERAGE|SUM|MIN|MAX"),
              attr("base_values", AttrType::floats),
              attr("base_values_as_tensor", AttrType::tensor),
              attr("n_targets", AttrType::i),
              attr("nodes_falsenodeids", AttrType::ints),
              attr("nodes_featureids", AttrType::ints),
              attr("nodes_hitrates", AttrType::floats),
              attr("nodes_hitrates_as_tensor", AttrType::tensor),
              attr("nodes_missing_value_tracks_true", AttrType::ints),
              attr("nodes_modes", AttrType::strings),
              attr("nodes_nodeids", AttrType::ints),
              attr("nodes_treeids", AttrType::ints),
              attr("nodes_truenodeids", AttrType::ints),
              attr("nodes_values", AttrType::floats),
              attr("nodes_values_as_tensor", AttrType::tensor),
              attr_s("post_transform", "NONE", scores::kPostTransforms),
              attr("target_ids", AttrType::ints),
              attr("target_nodeids", AttrType::ints),
              attr("target_treeids", AttrType::ints),
              attr("target_weights", AttrType::floats),
              attr("target_weights_as_tensor", AttrType::tensor)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("trees are constant between their thresholds"),
    .onnx = {.domain = "ai.onnx.ml", .since = 3, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
