// Tenon's side of the eager benchmark.
#include "base/threads.h"
#include "eager.h"
#include "nn/layers.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace bench {

using namespace tenon;

namespace {

// A whole training step on a fixed batch.
EagerCase training(std::string name, double target, std::shared_ptr<nn::Module> model, Tensor x,
                   int64_t classes) {
  auto optimizer = std::make_shared<nn::SGD>(*model, nn::SGD::Options{.lr = 0.01, .momentum = 0.9});
  Tensor labels = Tensor::empty({x.size(0)}, DType::i64);
  for (int64_t i = 0; i < labels.numel(); ++i) labels.data<int64_t>()[i] = i % classes;
  return {std::move(name), target, [=](int64_t count) {
            for (int64_t i = 0; i < count; ++i) {
              optimizer->zero_grad();
              nn::cross_entropy((*model)(x), labels).backward();
              optimizer->step();
            }
          }};
}

std::shared_ptr<nn::Sequential> lenet() {
  auto model = std::make_shared<nn::Sequential>();
  model->emplace<nn::Conv2d>(1, 6, 5, nn::Conv2dOptions{.padding = 2});
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::MaxPool2d>(2);
  model->emplace<nn::Conv2d>(6, 16, 5);
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::MaxPool2d>(2);
  model->emplace<nn::Flatten>();
  model->emplace<nn::Linear>(400, 120);
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::Linear>(120, 84);
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::Linear>(84, 10);
  return model;
}

std::shared_ptr<nn::Sequential> mlp() {
  auto model = std::make_shared<nn::Sequential>();
  model->emplace<nn::Linear>(784, 512);
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::Linear>(512, 256);
  model->emplace<nn::Activation>("Relu");
  model->emplace<nn::Linear>(256, 10);
  return model;
}

EagerCase forward(std::string name, double target, std::function<Tensor()> call) {
  return {std::move(name), target, [=](int64_t count) {
            const NoGrad no_grad;
            for (int64_t i = 0; i < count; ++i) call();
          }};
}

}  // namespace

std::vector<EagerCase> tenon_cases() {
  manual_seed(1);
  const Tensor a = rand({16}), b = rand({16});
  const Tensor leaf_a = rand({16}).requires_grad_(), leaf_b = rand({16}).requires_grad_();
  const Tensor rows = randn({64, 1024}), tokens = randn({512, 768});
  const Tensor weight = rand({768}), bias = rand({768});
  const Tensor big_a = rand({1 << 24}), big_b = rand({1 << 24});
  const Attrs softmax{{"axis", -1}}, layer_norm{{"axis", -1}};
  return {
      forward("add of 16 floats", 0.5, [=] { return a + b; }),
      {"add of 16 floats, recorded", 0.6,
       [=](int64_t count) {
         for (int64_t i = 0; i < count; ++i) leaf_a + leaf_b;
       }},
      {"mul, sum, backward of 16 floats", 0.5,
       [=](int64_t count) {
         for (int64_t i = 0; i < count; ++i) {
           (leaf_a * leaf_b).sum().backward();
           Tensor(leaf_a).set_grad({});
           Tensor(leaf_b).set_grad({});
         }
       }},
      forward("softmax 64x1024", 1.0, [=] { return op::Softmax(rows, softmax); }),
      forward("layer norm 512x768", 1.0,
              [=] { return op::LayerNormalization(tokens, weight, bias, layer_norm); }),
      forward("add of 16M floats", 1.0, [=] { return big_a + big_b; }),
      forward("relu of 16M floats", 1.0, [=] { return op::Relu(big_a); }),
      training("LeNet step, batch 64", 0.8, lenet(), rand({64, 1, 28, 28}), 10),
      training("MLP 784-512-256-10 step, batch 64", 0.8, mlp(), rand({64, 784}), 10),
  };
}

void set_tenon_threads(int count) { set_thread_count(count); }

}  // namespace bench
