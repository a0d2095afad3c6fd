#include "graph/passes/following_activation.h"

#include <limits>

#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"

namespace tenon::passes {

namespace {

struct Known {
  const OpDef* op;
  std::string_view name;
  ConstList<std::string_view, 2> parameters{};  // the attributes they come from
};

std::span<const Known> known() {
  static const Known list[] = {
      {&op::Relu, "Relu"},
      {&op::Tanh, "Tanh"},
      {&op::Sigmoid, "Sigmoid"},
      {&op::Softplus, "Softplus"},
      {&op::Softsign, "Softsign"},
      {&op::HardSwish, "HardSwish"},
      {&op::Mish, "Mish"},
      {&op::MicrosoftGelu, "Gelu"},
      {&op::Swish, "Swish", {"alpha"}},
      {&op::QuickGelu, "Swish", {"alpha"}},
      {&op::LeakyRelu, "LeakyRelu", {"alpha"}},
      {&op::Elu, "Elu", {"alpha"}},
      {&op::ThresholdedRelu, "ThresholdedRelu", {"alpha"}},
      {&op::HardSigmoid, "HardSigmoid", {"alpha", "beta"}},
      {&op::Selu, "Selu", {"alpha", "gamma"}},
  };
  return list;
}

}  // namespace

std::optional<FollowingActivation> activation_of(const graph::Rewriter& r,
                                                 const graph::Node& node) {
  const Call call{*node.op, node.attrs};
  if (node.op == &op::Gelu)
    return FollowingActivation{call.s("approximate") == "tanh" ? "GeluTanh" : "Gelu", {}};
  if (node.op == &op::Clip) {
    FollowingActivation clip{"Clip", {}};
    for (size_t i = 1; i < 3; ++i) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      double bound = i == 1 ? -kInfinity : kInfinity;
      if (i < node.inputs.size() && node.inputs[i] != graph::kNoValue) {
        const std::optional<double> given = r.scalar(node.inputs[i]);
        if (!given) return std::nullopt;
        bound = *given;
      }
      clip.parameters.push_back(bound);
    }
    return clip;
  }
  for (const Known& one : known()) {
    if (one.op != node.op) continue;
    FollowingActivation found{std::string(one.name), {}};
    for (std::string_view attr : one.parameters) found.parameters.push_back(call.f(attr));
    return found;
  }
  return std::nullopt;
}

}  // namespace tenon::passes
