// Which activation of the fused operators (FusedConv, FusedLinear) a node is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::passes {

// Their attributes `activation` and `activation_params`.
struct FollowingActivation {
  std::string name;
  std::vector<double> parameters;
};
// Of a node that computes an activation of its input 0 and of nothing else; nothing for others, and
// where Clip's bounds are not constants.
std::optional<FollowingActivation> activation_of(const graph::Rewriter& r, const graph::Node& node);

}  // namespace tenon::passes
