#include "image_models.h"

#include "nn/layers.h"
#include "ops/math/catalog.h"

namespace bench {

using namespace tenon;

namespace {

constexpr int64_t kClasses = 1000;

class Relu6 final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override {
    return op::Clip(x, Tensor::scalar(0), Tensor::scalar(6));
  }
};

enum class After { nothing, relu, relu6 };

// Convolution, normalisation and activation. The statistics are those of the last batch alone.
std::shared_ptr<nn::Module> unit(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                 After after, int64_t groups = 1) {
  auto made = std::make_shared<nn::Sequential>();
  made->emplace<nn::Conv2d>(
      in, out, kernel,
      nn::Conv2dOptions{.stride = stride, .padding = kernel / 2, .groups = groups, .bias = false});
  made->emplace<nn::BatchNorm2d>(out, 1e-5, 1.0);
  if (after == After::relu) made->emplace<nn::Activation>("Relu");
  if (after == After::relu6) made->emplace<Relu6>();
  return made;
}

// relu(body(x) + shortcut(x)); without a shortcut, x itself.
class ResidualBlock final : public nn::Module {
 public:
  ResidualBlock(std::shared_ptr<nn::Module> body, std::shared_ptr<nn::Module> shortcut)
      : body_(std::move(body)), shortcut_(std::move(shortcut)) {
    add("body", body_);
    if (shortcut_) add("shortcut", shortcut_);
  }
  Tensor forward(const Tensor& x) override {
    return op::Relu((*body_)(x) + (shortcut_ ? (*shortcut_)(x) : x));
  }

 private:
  std::shared_ptr<nn::Module> body_, shortcut_;
};

// x + body(x).
class InvertedResidual final : public nn::Module {
 public:
  explicit InvertedResidual(std::shared_ptr<nn::Module> body) : body_(std::move(body)) {
    add("body", body_);
  }
  Tensor forward(const Tensor& x) override { return x + (*body_)(x); }

 private:
  std::shared_ptr<nn::Module> body_;
};

void add_head(nn::Sequential& model, int64_t width) {
  model.emplace<nn::GlobalAvgPool2d>();
  model.emplace<nn::Flatten>();
  model.emplace<nn::Linear>(width, kClasses);
}

// Four stages of blocks; a bottleneck's width is a quarter of what it hands on.
std::shared_ptr<nn::Module> resnet(std::initializer_list<int64_t> blocks, bool bottleneck) {
  auto model = std::make_shared<nn::Sequential>();
  model->push_back(unit(3, 64, 7, 2, After::relu));
  model->emplace<nn::MaxPool2d>(3, 2, 1);
  int64_t in = 64, width = 64, first_stride = 1;
  for (const int64_t count : blocks) {
    const int64_t out = bottleneck ? 4 * width : width;
    for (int64_t b = 0; b < count; ++b) {
      const int64_t stride = b == 0 ? first_stride : 1;
      auto body = std::make_shared<nn::Sequential>();
      if (bottleneck) {
        body->push_back(unit(in, width, 1, 1, After::relu));
        body->push_back(unit(width, width, 3, stride, After::relu));
        body->push_back(unit(width, out, 1, 1, After::nothing));
      } else {
        body->push_back(unit(in, width, 3, stride, After::relu));
        body->push_back(unit(width, out, 3, 1, After::nothing));
      }
      std::shared_ptr<nn::Module> shortcut;
      if (stride != 1 || in != out) shortcut = unit(in, out, 1, stride, After::nothing);
      model->emplace<ResidualBlock>(std::move(body), std::move(shortcut));
      in = out;
    }
    width *= 2;
    first_stride = 2;
  }
  add_head(*model, in);
  return model;
}

}  // namespace

std::shared_ptr<nn::Module> resnet18() { return resnet({2, 2, 2, 2}, false); }
std::shared_ptr<nn::Module> resnet50() { return resnet({3, 4, 6, 3}, true); }

std::shared_ptr<nn::Module> mobilenet_v2() {
  struct Stage {
    int64_t expansion, out, count, stride;
  };
  auto model = std::make_shared<nn::Sequential>();
  model->push_back(unit(3, 32, 3, 2, After::relu6));
  int64_t in = 32;
  // Table 2 of the paper.
  for (const Stage& stage :
       {Stage{1, 16, 1, 1}, Stage{6, 24, 2, 2}, Stage{6, 32, 3, 2}, Stage{6, 64, 4, 2},
        Stage{6, 96, 3, 1}, Stage{6, 160, 3, 2}, Stage{6, 320, 1, 1}})
    for (int64_t b = 0; b < stage.count; ++b) {
      const int64_t stride = b == 0 ? stage.stride : 1, hidden = in * stage.expansion;
      auto body = std::make_shared<nn::Sequential>();
      if (stage.expansion != 1) body->push_back(unit(in, hidden, 1, 1, After::relu6));
      body->push_back(unit(hidden, hidden, 3, stride, After::relu6, hidden));
      body->push_back(unit(hidden, stage.out, 1, 1, After::nothing));
      if (stride == 1 && in == stage.out)
        model->emplace<InvertedResidual>(std::move(body));
      else
        model->push_back(std::move(body));
      in = stage.out;
    }
  model->push_back(unit(in, 1280, 1, 1, After::relu6));
  add_head(*model, 1280);
  return model;
}

}  // namespace bench
