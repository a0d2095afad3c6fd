// A part of a model: parameters, buffers and submodules under dotted names, as in PyTorch.
//
//   struct Net : nn::Module {
//     nn::Linear hidden{784, 64}, out{64, 10};
//     Net() { add("hidden", hidden), add("out", out); }
//     Tensor forward(const Tensor& x) override { return out(op::Relu(hidden(x))); }
//   };
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace tenon::nn {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;  // submodules are known by address
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // Most modules map one tensor to one; those that take more declare a forward of their own.
  virtual Tensor forward(const Tensor& x);
  Tensor operator()(const Tensor& x) { return forward(x); }
  // What a summary prints: "Conv2d(1, 16, kernel 3)".
  virtual std::string describe() const { return "Module"; }

  // "features.0.weight" and so on, in order of registration, depth first.
  NamedTensors named_parameters() const;
  TensorList parameters() const;
  // Tensors that are state but not trained: running statistics.
  NamedTensors named_buffers() const;
  // Parameters, then buffers; the tensors share storage with the module.
  NamedTensors state() const;
  // Copies values in. Fails (data) naming missing, unknown and misshapen entries, changing nothing.
  void load_state(const NamedTensors& state);
  const std::vector<std::pair<std::string, Module*>>& children() const { return children_; }

  // Dropout and batch normalisation behave differently in training.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  void zero_grad();

 protected:
  // Marks `tensor` as trained; returns it for the member that holds it.
  Tensor parameter(std::string name, Tensor tensor);
  Tensor buffer(std::string name, Tensor tensor);
  void add(std::string name, Module& child);  // the child is a member, or lives as long
  void add(std::string name, std::shared_ptr<Module> child);

 private:
  template <class Visit>
  void visit(const std::string& prefix, Visit&& fn) const;

  NamedTensors parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
  std::vector<std::shared_ptr<Module>> owned_;
  bool training_ = true;
};

// Modules one after the other, named "0", "1", ...
class Sequential final : public Module {
 public:
  Sequential() = default;
  explicit Sequential(std::vector<std::shared_ptr<Module>> modules);
  void push_back(std::shared_ptr<Module> module);
  template <class M, class... Args>
  M& emplace(Args&&... args) {
    auto module = std::make_shared<M>(std::forward<Args>(args)...);
    M& made = *module;
    push_back(std::move(module));
    return made;
  }
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "Sequential"; }
  size_t size() const { return children().size(); }
};

// A tree of the modules with parameter counts, one line a module.
std::string summary(const Module& module);

}  // namespace tenon::nn
