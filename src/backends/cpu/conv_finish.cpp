#include "backends/cpu/conv_finish.h"

#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"

namespace tenon::cpu {

std::optional<ConvFinish> conv_finish(const PrepareContext& ctx) {
  ConvFinish finish;
  if (&ctx.op != &op::FusedConv) return finish;
  const std::span<const double> given = ctx.floats("activation_params");
  const microsoft::Activation activation{ctx.s("activation"), {given.begin(), given.end()}};
  ConvClamp& clamp = finish.clamp;
  if (activation.name == "Relu") {
    clamp.at_least = true;
  } else if (activation.name == "LeakyRelu") {
    clamp.leaky = true;
    clamp.slope =
        static_cast<float>(given.empty() ? op::LeakyRelu.find_attr("alpha")->f : given[0]);
  } else if (activation.name == "Clip") {
    clamp.at_least = !given.empty();
    clamp.at_most = given.size() > 1;
    if (clamp.at_least) clamp.low = static_cast<float>(given[0]);
    if (clamp.at_most) clamp.high = static_cast<float>(given[1]);
  } else {
    const std::optional<ActivationLoop> loop = activation_loop(activation);
    if (!loop) return std::nullopt;
    finish.activation = *loop;
  }
  return finish;
}

bool lies_at(const TensorSpec& spec, const Shape& strides) {
  for (size_t axis = 0; axis < spec.rank(); ++axis)
    if (spec.shape[axis] > 1 && spec.strides[axis] != strides[axis]) return false;
  return true;
}

ReorderedInput::ReorderedInput(const TensorSpec& spec, size_t port, const Shape& strides,
                               size_t& scratch_bytes)
    : port_(port) {
  if (lies_at(spec, strides)) return;
  copy_.emplace(spec.shape, spec.dtype, spec.strides, spec.dtype, strides);
  at_ = scratch_bytes;
  const size_t bytes = static_cast<size_t>(spec.numel()) * sizeof(float);
  scratch_bytes += (bytes + 63) / 64 * 64;
}

const float* ReorderedInput::get(const RunContext& ctx) const {
  if (!copy_) return ctx.input<float>(port_);
  std::byte* to = static_cast<std::byte*>(ctx.scratch) + at_;
  copy_->run(ctx.in[port_], to);
  return reinterpret_cast<const float*>(to);
}

}  // namespace tenon::cpu
