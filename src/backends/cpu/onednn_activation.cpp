#include "backends/cpu/onednn_activation.h"

#include <limits>

#include "ops/math/catalog.h"

namespace tenon::cpu {

bool append_activation(dnnl::post_ops& ops, std::string_view name,
                       std::span<const double> parameters) {
  using dnnl::algorithm;
  const auto eltwise = [&](algorithm kind, float alpha = 0, float beta = 0) {
    ops.append_eltwise(1.0F, kind, alpha, beta);
    return true;
  };
  const auto given = [&](size_t i, double otherwise) {
    return static_cast<float>(i < parameters.size() ? parameters[i] : otherwise);
  };
  // An activation's parameter that is not given is its operator's default.
  const auto attribute = [&](size_t i, const OpDef& op, std::string_view attr) {
    return given(i, op.find_attr(attr)->f);
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();

  if (name.empty()) return true;
  if (name == "Relu") return eltwise(algorithm::eltwise_relu);
  if (name == "Clip")
    return eltwise(algorithm::eltwise_clip, given(0, -kInfinity), given(1, kInfinity));
  if (name == "LeakyRelu")
    return eltwise(algorithm::eltwise_relu, attribute(0, op::LeakyRelu, "alpha"));
  if (name == "Sigmoid") return eltwise(algorithm::eltwise_logistic);
  if (name == "Tanh") return eltwise(algorithm::eltwise_tanh);
  if (name == "HardSigmoid")
    return eltwise(algorithm::eltwise_linear, attribute(0, op::HardSigmoid, "alpha"),
                   attribute(1, op::HardSigmoid, "beta")) &&
           eltwise(algorithm::eltwise_clip, 0, 1);
  if (name == "HardSwish") return eltwise(algorithm::eltwise_hardswish);
  if (name == "Swish") return eltwise(algorithm::eltwise_swish, attribute(0, op::Swish, "alpha"));
  if (name == "Gelu") return eltwise(algorithm::eltwise_gelu_erf);
  if (name == "GeluTanh") return eltwise(algorithm::eltwise_gelu_tanh);
  if (name == "Mish") return eltwise(algorithm::eltwise_mish);
  if (name == "Elu") return eltwise(algorithm::eltwise_elu, attribute(0, op::Elu, "alpha"));
  if (name == "Selu")
    return eltwise(algorithm::eltwise_elu, attribute(0, op::Selu, "alpha")) &&
           eltwise(algorithm::eltwise_linear, attribute(1, op::Selu, "gamma"));
  return false;
}

}  // namespace tenon::cpu
