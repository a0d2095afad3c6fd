// TreeEnsemble: decision trees whose nodes and leaves are lists of their own.
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
  const trees::Forest forest = trees::read_ensemble(ctx);
  trees::check_features(ctx, forest, rows.features);
  ctx.output(0, {rows.count, forest.targets});
}

using Ints = std::vector<int64_t>;

Attr with_ints(std::string_view name, Ints values) { return {name, AttrValue(std::move(values))}; }
Attr with_floats(std::string_view name, std::initializer_list<float> values) {
  return {name, AttrValue(Tensor::from<float>(values, {static_cast<int64_t>(values.size())}))};
}
Attr with_modes(std::initializer_list<uint8_t> values) {
  return {"nodes_modes",
          AttrValue(Tensor::from<uint8_t>(values, {static_cast<int64_t>(values.size())}))};
}

// Two trees over four nodes and five leaves.
Attrs forest(std::initializer_list<uint8_t> modes) {
  return Attrs({{"n_targets", 2},
                with_modes(modes),
                with_floats("nodes_splits", {0.5F, -0.5F, 1, 0.25F}),
                with_ints("nodes_featureids", {0, 1, 0, 2}),
                with_ints("nodes_truenodeids", {1, 0, 2, 4}),
                with_ints("nodes_trueleafs", {0, 1, 1, 1}),
                with_ints("nodes_falsenodeids", {2, 1, 3, 3}),
                with_ints("nodes_falseleafs", {0, 1, 1, 1}),
                with_ints("leaf_targetids", {0, 1, 0, 1, 0}),
                with_floats("leaf_weights", {5.25F, 12, -12.5F, 7.25F, 0.5F}),
                with_ints("tree_roots", {0, 3})});
}

void samples(Samples& s) {
  const Arg x = arg::any({8, 3});
  for (uint8_t mode = 0; mode < 6; ++mode) s.add({x}, forest({0, mode, 0, mode}));
  for (int aggregate = 0; aggregate < 4; ++aggregate)
    s.add({x}, forest({0, 1, 2, 3}).with({"aggregate_function", aggregate}));
  for (int post = 1; post < 4; ++post)
    s.add({x}, forest({0, 1, 2, 3}).with({"post_transform", post}));
  s.add({x}, forest({0, 0, 0, 0})
                 .with(with_floats("leaf_weights", {0.25F, 0.5F, 0.125F, 0.25F, 0.5F}))
                 .with({"post_transform", 4}));
  const Attrs members =
      forest({0, 6, 0, 6}).with(with_floats("membership_values", {-1, 1, 8, NAN, 0, 2, NAN}));
  const Arg whole = arg::fixed(
      Tensor::from<float>({0, 1, 2, 0, 5, 1, 0, 8, 0, 1, 1, NAN, 1, NAN, 2, NAN, 0, 0}, {6, 3}));
  s.add({whole}, members);
  s.add({whole}, members.with(with_ints("nodes_missing_value_tracks_true", {1, 1, 0, 1})));
  // A tree that is one leaf.
  s.add({x}, Attrs({{"n_targets", 1},
                    with_modes({0}),
                    with_floats("nodes_splits", {0}),
                    with_ints("nodes_featureids", {0}),
                    with_ints("nodes_truenodeids", {0}),
                    with_ints("nodes_trueleafs", {1}),
                    with_ints("nodes_falsenodeids", {0}),
                    with_ints("nodes_falseleafs", {1}),
                    with_ints("leaf_targetids", {0}),
                    with_floats("leaf_weights", {3}),
                    with_ints("tree_roots", {0})}));
  s.add({arg::any({0, 3})}, forest({0, 0, 0, 0}));
  s.bad({x}, members.with(with_floats("membership_values", {-1, NAN})), "has fewer sets");
  s.bad({x}, members.with(with_floats("membership_values", {1, NAN, 2, NAN, 3, NAN})),
        "has more sets");
  s.bad({x}, forest({0, 7, 0, 0}), "nodes_modes holds 7; use 0 to 6");
  s.bad({x}, forest({0, 0}), "nodes_modes has 2 entries");
  s.bad({x}, forest({0, 0, 0, 0}).with(with_ints("nodes_truenodeids", {1, 5, 2, 4})),
        "nodes_truenodeids holds 5; there are 5 leaves");
  s.bad({x}, forest({0, 0, 0, 0}).with(with_ints("tree_roots", {0, 4})), "tree_roots holds 4");
  s.bad({x}, forest({0, 0, 0, 0}).with(with_ints("tree_roots", {0, 0})), "is reached twice");
  s.bad({x}, forest({0, 0, 0, 0}).with({"aggregate_function", 4}), "aggregate_function is 4");
  s.bad({x}, forest({0, 0, 0, 0}).with({"post_transform", 5}), "post_transform is 5");
  s.bad({x}, forest({0, 0, 0, 0}).with(with_ints("leaf_targetids", {0, 1, 2, 0, 0})),
        "leaf_targetids holds 2");
  s.bad({arg::any({2, 2})}, forest({0, 0, 0, 0}), "a node asks for feature 2");
}

}  // namespace

constinit const OpDef TreeEnsemble{
    .name = "TreeEnsemble",
    .doc =
        "What decision trees say of each row, taken together; nodes may ask whether a feature is "
        "one of a set.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::f16)}},
    .attrs = {attr_i("aggregate_function", 1), required("leaf_targetids", AttrType::ints),
              required("leaf_weights", AttrType::tensor),
              attr("membership_values", AttrType::tensor), attr("n_targets", AttrType::i),
              required("nodes_falseleafs", AttrType::ints),
              required("nodes_falsenodeids", AttrType::ints),
              required("nodes_featureids", AttrType::ints),
              attr("nodes_hitrates", AttrType::tensor),
              attr("nodes_missing_value_tracks_true", AttrType::ints),
              required("nodes_modes", AttrType::tensor), required("nodes_splits", AttrType::tensor),
              required("nodes_trueleafs", AttrType::ints),
              required("nodes_truenodeids", AttrType::ints), attr_i("post_transform", 0),
              required("tree_roots", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("trees are constant between their thresholds"),
    .onnx = {.domain = "ai.onnx.ml", .since = 5},
    .samples = samples,
};

}  // namespace tenon::op
