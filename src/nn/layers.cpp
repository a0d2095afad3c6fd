// Layers: initial values and the operators they call.
#include "nn/layers.h"

#include <cmath>

#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::nn {

namespace {

// PyTorch's default for weights and biases (kaiming_uniform_ with a = sqrt(5), He et al. 2015).
Tensor fan_in_uniform(const Shape& shape, int64_t fan_in) {
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0;
  return rand(shape, -bound, bound);
}

Attr pair_attr(std::string_view name, Size2 size) { return {name, {size.height, size.width}}; }
Attr pads_attr(Size2 size) { return {"pads", {size.height, size.width, size.height, size.width}}; }

std::string text_of(Size2 size) {
  return size.height == size.width ? std::to_string(size.height)
                                   : fmt::format("{}x{}", size.height, size.width);
}

Attrs pool_attrs(Size2 kernel, Size2 stride, Size2 padding) {
  return {pair_attr("kernel_shape", kernel), pair_attr("strides", stride), pads_attr(padding)};
}

Size2 kernel_of(const Attrs& attrs) {
  const auto& sizes = std::get<std::vector<int64_t>>(*attrs.find("kernel_shape"));
  return {sizes[0], sizes[1]};
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias) : attrs_{{"transB", 1}} {
  TENON_CHECK(in > 0 && out > 0, usage, "Linear: {} inputs and {} outputs; both must be positive",
              in, out);
  weight = parameter("weight", fan_in_uniform({out, in}, in));
  if (with_bias) bias = parameter("bias", fan_in_uniform({out}, in));
}

Tensor Linear::forward(const Tensor& x) {
  if (x.rank() == 2) return bias ? op::Gemm(x, weight, bias, attrs_) : op::Gemm(x, weight, attrs_);
  const Tensor y = op::MatMul(x, weight.t());
  return bias ? y + bias : y;
}

std::string Linear::describe() const {
  return fmt::format("Linear({}, {}{})", weight.size(1), weight.size(0), bias ? "" : ", no bias");
}

Conv2d::Conv2d(int64_t in, int64_t out, Size2 kernel, const Conv2dOptions& options)
    : attrs_{pair_attr("kernel_shape", kernel),
             pair_attr("strides", options.stride),
             pads_attr(options.padding),
             pair_attr("dilations", options.dilation),
             {"group", options.groups}} {
  const int64_t groups = options.groups;
  TENON_CHECK(in > 0 && out > 0 && groups > 0 && in % groups == 0 && out % groups == 0, usage,
              "Conv2d: {} input and {} output channels in {} groups; both must be positive "
              "multiples of the groups",
              in, out, groups);
  const int64_t fan_in = in / groups * kernel.height * kernel.width;
  weight =
      parameter("weight", fan_in_uniform({out, in / groups, kernel.height, kernel.width}, fan_in));
  if (options.bias) bias = parameter("bias", fan_in_uniform({out}, fan_in));
}

Tensor Conv2d::forward(const Tensor& x) {
  return bias ? op::Conv(x, weight, bias, attrs_) : op::Conv(x, weight, attrs_);
}

std::string Conv2d::describe() const {
  const int64_t groups = std::get<int64_t>(*attrs_.find("group"));
  return fmt::format("Conv2d({}, {}, kernel {}{})", weight.size(1) * groups, weight.size(0),
                     text_of(kernel_of(attrs_)),
                     groups > 1 ? fmt::format(", {} groups", groups) : "");
}

BatchNorm2d::BatchNorm2d(int64_t channels, double eps, double momentum)
    : train_attrs_{{"epsilon", eps}, {"momentum", 1 - momentum}, {"training_mode", 1}},
      eval_attrs_{{"epsilon", eps}, {"momentum", 1 - momentum}} {
  TENON_CHECK(channels > 0, usage, "BatchNorm2d: {} channels; give a positive number", channels);
  weight = parameter("weight", Tensor::ones({channels}));
  bias = parameter("bias", Tensor::zeros({channels}));
  running_mean = buffer("running_mean", Tensor::zeros({channels}));
  running_var = buffer("running_var", Tensor::ones({channels}));
}

Tensor BatchNorm2d::forward(const Tensor& x) {
  if (!training())
    return op::BatchNormalization.all({x, weight, bias, running_mean, running_var}, eval_attrs_)[0];
  const TensorList out = op::BatchNormalization.all(
      {x, weight, bias, running_mean.clone(), running_var.clone()}, train_attrs_, 3);
  TENON_CHECK(!out[1].is_symbolic(), usage,
              "{}: captured in training mode, where running statistics change; call eval() first",
              describe());
  running_mean.copy_from(out[1].detach());
  running_var.copy_from(out[2].detach());
  return out[0];
}

std::string BatchNorm2d::describe() const { return fmt::format("BatchNorm2d({})", weight.size(0)); }

LayerNorm::LayerNorm(const Shape& shape, double eps)
    : shape_(shape), attrs_{{"axis", -static_cast<int64_t>(shape.rank())}, {"epsilon", eps}} {
  weight = parameter("weight", Tensor::ones(shape));
  bias = parameter("bias", Tensor::zeros(shape));
}
Tensor LayerNorm::forward(const Tensor& x) {
  return op::LayerNormalization(x, weight, bias, attrs_);
}
std::string LayerNorm::describe() const { return fmt::format("LayerNorm({})", shape_.str()); }

Dropout::Dropout(double p) : p_(p), ratio_(Tensor::scalar(p)) {
  TENON_CHECK(p >= 0 && p < 1, usage, "Dropout: probability {}; use 0 up to, but not, 1", p);
}
Tensor Dropout::forward(const Tensor& x) {
  if (!training() || p_ == 0) return x;
  return op::Dropout(x, ratio_, Tensor::from<bool>({true}, Shape{}));
}
std::string Dropout::describe() const { return fmt::format("Dropout({})", p_); }

Embedding::Embedding(int64_t count, int64_t width) {
  TENON_CHECK(count > 0 && width > 0, usage, "Embedding: {} rows of {}; both must be positive",
              count, width);
  weight = parameter("weight", randn({count, width}));
}
Tensor Embedding::forward(const Tensor& indices) { return op::Gather(weight, indices); }
std::string Embedding::describe() const {
  return fmt::format("Embedding({}, {})", weight.size(0), weight.size(1));
}

MaxPool2d::MaxPool2d(Size2 kernel, Size2 stride, Size2 padding)
    : attrs_(pool_attrs(kernel, stride, padding)) {}
Tensor MaxPool2d::forward(const Tensor& x) { return op::MaxPool(x, attrs_); }
std::string MaxPool2d::describe() const {
  return fmt::format("MaxPool2d({})", text_of(kernel_of(attrs_)));
}

AvgPool2d::AvgPool2d(Size2 kernel, Size2 stride, Size2 padding)
    : attrs_(pool_attrs(kernel, stride, padding)) {
  if (padding.height || padding.width) attrs_ = attrs_.with({"count_include_pad", 1});
}
Tensor AvgPool2d::forward(const Tensor& x) { return op::AveragePool(x, attrs_); }
std::string AvgPool2d::describe() const {
  return fmt::format("AvgPool2d({})", text_of(kernel_of(attrs_)));
}

Tensor GlobalAvgPool2d::forward(const Tensor& x) { return op::GlobalAveragePool(x); }
Tensor Flatten::forward(const Tensor& x) { return op::Flatten(x, {{"axis", 1}}); }

Activation::Activation(std::string_view op_name, Attrs attrs)
    : op_(op::find(op_name)), attrs_(std::move(attrs)) {
  TENON_CHECK(op_, usage, "Activation: no operator {}; `tenon ops` lists them", op_name);
  check_attrs(*op_, attrs_);
}
Tensor Activation::forward(const Tensor& x) { return (*op_)(x, attrs_); }
std::string Activation::describe() const {
  return attrs_.empty() ? std::string(op_->name) : fmt::format("{}({})", op_->name, attrs_.str());
}

}  // namespace tenon::nn
