// The scores of attention as a graph spells them: a product of queries and keys, scaled, perhaps
// squashed, and masked by sums and choices.
#pragma once

#include <optional>
#include <vector>

#include "graph/passes/pattern.h"

namespace tenon::passes {

struct AttentionScores {
  // `fill` stands where the condition is not `keeps`.
  struct Choice {
    graph::ValueId condition;
    bool keeps;
    double fill;
  };

  graph::NodeId product = -1;  // the MatMul of queries and transposed keys
  double scale = 1;
  double softcap = 0;                      // 0: none
  std::vector<graph::ValueId> added;       // masks of numbers
  std::vector<graph::ValueId> subtracted;  // the same with the other sign
  std::vector<Choice> choices;

  bool is_masked() const { return !added.empty() || !subtracted.empty() || !choices.empty(); }
};

// What makes `value`, whose nodes join the match.
std::optional<AttentionScores> attention_scores(const graph::Rewriter& r, Pattern& pattern,
                                                graph::ValueId value);

// The masks as the operator Attention takes them.
struct AttentionMask {
  graph::ValueId mask = graph::kNoValue;  // bool (may be seen) or numbers to add
  bool causal = false;
};
// For scores of [batch, heads, queries, keys] = `dims`, computed in `type`. Adds nodes where masks
// must be put together. Nothing where one does not broadcast to the scores, or where a query that
// may see no key would turn out otherwise.
std::optional<AttentionMask> attention_mask(graph::Rewriter& r, const AttentionScores& scores,
                                            const Dims& dims, DType type);

}  // namespace tenon::passes
