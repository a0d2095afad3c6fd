// Optimiser steps against numbers worked out from PyTorch's documented formulas, and in place.
#include <gtest/gtest.h>

#include "ops/training/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {

namespace {

constexpr double kGradients[] = {0.5, -0.25, 2.0};

Tensor one(double value) { return Tensor::from<double>({value}, {1}); }

struct State {
  double param, first, second;
};

// Three steps from param 1 with lr 0.1, each into the tensors it reads.
std::vector<State> run(const OpDef& op, const Attrs& attrs, size_t states, int64_t first_step) {
  Tensor param = one(1), first = one(0), second = one(0);
  std::vector<State> history;
  for (int64_t k = 0; k < 3; ++k) {
    const Tensor lr = Tensor::full({}, 0.1, DType::f32),
                 step = Tensor::full({}, static_cast<double>(first_step + k), DType::i64);
    const Tensor grad = one(kGradients[k]);
    std::vector<const Tensor*> inputs{&lr, &step, &param, &grad, &first, &second};
    TensorList outputs{param, first, second};
    inputs.resize(4 + states);
    outputs.resize(1 + states);
    apply_into(op, inputs, attrs, outputs);
    history.push_back({param.item<double>(), first.item<double>(), second.item<double>()});
  }
  return history;
}

void expect(const std::vector<State>& actual, const std::vector<State>& expected) {
  for (size_t k = 0; k < expected.size(); ++k) {
    SCOPED_TRACE(k);
    EXPECT_NEAR(actual[k].param, expected[k].param, 1e-7);  // lr is f32
    EXPECT_NEAR(actual[k].first, expected[k].first, 1e-7);
    EXPECT_NEAR(actual[k].second, expected[k].second, 1e-7);
  }
}

TEST(SgdStep, Plain) {
  expect(run(op::SgdStep, {}, 0, 0), {{0.95, 0, 0}, {0.975, 0, 0}, {0.775, 0, 0}});
}

TEST(SgdStep, MomentumWithDampeningStartsFromTheGradient) {
  expect(run(op::SgdStep, {{"momentum", 0.9}, {"dampening", 0.5}, {"weight_decay", 0.1}}, 1, 0),
         {{0.94, 0.6, 0}, {0.8938, 0.462, 0}, {0.747751, 1.46049, 0}});
}

TEST(SgdStep, Nesterov) {
  expect(run(op::SgdStep, {{"momentum", 0.9}, {"nesterov", 1}, {"weight_decay", 0.1}}, 1, 0),
         {{0.886, 0.6, 0}, {0.868066, 0.3786, 0}, {0.440906146, 2.4275466, 0}});
}

TEST(AdamStep, DecayInTheGradient) {
  expect(run(op::AdamStep, {{"weight_decay", 0.1}}, 2, 1),
         {{0.9000000017, 0.06, 0.00036},
          {0.8544413675, 0.0380000000, 0.00038524},
          {0.7831704440, 0.2427444137, 0.0047339320}});
}

TEST(AdamStep, DecoupledDecay) {
  expect(run(op::AdamStep, {{"weight_decay", 0.1}, {"decoupled", 1}}, 2, 1),
         {{0.8900000020, 0.05, 0.00025},
          {0.8544662987, 0.02, 0.00031225},
          {0.7788568715, 0.218, 0.0043119378}});
}

}  // namespace

}  // namespace tenon
