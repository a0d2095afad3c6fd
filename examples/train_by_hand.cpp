// A training loop written by hand: the model, the loss, the gradients and the optimiser, without a
// recipe.
#include <fmt/core.h>

#include "base/file.h"
#include "data/decorators.h"
#include "data/loader.h"
#include "data/sources.h"
#include "data/transforms.h"
#include "nn/layers.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/random.h"
#include "train/evaluate.h"

using namespace tenon;

struct Net : nn::Module {
  nn::Flatten flatten;
  nn::Linear hidden{784, 64}, out{64, 10};
  Net() { add("hidden", hidden), add("out", out); }
  Tensor forward(const Tensor& x) override { return out(op::Relu(hidden(flatten(x)))); }
};

// The data set where it is installed (apt-get install dataset-fashion-mnist), else pictures with
// one bright row a class.
data::SourcePtr images() {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (exists(folder + "train-labels-idx1-ubyte.gz"))
    return data::idx_source(
        {folder + "train-images-idx3-ubyte.gz", folder + "train-labels-idx1-ubyte.gz"});
  Tensor pictures = Tensor::zeros({2000, 28, 28}, DType::u8),
         labels = Tensor::empty({2000}, DType::i64);
  for (int64_t i = 0; i < 2000; ++i) {
    labels.data<int64_t>()[i] = i % 10;
    pictures.select(0, i).select(0, 4 + 2 * (i % 10)).fill(255);
  }
  return data::tensor_source({{"image", pictures, data::Role::image}, {"label", labels}});
}

int main() {
  manual_seed(1);
  const data::SourcePtr all = data::transform(images(), {data::normalize({0.286F}, {0.353F})});
  const data::SourcePtr training = data::slice(all, 0, 1500),
                        validation = data::slice(all, 1500, 2000);

  Net model;
  nn::Adam optimizer(model, {.lr = 2e-3});
  data::Loader loader(training, {.batch = 50, .shuffle = true, .seed = 1});
  for (int epoch = 1; epoch <= 5; ++epoch) {
    double sum = 0;
    while (const auto batch = loader.next()) {
      const Tensor loss = nn::cross_entropy(model((*batch)["image"]), (*batch)["label"]);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
      sum += loss.item<double>();
    }
    fmt::print("epoch {}: loss {:.3f}\n", epoch, sum / static_cast<double>(loader.batches()));
  }

  const double accuracy = *train::evaluate(model, validation).accuracy;
  fmt::print("accuracy on {} other items: {:.1f} %\n", validation->size(), accuracy * 100);
  return accuracy > 0.7 ? 0 : 1;
}
