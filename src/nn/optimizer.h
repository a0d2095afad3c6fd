// Optimisers: change parameters in place by their gradients, with PyTorch's names and numerics
// (https://pytorch.org/docs/stable/optim.html).
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"
#include "ops/attrs.h"
#include "tensor/tensor.h"

namespace tenon {
struct OpDef;
}

namespace tenon::nn {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // One update of every parameter that has a gradient.
  void step();
  void zero_grad();

  double lr() const { return lr_; }
  void set_lr(double lr) { lr_ = lr; }
  int64_t steps() const { return steps_; }
  // Everything a continued run needs: "steps", and "<buffer>.<parameter>" for each buffer.
  NamedTensors state() const;
  // Fails (data) where names or shapes differ, changing nothing.
  void load_state(const NamedTensors& state);

 protected:
  // `op` maps (lr, step, parameter, gradient, buffers...) to (parameter, buffers...).
  Optimizer(NamedTensors parameters, double lr, const OpDef& op, Attrs attrs,
            std::vector<std::string> buffers, int64_t first_step);

 private:
  struct Slot {
    std::string name;
    Tensor parameter;
    TensorList buffers;
  };

  std::vector<Slot> slots_;
  double lr_;
  int64_t steps_ = 0;
  const OpDef& op_;
  Attrs attrs_;
  std::vector<std::string> buffer_names_;
  int64_t first_step_;
};

class SGD final : public Optimizer {
 public:
  struct Options {
    double lr = 0.01;
    double momentum = 0;
    double dampening = 0;
    double weight_decay = 0;
    bool nesterov = false;  // needs momentum and no dampening
  };
  SGD(const Module& model, const Options& options) : SGD(model.named_parameters(), options) {}
  SGD(NamedTensors parameters, const Options& options);
};

class Adam : public Optimizer {
 public:
  struct Options {
    double lr = 1e-3;
    double beta1 = 0.9, beta2 = 0.999;
    double eps = 1e-8;
    double weight_decay = 0;  // added to the gradient
  };
  Adam(const Module& model, const Options& options) : Adam(model.named_parameters(), options) {}
  Adam(NamedTensors parameters, const Options& options)
      : Adam(std::move(parameters), options, false) {}

 protected:
  Adam(NamedTensors parameters, const Options& options, bool decoupled);
};

// Weight decay is taken from the weights themselves (Loshchilov and Hutter, ICLR 2019).
class AdamW final : public Adam {
 public:
  AdamW(const Module& model, const Options& options) : AdamW(model.named_parameters(), options) {}
  AdamW(NamedTensors parameters, const Options& options)
      : Adam(std::move(parameters), options, true) {}
};

}  // namespace tenon::nn
