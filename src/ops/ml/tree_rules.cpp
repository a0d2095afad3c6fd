// What the tree operators check of their inputs and labels.
#include <algorithm>

#include "ops/ml/trees.h"

namespace tenon::trees {

void check_features(const InferContext& ctx, const Forest& forest, const Dim& features) {
  if (!features.is_const()) return;
  for (const Node& node : forest.nodes)
    ctx.check(node.mode == Mode::leaf || node.feature < features.value(),
              "a node asks for feature {}, but X {} has {}; give all that the trees were made for",
              node.feature, ctx.str(0), features.value());
}

ClassRules class_rules(const Call& call, const Forest& forest) {
  ClassRules rules;
  rules.classes = static_cast<size_t>(forest.targets);
  const auto ids = call.ints("class_ids");
  rules.one_set = rules.classes == 2 && !ids.empty() &&
                  std::ranges::all_of(ids, [&](int64_t id) { return id == ids[0]; });
  rules.all_positive =
      std::ranges::none_of(forest.votes, [](const Vote& vote) { return vote.weight < 0; });
  return rules;
}

Tensor class_labels(const Call& call, std::string_view ints, std::string_view strings) {
  const auto words = call.strings(strings);
  const auto numbers = call.ints(ints);
  TENON_CHECK(words.empty() != numbers.empty(), usage, "{}: {} {} and {} given; give one of them",
              call.op.name, words.empty() ? "none of" : "both", ints, strings);
  if (words.empty()) {
    std::vector<int64_t> labels(numbers.begin(), numbers.end());
    if (labels.size() == 1) labels.insert(labels.begin(), 0);
    return Tensor::ints(labels);
  }
  std::vector<std::string> labels(words.begin(), words.end());
  if (labels.size() == 1) labels.insert(labels.begin(), "0");
  return Tensor::strings(labels, {static_cast<int64_t>(labels.size())});
}

}  // namespace tenon::trees
