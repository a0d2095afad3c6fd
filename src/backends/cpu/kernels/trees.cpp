// Decision trees: blocks of rows go through one tree after the other, or, when rows are few, each
// row through blocks of trees. Votes are added up in the order of the trees, as the reference does.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/packed_trees.h"
#include "base/threads.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/trees.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

using trees::Forest, trees::Score;

constexpr int64_t kBlockRows = 64;       // their features and scores stay in the first-level cache
constexpr int64_t kParallelWalks = 512;  // fewer are not worth a second thread

template <class T>
struct TreesKernel : Kernel {
  Forest forest;
  PackedTrees<T> packed;
  int64_t rows, features;
  DType type;
  ConvertRun convert;  // null where X is T already

  TreesKernel(const PrepareContext& ctx, Forest read)
      : forest(std::move(read)), packed(forest), type(ctx.inputs[0].dtype) {
    const auto sizes = feature_rows::of(ctx.inputs[0].shape);
    rows = sizes.count;
    features = sizes.features;
    convert = type == dtype_of<T> ? nullptr : convert_run(type, dtype_of<T>);
  }

  // Writes what the scores of a row mean.
  virtual void finish(const RunContext& ctx, int64_t row, std::span<Score<T>> scores) const = 0;

  void run(const RunContext& ctx) const override {
    const auto threads = static_cast<int64_t>(thread_count());
    if (rows < 4 * PackedTrees<T>::kLanes || rows < threads * PackedTrees<T>::kLanes)
      return run_few(ctx);
    const int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
    const int64_t grain = std::max<int64_t>(1, kParallelWalks / (kBlockRows * packed.tree_count()));
    parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
      std::vector<T> buffer;
      std::vector<Score<T>> scores;
      for (int64_t block = begin; block < end; ++block)
        run_block(ctx, block * kBlockRows, std::min(rows, (block + 1) * kBlockRows), buffer,
                  scores);
    });
  }

  const T* read(const RunContext& ctx, int64_t row, int64_t count, std::vector<T>& buffer) const {
    if (!convert) return ctx.input<T>(0) + row * features;
    buffer.resize(static_cast<size_t>(count * features));
    convert(ctx.input<std::byte>(0) + row * features * static_cast<int64_t>(size_of(type)),
            buffer.data(), count * features);
    return buffer.data();
  }

  void add(int32_t leaf, std::span<Score<T>> scores) const {
    const auto votes = packed.votes(leaf);
    for (int32_t i = 0; i < votes.count; ++i)
      add_vote(scores[static_cast<size_t>(votes.targets[i])], votes.weights[i], forest.aggregate);
  }

  void run_block(const RunContext& ctx, int64_t begin, int64_t end, std::vector<T>& buffer,
                 std::vector<Score<T>>& scores) const {
    constexpr int kLanes = PackedTrees<T>::kLanes;
    const T* x = read(ctx, begin, end - begin, buffer);
    const auto targets = static_cast<size_t>(forest.targets);
    scores.assign(static_cast<size_t>(end - begin) * targets, {});
    for (int64_t tree = 0; tree < packed.tree_count(); ++tree) {
      for (int64_t first = 0; first < end - begin; first += kLanes) {
        std::array<const T*, kLanes> lanes;
        std::array<int32_t, kLanes> leaves;
        const auto count = static_cast<int>(std::min<int64_t>(kLanes, end - begin - first));
        for (int lane = 0; lane < kLanes; ++lane)
          lanes[static_cast<size_t>(lane)] = x + (first + std::min(lane, count - 1)) * features;
        packed.walk_rows(tree, lanes.data(), leaves.data());
        for (int lane = 0; lane < count; ++lane)
          add(leaves[static_cast<size_t>(lane)],
              std::span(scores).subspan(static_cast<size_t>(first + lane) * targets, targets));
      }
    }
    for (int64_t row = begin; row < end; ++row)
      finish(ctx, row,
             std::span(scores).subspan(static_cast<size_t>(row - begin) * targets, targets));
  }

  // Threads share out the trees of each row.
  void run_few(const RunContext& ctx) const {
    constexpr int64_t kLanes = PackedTrees<T>::kLanes;
    const int64_t trees = packed.tree_count(), groups = (trees + kLanes - 1) / kLanes;
    std::vector<T> buffer;
    std::vector<int32_t> leaves(static_cast<size_t>(rows * trees));
    const T* x = read(ctx, 0, rows, buffer);
    parallel_for(0, rows * groups, kParallelWalks / kLanes, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / groups, tree = i % groups * kLanes;
        packed.walk_trees(tree, x + row * features, leaves.data() + row * trees + tree);
      }
    });
    std::vector<Score<T>> scores;
    for (int64_t row = 0; row < rows; ++row) {
      scores.assign(static_cast<size_t>(forest.targets), {});
      for (int64_t tree = 0; tree < trees; ++tree)
        add(leaves[static_cast<size_t>(row * trees + tree)], scores);
      finish(ctx, row, scores);
    }
  }
};

template <class T>
struct ValuesKernel final : TreesKernel<T> {
  ConvertRun narrow;  // null where Y is T
  DType out;

  ValuesKernel(const PrepareContext& ctx, Forest read)
      : TreesKernel<T>(ctx, std::move(read)), out(ctx.outputs[0].dtype) {
    narrow = out == dtype_of<T> ? nullptr : convert_run(dtype_of<T>, out);
  }
  void finish(const RunContext& ctx, int64_t row, std::span<Score<T>> scores) const override {
    const int64_t targets = this->forest.targets;
    auto* y = ctx.output<std::byte>(0) + row * targets * static_cast<int64_t>(size_of(out));
    if (!narrow) {
      trees::finish_row<T>(this->forest, scores,
                           {reinterpret_cast<T*>(y), static_cast<size_t>(targets)});
      return;
    }
    std::vector<T> values(static_cast<size_t>(targets));
    trees::finish_row<T>(this->forest, scores, values);
    narrow(values.data(), y, targets);
  }
};

template <class T>
struct ClassesKernel final : TreesKernel<T> {
  trees::ClassRules rules;
  Tensor labels;

  ClassesKernel(const PrepareContext& ctx, Forest read)
      : TreesKernel<T>(ctx, std::move(read)),
        rules(trees::class_rules(ctx, this->forest)),
        labels(trees::class_labels(ctx, "classlabels_int64s", "classlabels_strings")) {}

  void finish(const RunContext& ctx, int64_t row, std::span<Score<T>> scores) const override {
    std::array<T, 16> few;
    std::vector<T> many(rules.classes > few.size() ? rules.classes : 0);
    const std::span<T> z =
        many.empty() ? std::span<T>(few).first(rules.classes) : std::span<T>(many);
    const size_t label = trees::finish_class<T>(this->forest, rules, scores, z);
    if (labels.dtype() == DType::string)
      ctx.output<std::string>(0)[row] = labels.data<std::string>()[label];
    else
      ctx.output<int64_t>(0)[row] = labels.data<int64_t>()[label];
    if (!ctx.out[1]) return;
    float* out = ctx.output<float>(1) + row * this->forest.targets;
    for (size_t k = 0; k < z.size(); ++k) out[k] = static_cast<float>(z[k]);
  }
};

template <template <class> class Chosen>
Prepared prepare(const PrepareContext& ctx, Forest forest) {
  if (ctx.inputs[0].numel() == 0) return refuse("there are no features");
  if (forest.roots.empty()) return refuse("there are no trees");
  if (forest.doubles || ctx.inputs[0].dtype == DType::f64)
    return std::make_unique<Chosen<double>>(ctx, std::move(forest));
  return std::make_unique<Chosen<float>>(ctx, std::move(forest));
}

Prepared prepare_ensemble(const PrepareContext& ctx) {
  return prepare<ValuesKernel>(ctx, trees::read_ensemble(ctx));
}
Prepared prepare_regressor(const PrepareContext& ctx) {
  return prepare<ValuesKernel>(ctx, trees::read_regressor(ctx));
}
Prepared prepare_classifier(const PrepareContext& ctx) {
  return prepare<ClassesKernel>(ctx, trees::read_classifier(ctx));
}

}  // namespace

constinit const KernelList trees{
    {&op::TreeEnsemble, "cpu.tree_ensemble", prepare_ensemble},
    {&op::TreeEnsembleClassifier, "cpu.tree_ensemble_classifier", prepare_classifier},
    {&op::TreeEnsembleRegressor, "cpu.tree_ensemble_regressor", prepare_regressor},
};

}  // namespace tenon::cpu
