// Kernels that pack constant weights: the same results as from weights that may change, for sizes
// around tiles, panels and depths, and one packed copy for all calls.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/testing.h"
#include "base/threads.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/packed_store.h"
#include "runtime/prepared_call.h"
#include "runtime/random.h"

namespace tenon {
namespace {

struct Prepare {
  PackedStore& store;
  std::vector<bool> constant;
  std::string_view kernel = {};
  size_t outputs = 1;
  // Output 0 is written over this input.
  size_t over = SIZE_MAX;
};

// Runs one call as a plan does.
TensorList run_prepared(const OpDef& op, const TensorList& inputs, const Attrs& attrs,
                        const Prepare& how) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  const auto call =
      prepare_call(op, pointers, attrs, how.outputs,
                   {.packed = &how.store, .constant = how.constant, .kernel = how.kernel});
  EXPECT_EQ(call->how, PreparedCall::How::kernel);
  if (call->how != PreparedCall::How::kernel) return {};
  EXPECT_TRUE(how.kernel.empty() || call->entry->name == how.kernel) << call->entry->name;
  TensorList outputs;
  for (size_t i = 0; i < call->outputs.size(); ++i) {
    const TensorSpec& spec = call->outputs[i];
    outputs.push_back(Tensor::empty_strided(spec.shape, spec.strides, spec.dtype));
  }
  if (how.over != SIZE_MAX) {
    EXPECT_TRUE(call->kernel->in_place >> how.over & 1U);
    outputs[0] = inputs[how.over].clone();
  }
  std::vector<const void*> in(std::max(inputs.size(), op.inputs.size()), nullptr);
  std::vector<void*> out(std::max(outputs.size(), op.outputs.size()), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) in[i] = inputs[i].raw();
  for (size_t i = 0; i < outputs.size(); ++i) out[i] = outputs[i].raw();
  if (how.over != SIZE_MAX) in[how.over] = out[0];
  const Tensor scratch =
      Tensor::empty({static_cast<int64_t>(call->kernel->scratch_bytes) + 1}, DType::u8);
  call->kernel->run({in.data(), out.data(), const_cast<void*>(scratch.raw()), {}, outputs.data()});
  return outputs;
}

void expect_close(const TensorList& got, const TensorList& want, double slack) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t o = 0; o < want.size(); ++o) {
    ASSERT_EQ(got[o].shape(), want[o].shape());
    const auto a = got[o].to_vector<double>(), b = want[o].to_vector<double>();
    for (size_t i = 0; i < b.size(); ++i)
      ASSERT_NEAR(a[i], b[i], slack * (1 + std::fabs(b[i]))) << "output " << o << " at " << i;
  }
}

TensorList on_reference(const OpDef& op, const TensorList& inputs, const Attrs& attrs,
                        size_t outputs = 1) {
  const BackendScope scope(Backend::reference);
  return op.all(inputs, attrs, outputs);
}

void check_linear(const Shape& x_shape, int64_t columns, const Attrs& attrs, bool bias,
                  bool residual, std::string_view kernel) {
  const bool turned = Call{op::FusedLinear, attrs}.i("transW") != 0;
  const int64_t k = x_shape.back();
  SCOPED_TRACE(fmt::format("{} x {}, {}", x_shape.str(), columns, attrs.str()));
  Shape y_shape = x_shape;
  y_shape[y_shape.rank() - 1] = columns;
  const Tensor x = randn(x_shape) * (1 / std::sqrt(static_cast<double>(k)));
  TensorList inputs{x, turned ? randn({columns, k}) : randn({k, columns}),
                    bias ? randn({columns}) : Tensor(), residual ? randn(y_shape) : Tensor()};
  const TensorList want = on_reference(op::FusedLinear, inputs, attrs);
  PackedStore store;
  const std::vector<bool> constant{false, true, true};
  expect_close(run_prepared(op::FusedLinear, inputs, attrs, {store, constant, kernel}), want, 2e-5);
  const int64_t bytes = store.bytes();
  EXPECT_GE(bytes, k * columns * 4);
  if (!residual) return;
  // Over the residual, from the same packed weights.
  expect_close(run_prepared(op::FusedLinear, inputs, attrs, {store, constant, kernel, 1, 3}), want,
               2e-5);
  EXPECT_EQ(store.bytes(), bytes);
}

void check_sizes() {
  const std::string_view kernel = "cpu.packed_linear";
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17, 24, 33})
    check_linear({rows, 19}, 37, {}, true, false, kernel);
  for (int64_t columns : {1, 3, 4, 8, 12, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 96, 100, 193})
    for (int64_t rows : {1, 6, 11}) check_linear({rows, 10}, columns, {}, true, true, kernel);
  for (int64_t k : {1, 2, 3, 4, 5, 7, 1023, 1024, 1025, 2100})
    for (int64_t rows : {1, 5}) check_linear({rows, k}, 20, {{"alpha", 0.5}}, true, true, kernel);
  check_linear({2, 3, 21}, 50, {{"transW", 1}}, true, true, kernel);
  check_linear({21}, 50, {{"transW", 1}}, false, false, kernel);
  check_linear({40, 300}, 260, {{"transW", 1}, {"alpha", 2.0}}, false, true, kernel);
}

TEST(PackedLinear, AllSizes) { cpu::on_every_target(check_sizes); }

TEST(PackedLinear, AnyNumberOfThreads) {
  const int before = thread_count();
  for (int threads : {1, 2, 3, 5}) {
    set_thread_count(threads);
    check_linear({1, 500}, 3000, {}, true, false, "cpu.packed_linear");
    check_linear({70, 120}, 500, {{"activation", "Tanh"}}, true, true, "cpu.packed_linear");
  }
  set_thread_count(before);
}

TEST(PackedLinear, Activations) {
  for (const std::string_view name :
       {"Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "LeakyRelu", "Elu", "ThresholdedRelu",
        "HardSigmoid", "Selu", "HardSwish", "Swish", "Gelu", "GeluTanh", "Mish"}) {
    for (int64_t columns : {20, 70})
      check_linear({9, 30}, columns, {{"activation", std::string(name)}}, true, false,
                   "cpu.packed_linear");
  }
  const auto clip = [](std::vector<double> bounds) {
    return Attrs{{"activation", "Clip"}}.with({"activation_params", AttrValue(std::move(bounds))});
  };
  check_linear({9, 30}, 20, clip({-0.5, 0.75}), true, false, "cpu.packed_linear");
  check_linear({9, 30}, 20, clip({0.25}), true, false, "cpu.packed_linear");
}

TEST(PackedLinear, OneDnnWithEverything) {
  for (const std::string_view name : {"", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid"})
    for (double alpha : {1.0, 0.5}) {
      const Attrs attrs{{"alpha", alpha}, {"activation", std::string(name)}};
      const TensorList inputs{randn({3, 4, 20}), randn({20, 30}), randn({30}), randn({3, 4, 30})};
      PackedStore store;
      for (bool constant : {false, true})
        expect_close(run_prepared(op::FusedLinear, inputs, attrs,
                                  {store, {false, constant, constant}, "cpu.onednn_linear"}),
                     on_reference(op::FusedLinear, inputs, attrs), 2e-5);
    }
}

TEST(PackedLinear, RefusesWeightsThatMayChange) {
  const TensorList inputs{randn({3, 20}), randn({20, 30})};
  PackedStore store;
  const Tensor* pointers[] = {&inputs[0], &inputs[1]};
  const auto packs = [&](std::vector<bool> constant) {
    const auto names = accepting_kernels(op::MatMul, pointers, {}, 1,
                                         {.packed = &store, .constant = std::move(constant)});
    return std::ranges::find(names, "cpu.packed_mat_mul") != names.end();
  };
  EXPECT_FALSE(packs({}));
  EXPECT_FALSE(packs({true, false}));
  EXPECT_TRUE(packs({false, true}));
}

TEST(PackedLinear, MatMulAndGemm) {
  PackedStore store;
  const TensorList product{randn({2, 5, 20}), randn({20, 30})};
  expect_close(run_prepared(op::MatMul, product, {}, {store, {false, true}, "cpu.packed_mat_mul"}),
               on_reference(op::MatMul, product, {}), 2e-5);
  const Tensor a = randn({5, 20}), b = randn({30, 20});
  const Attrs attrs{{"transB", 1}, {"alpha", 0.5}};
  for (const Tensor& c : {randn({30}), randn({1, 30}), randn({5, 30}), Tensor()}) {
    const TensorList inputs{a, b, c};
    expect_close(run_prepared(op::Gemm, inputs, attrs, {store, {false, true}, "cpu.packed_gemm"}),
                 on_reference(op::Gemm, inputs, attrs), 2e-5);
  }
  // What the packed kernel does not take still runs.
  for (const Tensor& c : {randn({5, 1}), randn({})}) {
    const TensorList inputs{a, b, c};
    expect_close(run_prepared(op::Gemm, inputs, attrs, {store, {false, true}}),
                 on_reference(op::Gemm, inputs, attrs), 2e-5);
  }
}

TEST(PackedLinear, HalfPrecisionWidensWeightsOnce) {
  for (DType type : {DType::f16, DType::bf16}) {
    const TensorList inputs{(randn({5, 20}) * 0.2).to(type), randn({20, 30}).to(type),
                            randn({30}).to(type)};
    const Attrs attrs{{"activation", "Relu"}};
    PackedStore store;
    const Prepare how{store, {false, true, true}, "cpu.packed_linear_half"};
    const TensorList want = on_reference(op::FusedLinear, inputs, attrs);
    expect_close(run_prepared(op::FusedLinear, inputs, attrs, how), want,
                 type == DType::f16 ? 4e-3 : 3e-2);
    const int64_t bytes = store.bytes();
    run_prepared(op::FusedLinear, inputs, attrs, how);
    EXPECT_EQ(store.bytes(), bytes);
  }
}

TEST(PackedLinear, ScaledProducts) {
  PackedStore store;
  const TensorList inputs{randn({2, 20, 5}), randn({2, 30, 20})};
  const Attrs attrs{{"alpha", 0.5}, {"transA", 1}, {"transB", 1}};
  expect_close(
      run_prepared(op::FusedMatMul, inputs, attrs, {store, {}, "cpu.onednn_fused_mat_mul"}),
      on_reference(op::FusedMatMul, inputs, attrs), 2e-5);
}

TEST(PackedRecurrent, ConstantWeightsGiveTheSame) {
  const int64_t steps = 7, batch = 3, input = 10, hidden = 21;
  struct Case {
    const OpDef* op;
    int64_t gates;
    size_t outputs;
  };
  const Case cases[] = {{&op::RNN, 1, 2}, {&op::GRU, 3, 2}, {&op::LSTM, 4, 3}};
  for (const Case& c : cases)
    for (int64_t linear_before_reset : {0, 1}) {
      if (c.op != &op::GRU && linear_before_reset != 0) continue;
      for (DType type : {DType::f32, DType::f16}) {
        SCOPED_TRACE(fmt::format("{} {}", c.op->name, name(type)));
        Attrs attrs{{"hidden_size", hidden}, {"direction", "bidirectional"}};
        if (c.op == &op::GRU) attrs = attrs.with({"linear_before_reset", linear_before_reset});
        const TensorList inputs{randn({steps, batch, input}).to(type),
                                (randn({2, c.gates * hidden, input}) * 0.3).to(type),
                                (randn({2, c.gates * hidden, hidden}) * 0.3).to(type),
                                randn({2, 2 * c.gates * hidden}).to(type)};
        const TensorList want = on_reference(*c.op, inputs, attrs, c.outputs);
        PackedStore store;
        const std::vector<bool> constant{false, true, true, true};
        expect_close(run_prepared(*c.op, inputs, attrs, {store, constant, {}, c.outputs}), want,
                     type == DType::f32 ? 1e-4 : 1e-2);
        const int64_t bytes = store.bytes();
        EXPECT_GT(bytes, 0);
        run_prepared(*c.op, inputs, attrs, {store, constant, {}, c.outputs});
        EXPECT_EQ(store.bytes(), bytes);
      }
    }
}

}  // namespace
}  // namespace tenon
