// Optimisers: one operator call a parameter, written back in place.
#include "nn/optimizer.h"

#include <unordered_map>

#include "base/trace.h"
#include "ops/training/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::nn {

Optimizer::Optimizer(NamedTensors parameters, double lr, const OpDef& op, Attrs attrs,
                     std::vector<std::string> buffers, int64_t first_step)
    : lr_(lr),
      op_(op),
      attrs_(std::move(attrs)),
      buffer_names_(std::move(buffers)),
      first_step_(first_step) {
  TENON_CHECK(!parameters.empty(), usage,
              "{}: there are no parameters to train; register them with parameter()", op.name);
  TENON_CHECK(lr >= 0, usage, "{}: learning rate {}; use 0 or more", op.name, lr);
  for (auto& [name, tensor] : parameters) {
    Slot slot{std::move(name), tensor, {}};
    for (size_t i = 0; i < buffer_names_.size(); ++i)
      slot.buffers.push_back(Tensor::zeros(tensor.shape(), tensor.dtype()));
    slots_.push_back(std::move(slot));
  }
}

void Optimizer::step() {
  const NoGrad no_grad;
  const trace::Span span("train", "optimizer step");
  const Tensor lr = Tensor::scalar(lr_);
  const Tensor step = Tensor::from<int64_t>({steps_ + first_step_}, Shape{});
  for (Slot& slot : slots_) {
    Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    std::vector<const Tensor*> inputs{&lr, &step, &slot.parameter, &gradient};
    TensorList outputs{slot.parameter};
    for (const Tensor& buffer : slot.buffers) {
      inputs.push_back(&buffer);
      outputs.push_back(buffer);
    }
    with_context([&] { return fmt::format("while updating {}", slot.name); },
                 [&] { apply_into(op_, inputs, attrs_, outputs); });
  }
  ++steps_;
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.set_grad({});
}

NamedTensors Optimizer::state() const {
  NamedTensors list{{"steps", Tensor::from<int64_t>({steps_}, Shape{})}};
  for (const Slot& slot : slots_)
    for (size_t i = 0; i < slot.buffers.size(); ++i)
      list.emplace_back(buffer_names_[i] + "." + slot.name, slot.buffers[i]);
  return list;
}

void Optimizer::load_state(const NamedTensors& state) {
  const std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  const NamedTensors own = this->state();
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    TENON_CHECK(found != given.end(), data,
                "optimizer state: {} is missing; it is from another optimizer or model", name);
    TENON_CHECK(found->second.shape() == tensor.shape(), data,
                "optimizer state: {} has shape {}, expected {}", name, found->second.shape().str(),
                tensor.shape().str());
  }
  for (auto [name, tensor] : own) tensor.copy_from(given.at(name));
  steps_ = given.at("steps").item<int64_t>();
}

SGD::SGD(NamedTensors parameters, const Options& o)
    : Optimizer(std::move(parameters), o.lr, op::SgdStep,
                {{"momentum", o.momentum},
                 {"dampening", o.dampening},
                 {"weight_decay", o.weight_decay},
                 {"nesterov", o.nesterov}},
                o.momentum != 0 ? std::vector<std::string>{"momentum_buffer"}
                                : std::vector<std::string>{},
                0) {
  TENON_CHECK(
      !o.nesterov || (o.momentum > 0 && o.dampening == 0), usage,
      "SGD: nesterov with momentum {} and dampening {}; it needs momentum above 0 and dampening 0",
      o.momentum, o.dampening);
}

Adam::Adam(NamedTensors parameters, const Options& o, bool decoupled)
    : Optimizer(std::move(parameters), o.lr, op::AdamStep,
                {{"beta1", o.beta1},
                 {"beta2", o.beta2},
                 {"eps", o.eps},
                 {"weight_decay", o.weight_decay},
                 {"decoupled", decoupled}},
                {"exp_avg", "exp_avg_sq"}, 1) {}

}  // namespace tenon::nn
