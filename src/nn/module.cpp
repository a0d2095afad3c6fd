// Names, state and modes of module trees.
#include "nn/module.h"

#include <functional>
#include <unordered_map>

#include "base/text.h"

namespace tenon::nn {

template <class Visit>
void Module::visit(const std::string& prefix, Visit&& fn) const {
  fn(*this, prefix);
  for (const auto& [name, child] : children_) child->visit(prefix + name + ".", fn);
}

Tensor Module::forward(const Tensor&) {
  fail(ErrorKind::usage, "{}: it has no forward of one tensor; call the one it declares",
       describe());
}

NamedTensors Module::named_parameters() const {
  NamedTensors list;
  visit("", [&](const Module& m, const std::string& prefix) {
    for (const auto& [name, tensor] : m.parameters_) list.emplace_back(prefix + name, tensor);
  });
  return list;
}

TensorList Module::parameters() const {
  TensorList list;
  for (auto& [name, tensor] : named_parameters()) list.push_back(std::move(tensor));
  return list;
}

NamedTensors Module::named_buffers() const {
  NamedTensors list;
  visit("", [&](const Module& m, const std::string& prefix) {
    for (const auto& [name, tensor] : m.buffers_) list.emplace_back(prefix + name, tensor);
  });
  return list;
}

NamedTensors Module::state() const {
  NamedTensors all = named_parameters();
  for (auto& entry : named_buffers()) all.push_back(std::move(entry));
  return all;
}

void Module::load_state(const NamedTensors& state) {
  std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  const NamedTensors own = this->state();
  std::vector<std::string> known, problems;
  for (const auto& [name, tensor] : own) {
    known.push_back(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      problems.push_back(fmt::format("{} is missing", name));
    } else if (found->second.shape() != tensor.shape()) {
      problems.push_back(fmt::format("{} has shape {}, the model's is {}", name,
                                     found->second.shape().str(), tensor.shape().str()));
    }
  }
  for (const auto& [name, tensor] : state)
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = text::did_you_mean(name, known);
      problems.push_back(fmt::format("{} is not in the model{}", name,
                                     near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
    }
  TENON_CHECK(problems.empty(), data,
              "load_state: {}; load the state of a model with the same layers",
              text::join(problems, "; "));
  for (auto [name, tensor] : own) tensor.copy_from(given.at(name));
}

void Module::train(bool on) {
  training_ = on;
  for (auto& [name, child] : children_) child->train(on);
}

void Module::zero_grad() {
  for (Tensor& tensor : parameters()) tensor.set_grad({});
}

Tensor Module::parameter(std::string name, Tensor tensor) {
  tensor.requires_grad_();
  parameters_.emplace_back(std::move(name), tensor);
  return tensor;
}

Tensor Module::buffer(std::string name, Tensor tensor) {
  buffers_.emplace_back(std::move(name), tensor);
  return tensor;
}

void Module::add(std::string name, Module& child) {
  for (const auto& [taken, other] : children_)
    TENON_CHECK(taken != name, usage, "{}: two submodules are named {}; name them apart",
                describe(), name);
  children_.emplace_back(std::move(name), &child);
}

void Module::add(std::string name, std::shared_ptr<Module> child) {
  add(std::move(name), *child);
  owned_.push_back(std::move(child));
}

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules) {
  for (auto& module : modules) push_back(std::move(module));
}

void Sequential::push_back(std::shared_ptr<Module> module) {
  add(std::to_string(size()), std::move(module));
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const auto& child : children())
    y = with_context(
        [&] { return fmt::format("in layer {} ({})", child.first, child.second->describe()); },
        [&] { return child.second->forward(y); });
  return y;
}

std::string summary(const Module& module) {
  std::string out;
  const std::function<void(const Module&, const std::string&, size_t)> line =
      [&](const Module& m, const std::string& name, size_t depth) {
        int64_t count = 0;
        for (const Tensor& tensor : m.parameters()) count += tensor.numel();
        out += fmt::format("{:{}}{}{} {}\n", "", depth * 2, name.empty() ? "" : name + ": ",
                           m.describe(), count ? fmt::format("- {} parameters", count) : "");
        for (const auto& [child_name, child] : m.children()) line(*child, child_name, depth + 1);
      };
  line(module, "", 0);
  return out;
}

}  // namespace tenon::nn
