#include "backends/cpu/activation_loop.h"

#include <limits>

#include "ops/math/catalog.h"

namespace tenon::cpu {

namespace {

struct Known {
  std::string_view name;
  const OpDef* op;
  ConstList<std::string_view, 2> parameters{};  // the attributes that the parameters are
  std::string_view approximate{};
};

std::span<const Known> known() {
  static const Known list[] = {
      {"Relu", &op::Relu},
      {"Tanh", &op::Tanh},
      {"Sigmoid", &op::Sigmoid},
      {"Softplus", &op::Softplus},
      {"Softsign", &op::Softsign},
      {"HardSwish", &op::HardSwish},
      {"Mish", &op::Mish},
      {"Gelu", &op::Gelu},
      {"GeluTanh", &op::Gelu, {}, "tanh"},
      {"Swish", &op::Swish, {"alpha"}},
      {"LeakyRelu", &op::LeakyRelu, {"alpha"}},
      {"Elu", &op::Elu, {"alpha"}},
      {"ThresholdedRelu", &op::ThresholdedRelu, {"alpha"}},
      {"HardSigmoid", &op::HardSigmoid, {"alpha", "beta"}},
      {"Selu", &op::Selu, {"alpha", "gamma"}},
  };
  return list;
}

std::optional<ActivationLoop> loop_of(const OpDef& op, const Attrs& attrs,
                                      std::span<const DType> inputs) {
  const std::optional<ElementCall> call = element_call({op, attrs}, inputs, DType::f32);
  if (!call || call->loop.in[0] != DType::f32 || call->loop.out != DType::f32) return std::nullopt;
  return ActivationLoop{call->loop.fn, call->attrs};
}

}  // namespace

std::optional<ActivationLoop> activation_loop(const microsoft::Activation& activation) {
  if (activation.name.empty()) return ActivationLoop{};
  const std::vector<double>& given = activation.parameters;
  if (activation.name == "Clip") {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr DType inputs[] = {DType::f32, DType::f32, DType::f32};
    std::optional<ActivationLoop> loop = loop_of(op::Clip, {}, inputs);
    if (!loop) return loop;
    loop->low = given.empty() ? -kInfinity : static_cast<float>(given[0]);
    loop->high = given.size() < 2 ? kInfinity : static_cast<float>(given[1]);
    return loop;
  }
  for (const Known& one : known()) {
    if (one.name != activation.name) continue;
    Attrs attrs;
    if (!one.approximate.empty()) attrs = attrs.with({"approximate", std::string(one.approximate)});
    for (size_t i = 0; i < given.size() && i < one.parameters.size(); ++i)
      attrs = attrs.with({one.parameters[i], given[i]});
    constexpr DType inputs[] = {DType::f32};
    return loop_of(*one.op, attrs, inputs);
  }
  return std::nullopt;
}

}  // namespace tenon::cpu
