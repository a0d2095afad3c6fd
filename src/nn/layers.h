// The layers models are built of, with PyTorch's names, defaults and initialisation
// (https://pytorch.org/docs/stable/nn.html). Images are [batch, channels, height, width].
#pragma once

#include <array>
#include <string>

#include "nn/module.h"
#include "ops/attrs.h"

namespace tenon {
struct OpDef;
}

namespace tenon::nn {

// Height and width; one number stands for both.
struct Size2 {
  int64_t height, width;
  Size2(int64_t both) : height(both), width(both) {}
  Size2(int64_t h, int64_t w) : height(h), width(w) {}
};

// y = x W^T + b over the last axis. weight [out, in], bias [out], uniform in +-1/sqrt(in).
class Linear final : public Module {
 public:
  Linear(int64_t in, int64_t out, bool with_bias = true);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  Tensor weight, bias;

 private:
  Attrs attrs_;
};

struct Conv2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

// weight [out, in / groups, kernel], uniform in +-1/sqrt(in / groups * kernel area), as is the
// bias.
class Conv2d final : public Module {
 public:
  Conv2d(int64_t in, int64_t out, Size2 kernel, const Conv2dOptions& options = {});
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  Tensor weight, bias;

 private:
  Attrs attrs_;
};

// Per channel (axis 1): (x - mean) / sqrt(var + eps) * weight + bias. In training by the batch's
// statistics, which move the running ones by `momentum`; else by the running ones. The running
// variance is the population's (divided by n), as ONNX defines it.
class BatchNorm2d final : public Module {
 public:
  explicit BatchNorm2d(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  Tensor weight, bias, running_mean, running_var;

 private:
  Attrs train_attrs_, eval_attrs_;
};

// Over the last axes, whose sizes are `shape`.
class LayerNorm final : public Module {
 public:
  explicit LayerNorm(const Shape& shape, double eps = 1e-5);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  Tensor weight, bias;

 private:
  Shape shape_;
  Attrs attrs_;
};

// In training zeroes elements with probability p and scales the others by 1/(1-p).
class Dropout final : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

 private:
  double p_;
  Tensor ratio_;
};

// Rows of weight [count, width] by integer indices of any shape. Normally distributed at first.
class Embedding final : public Module {
 public:
  Embedding(int64_t count, int64_t width);
  Tensor forward(const Tensor& indices) override;
  std::string describe() const override;
  Tensor weight;
};

class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(Size2 kernel) : MaxPool2d(kernel, kernel) {}
  MaxPool2d(Size2 kernel, Size2 stride, Size2 padding = 0);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

 private:
  Attrs attrs_;
};

class AvgPool2d final : public Module {
 public:
  explicit AvgPool2d(Size2 kernel) : AvgPool2d(kernel, kernel) {}
  AvgPool2d(Size2 kernel, Size2 stride, Size2 padding = 0);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

 private:
  Attrs attrs_;
};

// [batch, channels, ...] -> [batch, channels, 1, ...]
class GlobalAvgPool2d final : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "GlobalAvgPool2d"; }
};

// [batch, ...] -> [batch, product of the rest]
class Flatten final : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return "Flatten"; }
};

// One operator without parameters: Activation("Relu"), Activation("Softmax", {{"axis", -1}}).
class Activation final : public Module {
 public:
  explicit Activation(std::string_view op_name, Attrs attrs = {});
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

 private:
  const OpDef* op_;
  Attrs attrs_;
};

}  // namespace tenon::nn
