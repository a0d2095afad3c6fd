// libtorch's side of the eager benchmark.
#include <torch/torch.h>

#include "eager.h"

namespace bench {

namespace {

EagerCase training(std::string name, double target, torch::nn::Sequential model, torch::Tensor x,
                   int64_t classes) {
  auto optimizer = std::make_shared<torch::optim::SGD>(
      model->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
  const torch::Tensor labels = torch::arange(x.size(0)).remainder(classes);
  return {std::move(name), target, [=](int64_t count) mutable {
            for (int64_t i = 0; i < count; ++i) {
              optimizer->zero_grad();
              torch::cross_entropy_loss(model->forward(x), labels).backward();
              optimizer->step();
            }
          }};
}

EagerCase forward(std::string name, double target, std::function<torch::Tensor()> call) {
  return {std::move(name), target, [=](int64_t count) {
            const torch::NoGradGuard no_grad;
            for (int64_t i = 0; i < count; ++i) call();
          }};
}

}  // namespace

std::vector<EagerCase> torch_cases() {
  namespace nn = torch::nn;
  torch::manual_seed(1);
  const auto a = torch::rand({16}), b = torch::rand({16});
  const auto leaf_a = torch::rand({16}).requires_grad_(),
             leaf_b = torch::rand({16}).requires_grad_();
  const auto rows = torch::randn({64, 1024}), tokens = torch::randn({512, 768});
  const auto weight = torch::rand({768}), bias = torch::rand({768});
  const auto big_a = torch::rand({1 << 24}), big_b = torch::rand({1 << 24});
  nn::Sequential lenet(nn::Conv2d(nn::Conv2dOptions(1, 6, 5).padding(2)), nn::ReLU(),
                       nn::MaxPool2d(2), nn::Conv2d(6, 16, 5), nn::ReLU(), nn::MaxPool2d(2),
                       nn::Flatten(), nn::Linear(400, 120), nn::ReLU(), nn::Linear(120, 84),
                       nn::ReLU(), nn::Linear(84, 10));
  nn::Sequential mlp(nn::Linear(784, 512), nn::ReLU(), nn::Linear(512, 256), nn::ReLU(),
                     nn::Linear(256, 10));
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
           leaf_a.mutable_grad() = torch::Tensor();
           leaf_b.mutable_grad() = torch::Tensor();
         }
       }},
      forward("softmax 64x1024", 1.0, [=] { return torch::softmax(rows, -1); }),
      forward("layer norm 512x768", 1.0,
              [=] { return torch::layer_norm(tokens, {768}, weight, bias); }),
      forward("add of 16M floats", 1.0, [=] { return big_a + big_b; }),
      forward("relu of 16M floats", 1.0, [=] { return torch::relu(big_a); }),
      training("LeNet step, batch 64", 0.8, lenet, torch::rand({64, 1, 28, 28}), 10),
      training("MLP 784-512-256-10 step, batch 64", 0.8, mlp, torch::rand({64, 784}), 10),
  };
}

void set_torch_threads(int count) { torch::set_num_threads(count); }

}  // namespace bench
