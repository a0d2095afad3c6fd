// TreeEnsembleClassifier: the class that decision trees vote for.
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
  const trees::Forest forest = trees::read_classifier(ctx);
  trees::check_features(ctx, forest, rows.features);
  ctx.output(0, {rows.count},
             ctx.strings("classlabels_strings").empty() ? DType::i64 : DType::string);
  ctx.output(1, {rows.count, forest.targets}, DType::f32);
}

using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;
using Words = std::vector<std::string>;

Attr with_ints(std::string_view name, Ints values) { return {name, AttrValue(std::move(values))}; }
Attr with_floats(std::string_view name, Floats values) {
  return {name, AttrValue(std::move(values))};
}
Attr with_words(std::string_view name, Words values) {
  return {name, AttrValue(std::move(values))};
}

// Two trees: x0 <= 0.5 ? leaf 1 : (x1 `mode` -0.25 ? leaf 3 : leaf 4), and x2 < 0 ? leaf 1 :
// leaf 2.
Attrs forest(const std::string& mode, Ints classes, Floats weights) {
  return Attrs(
      {with_ints("nodes_treeids", {0, 0, 0, 0, 0, 7, 7, 7}),
       with_ints("nodes_nodeids", {0, 1, 2, 3, 4, 0, 1, 2}),
       with_ints("nodes_featureids", {0, -2, 1, -2, -2, 2, 0, 0}),
       with_ints("nodes_truenodeids", {1, -1, 3, -1, -1, 1, 0, 0}),
       with_ints("nodes_falsenodeids", {2, -1, 4, -1, -1, 2, 0, 0}),
       with_words("nodes_modes",
                  {"BRANCH_LEQ", "LEAF", mode, "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"}),
       with_floats("nodes_values", {0.5, -2, -0.25, -2, -2, 0, 0, 0}),
       with_ints("class_treeids", {0, 0, 0, 7, 7, 0}),
       with_ints("class_nodeids", {1, 3, 4, 1, 2, 3}), with_ints("class_ids", std::move(classes)),
       with_floats("class_weights", std::move(weights))});
}
Attrs three_classes(const std::string& mode) {
  return forest(mode, {2, 0, 1, 0, 2, 1}, {1, 4, -1, 2, 1, 0.5})
      .with(with_ints("classlabels_int64s", {10, 20, 30}));
}
Attrs two_classes(Ints ids, Floats weights) {
  return forest("BRANCH_LEQ", std::move(ids), std::move(weights))
      .with(with_words("classlabels_strings", {"no", "yes"}));
}

void samples(Samples& s) {
  const Arg x = arg::any({9, 3});
  const auto add = [&](const Attrs& attrs) { s.add({x}, attrs).outputs = 2; };
  for (const char* mode : {"LEQ", "LT", "GTE", "GT", "EQ", "NEQ"})
    add(three_classes(std::string("BRANCH_") + mode));
  for (const char* post : {"SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}) {
    add(three_classes("BRANCH_GT").with({"post_transform", post}));
    add(two_classes({0, 0, 0, 0, 0, 0}, {0.2, 0.1, 0.3, 0.4, 0.25, 0.05})
            .with({"post_transform", post}));
    add(two_classes({0, 0, 0, 0, 0, 0}, {-0.2, 0.1, 0.3, 0.4, -0.25, 0})
            .with({"post_transform", post}));
  }
  add(two_classes({0, 1, 0, 1, 0, 1}, {0.25, 0.5, 0.125, 0.75, 1, 0.5}));
  add(two_classes({1, 1, 1, 1, 1, 1}, {1, -1, 1, -1, 2, 1}).with({"post_transform", "LOGISTIC"}));
  add(two_classes({0, 0, 0, 0, 0, 0}, {1, -1, 1, -1, 2, 1})
          .with(with_floats("base_values", {-1.5})));
  add(two_classes({0, 1, 0, 1, 0, 1}, {1, -1, 1, -1, 2, 1})
          .with(with_floats("base_values", {0.5, 0.25})));
  add(three_classes("BRANCH_LEQ").with(with_floats("base_values", {0.5, 0.25, -1})));
  add(forest("BRANCH_LEQ", {0, 0, 0, 0, 0, 0}, {1, -1, 1, -1, 2, 1})
          .with(with_ints("classlabels_int64s", {1})));
  add(three_classes("BRANCH_LEQ")
          .without("nodes_values")
          .without("class_weights")
          .with({"nodes_values_as_tensor",
                 AttrValue(Tensor::from<double>({0.5, -2, -0.25, -2, -2, 0, 0, 0}, {8}))})
          .with({"class_weights_as_tensor",
                 AttrValue(Tensor::from<double>({1, 4, -1, 2, 1, 0.5}, {6}))})
          .with({"base_values_as_tensor", AttrValue(Tensor::from<double>({0.1, 0.2, 0.3}, {3}))}));
  const Arg missing = arg::fixed(Tensor::from<float>(
      {NAN, 0, NAN, 1, NAN, 0, 1, -1, 0, 0.5, 0, -1, INFINITY, -0.25, 1}, {5, 3}));
  for (const char* mode : {"LEQ", "LT", "GTE", "GT", "EQ", "NEQ"}) {
    const Attrs attrs = three_classes(std::string("BRANCH_") + mode);
    s.add({missing}, attrs).outputs = 2;
    s.add({missing},
          attrs.with(with_ints("nodes_missing_value_tracks_true", {0, 0, 1, 0, 0, 1, 0, 0})))
        .outputs = 2;
  }
  s.add({arg::any({3})}, three_classes("BRANCH_LEQ")).outputs = 2;
  s.add({arg::any({0, 3})}, three_classes("BRANCH_LEQ")).outputs = 2;
  s.add({arg::any({2, 5})}, three_classes("BRANCH_LEQ"));

  const Attrs good = three_classes("BRANCH_LEQ");
  s.bad({arg::any({4, 2})}, good, "a node asks for feature 2, but X f32[4, 2] has 2");
  s.bad({arg::any({2, 2, 2})}, good, "give features as [rows, features] or [features]");
  s.bad({x}, good.without("classlabels_int64s"),
        "none of classlabels_int64s and classlabels_strings given");
  s.bad({x}, good.with(with_words("classlabels_strings", {"a", "b", "c"})),
        "both classlabels_int64s and classlabels_strings given");
  s.bad({x}, good.with(with_ints("nodes_featureids", {0})),
        "nodes_featureids has 1 entries but nodes_treeids has 8");
  s.bad({x}, good.with(with_ints("class_nodeids", {1})), "class_nodeids has 1 entries");
  s.bad({x}, good.with(with_ints("class_ids", {0, 1, 2, 3, 0, 0})), "class_ids holds 3");
  s.bad({x}, good.with(with_ints("class_nodeids", {1, 3, 4, 1, 2, 9})),
        "names node 9 of tree 0, which does not exist");
  s.bad({x}, good.with(with_ints("nodes_nodeids", {0, 1, 2, 3, 3, 0, 1, 2})),
        "node 3 of tree 0 is there twice");
  s.bad({x}, good.with(with_ints("nodes_truenodeids", {1, -1, 0, -1, -1, 1, 0, 0})),
        "node 0 is reached twice");
  s.bad({x}, good.with(with_words("nodes_modes", Words(8, "BRANCH"))),
        "nodes_modes holds 'BRANCH'");
  s.bad({x}, good.with(with_floats("base_values", {1, 2})), "2 base values for 3 classes");
  s.bad({x}, good.with({"post_transform", "SIGMOID"}), "use one of NONE, SOFTMAX");
  s.bad({x}, good.with({"nodes_values_as_tensor", AttrValue(Tensor::zeros({8}, DType::f64))}),
        "both nodes_values and nodes_values_as_tensor are given");
}

}  // namespace

constinit const OpDef TreeEnsembleClassifier{
    .name = "TreeEnsembleClassifier",
    .doc = "The class that decision trees vote for, and the sums of the votes, for each row.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}, optional("Z", "T3")},
    .types = {{"T1", types(DType::f32, DType::f64, DType::i64, DType::i32)},
              {"T2", kString | kInt64},
              {"T3", kFloat32}},
    .attrs = {attr("base_values", AttrType::floats),
              attr("base_values_as_tensor", AttrType::tensor),
              attr("class_ids", AttrType::ints),
              attr("class_nodeids", AttrType::ints),
              attr("class_treeids", AttrType::ints),
              attr("class_weights", AttrType::floats),
              attr("class_weights_as_tensor", AttrType::tensor),
              attr("classlabels_int64s", AttrType::ints),
              attr("classlabels_strings", AttrType::strings),
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
              attr_s("post_transform", "NONE", scores::kPostTransforms)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("trees are constant between their thresholds"),
    .onnx = {.domain = "ai.onnx.ml", .since = 3, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
