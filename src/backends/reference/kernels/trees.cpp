// Decision trees, row by row. They add up in f32 unless doubles are involved, in the order of the
// trees: whether a sum is above a threshold must not depend on who computes it.
#include <algorithm>
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/trees.h"

namespace tenon::reference {

namespace {

using trees::Forest, trees::Mode, trees::Node, trees::Score;

template <class T>
bool holds(const Forest& forest, const Node& node, T x) {
  const T value = static_cast<T>(node.value);
  if (std::isnan(x) && node.missing_yes) return true;
  switch (node.mode) {
    case Mode::leq: return x <= value;
    case Mode::lt: return x < value;
    case Mode::gte: return x >= value;
    case Mode::gt: return x > value;
    case Mode::eq: return x == value;
    case Mode::neq: return x != value;
    case Mode::member:
      return std::any_of(forest.members.begin() + node.first, forest.members.begin() + node.last,
                         [&](double member) { return x == static_cast<T>(member); });
    case Mode::leaf: break;
  }
  return false;
}

// Adds up the votes of all trees for the row that begins at `first`.
template <class T>
std::vector<Score<T>> scores_of(const Forest& forest, const In<double>& x, int64_t first) {
  std::vector<Score<T>> scores(static_cast<size_t>(forest.targets));
  for (const int32_t root : forest.roots) {
    const Node* node = &forest.nodes[static_cast<size_t>(root)];
    while (node->mode != Mode::leaf)
      node = &forest.nodes[static_cast<size_t>(
          holds(forest, *node, static_cast<T>(x[first + node->feature])) ? node->yes : node->no)];
    for (int32_t i = node->first; i < node->last; ++i) {
      const trees::Vote& vote = forest.votes[static_cast<size_t>(i)];
      add_vote(scores[static_cast<size_t>(vote.target)], static_cast<T>(vote.weight),
               forest.aggregate);
    }
  }
  return scores;
}

template <class T>
Prepared prepare_values(const PrepareContext& ctx, Forest forest) {
  const auto sizes = feature_rows::of(ctx.inputs[0].shape);
  return make_kernel([forest = std::move(forest), sizes, in = ctx.inputs[0].dtype,
                      out = ctx.outputs[0].dtype](const RunContext& run) {
    const In<double> x(in, run.in[0]);
    const Out<double> y(out, run.out[0]);
    std::vector<T> row(static_cast<size_t>(forest.targets));
    for (int64_t i = 0; i < sizes.count; ++i) {
      const auto scores = scores_of<T>(forest, x, i * sizes.features);
      trees::finish_row<T>(forest, scores, row);
      for (size_t k = 0; k < row.size(); ++k)
        y.set(i * forest.targets + static_cast<int64_t>(k), static_cast<double>(row[k]));
    }
  });
}

template <class T>
Prepared prepare_classes(const PrepareContext& ctx, Forest forest) {
  const auto sizes = feature_rows::of(ctx.inputs[0].shape);
  const trees::ClassRules rules = trees::class_rules(ctx, forest);
  return make_kernel(
      [forest = std::move(forest), sizes, rules,
       labels = trees::class_labels(ctx, "classlabels_int64s", "classlabels_strings"),
       in = ctx.inputs[0].dtype, wants_scores = ctx.wants_output(1)](const RunContext& run) {
        const In<double> x(in, run.in[0]);
        std::vector<T> z(rules.classes);
        for (int64_t i = 0; i < sizes.count; ++i) {
          auto scores = scores_of<T>(forest, x, i * sizes.features);
          const size_t label = trees::finish_class<T>(forest, rules, scores, z);
          copy_element(labels.dtype(), run.out[0], i, labels.raw(), static_cast<int64_t>(label));
          if (wants_scores)
            std::ranges::transform(z, run.output<float>(1) + i * forest.targets,
                                   [](T score) { return static_cast<float>(score); });
        }
      });
}

bool in_doubles(const PrepareContext& ctx, const Forest& forest) {
  return forest.doubles || ctx.inputs[0].dtype == DType::f64;
}

Prepared values(const PrepareContext& ctx, Forest forest) {
  return in_doubles(ctx, forest) ? prepare_values<double>(ctx, std::move(forest))
                                 : prepare_values<float>(ctx, std::move(forest));
}
Prepared prepare_ensemble(const PrepareContext& ctx) {
  return values(ctx, trees::read_ensemble(ctx));
}
Prepared prepare_regressor(const PrepareContext& ctx) {
  return values(ctx, trees::read_regressor(ctx));
}
Prepared prepare_classifier(const PrepareContext& ctx) {
  Forest forest = trees::read_classifier(ctx);
  return in_doubles(ctx, forest) ? prepare_classes<double>(ctx, std::move(forest))
                                 : prepare_classes<float>(ctx, std::move(forest));
}

}  // namespace

constinit const KernelList trees{
    {&op::TreeEnsemble, "reference.tree_ensemble", prepare_ensemble},
    {&op::TreeEnsembleClassifier, "reference.tree_ensemble_classifier", prepare_classifier},
    {&op::TreeEnsembleRegressor, "reference.tree_ensemble_regressor", prepare_regressor},
};

}  // namespace tenon::reference
