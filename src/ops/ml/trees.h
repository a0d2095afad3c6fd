// Ensembles of decision trees, as TreeEnsemble and its two predecessors spell them in attributes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/infer.h"
#include "ops/ml/scores.h"

namespace tenon::trees {

// Both in the order of TreeEnsemble's numbers.
enum class Mode : uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };
enum class Aggregate : uint8_t { average, sum, min, max };

struct Node {
  double value = 0;  // what the feature is compared with
  int64_t feature = 0;
  int32_t yes = -1, no = -1;    // nodes
  int32_t first = 0, last = 0;  // of a leaf: its votes; of a member node: its set
  Mode mode = Mode::leaf;
  bool missing_yes = false;  // where NaN goes
};
struct Vote {
  int64_t target = 0;
  double weight = 0;
};

struct Forest {
  std::vector<Node> nodes;
  std::vector<int32_t> roots;  // in the order in which they are added up
  std::vector<Vote> votes;
  std::vector<double> members;  // of all sets
  std::vector<double> base;     // none, or one a target
  int64_t targets = 0;
  Aggregate aggregate = Aggregate::sum;
  scores::PostTransform post = scores::PostTransform::none;
  bool doubles = false;  // some of the numbers are f64, so that f32 would lose digits
};

// Each fails (usage) on attributes that are not a forest: lists of unequal lengths, children that
// do not exist, nodes that are reached twice.
Forest read_ensemble(const Call& call);
Forest read_regressor(const Call& call);
Forest read_classifier(const Call& call);

// Fails unless the rows have all features that the trees ask for.
void check_features(const InferContext& ctx, const Forest& forest, const Dim& features);

// -- What a classifier makes of the votes ---------------------------------------------------------
struct ClassRules {
  size_t classes = 0;
  bool one_set = false;       // two classes, but all votes are for one
  bool all_positive = false;  // no vote is negative
};
ClassRules class_rules(const Call& call, const Forest& forest);
// The labels by index. A single class has two: the one of rows that are not in it comes first.
Tensor class_labels(const Call& call, std::string_view ints, std::string_view strings);

// What a row's trees said of one target.
template <class T>
struct Score {
  T value = 0;
  bool voted = false;
};

template <class T>
void add_vote(Score<T>& score, T weight, Aggregate how) {
  if (how == Aggregate::min)
    score.value = score.voted && !(weight < score.value) ? score.value : weight;
  else if (how == Aggregate::max)
    score.value = score.voted && !(weight > score.value) ? score.value : weight;
  else
    score.value += weight;
  score.voted = true;
}

// The values of a regression from its scores.
template <class T>
void finish_row(const Forest& forest, std::span<const Score<T>> scores, std::span<T> y) {
  for (size_t k = 0; k < y.size(); ++k) {
    y[k] = scores[k].value;
    if (forest.aggregate == Aggregate::average) y[k] /= static_cast<T>(forest.roots.size());
    if (!forest.base.empty()) y[k] += static_cast<T>(forest.base[k]);
  }
  scores::transform(y, scores::for_targets(forest.post, forest.targets));
}

// The index of a row's label, and its scores. As ONNX Runtime has it: classes that nobody voted for
// are no candidates, and votes for one of two classes are a probability where all are positive
// (above 0.5 is the second class), a margin elsewhere (above 0).
template <class T>
size_t finish_class(const Forest& forest, const ClassRules& rules, std::span<Score<T>> scores,
                    std::span<T> z) {
  using scores::OneScore, scores::PostTransform;
  for (size_t k = 0; k < forest.base.size(); ++k) {
    scores[k].value += static_cast<T>(forest.base[k]);
    if (forest.base.size() == rules.classes) scores[k].voted = true;
  }
  const bool probability = rules.one_set && rules.all_positive;
  const T bar = probability ? static_cast<T>(0.5) : 0;
  if (rules.classes == 1) {
    z[0] = forest.post == PostTransform::probit ? scores::probit(scores[0].value) : scores[0].value;
    return scores[0].value > 0 ? 1 : 0;
  }
  if (rules.classes == 2 && !scores[1].voted) {
    scores::write_pair(scores[0].value, probability ? OneScore::probability : OneScore::margin,
                       forest.post, z);
    return scores[0].value > bar ? 1 : 0;
  }
  size_t best = rules.classes;
  for (size_t k = 0; k < rules.classes; ++k) {
    z[k] = scores[k].value;
    if (scores[k].voted && (best == rules.classes || z[k] > z[best])) best = k;
  }
  if (rules.one_set && forest.base.size() < 2) best = z[1] > bar ? 1 : 0;
  scores::transform(z, forest.post);
  return best == rules.classes ? 0 : best;
}

}  // namespace tenon::trees
