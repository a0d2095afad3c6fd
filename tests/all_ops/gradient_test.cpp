// Gradients of every differentiable operator against central differences, first and second order.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/autograd.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "sample_inputs.h"

namespace tenon::test {

namespace {

class Gradients : public testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& op() const { return *GetParam(); }
};

// Fixed weights make one number of all float outputs: sum of weight * output.
Tensor weighted_sum(const TensorList& outputs) {
  Tensor sum;
  uint64_t seed = 99;
  for (const Tensor& output : outputs) {
    if (!output.defined() || !is_float(output.dtype())) continue;
    Generator random(seed++);
    Tensor weights = Tensor::empty(output.shape(), DType::f64);
    for (int64_t i = 0; i < weights.numel(); ++i)
      weights.data<double>()[i] = random.uniform() + 0.5;
    Tensor weights_as_output = Tensor::empty(output.shape(), output.dtype());
    weights_as_output.copy_from(weights);
    const Tensor part = (output * weights_as_output).sum().to(DType::f64);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

Tensor loss_of(const Case& c, const TensorList& inputs) {
  manual_seed(7);
  return weighted_sum(c.op->all(inputs, c.sample->attrs, c.sample->outputs));
}

// Inputs through which gradients flow: drawn floats of f64.
std::vector<size_t> differentiable_inputs(const Case& c) {
  std::vector<size_t> list;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (c.inputs[i].defined() && c.random[i] && c.inputs[i].dtype() == DType::f64 &&
        c.inputs[i].numel() > 0)
      list.push_back(i);
  return list;
}

// Steps and tolerances of central differences. Operators that answer f64 with f32 (those of
// ai.onnx.ml) leave differences fewer digits.
struct Precision {
  double step, first, second;
};
Precision precision_of(const Case& c) {
  manual_seed(7);
  for (const Tensor& output : c.op->all(c.inputs, c.sample->attrs, c.sample->outputs))
    if (output.defined() && output.dtype() == DType::f32) return {2e-3, 5e-3, 2e-2};
  return {1e-5, 1e-5, 1e-4};
}

// d f / d inputs[i] by central differences, f a function of all inputs.
template <class Fn>
std::vector<double> numeric_gradient(const Fn& f, const TensorList& inputs, size_t i, double step) {
  std::vector<double> gradient;
  for (int64_t k = 0; k < inputs[i].numel(); ++k) {
    TensorList moved = inputs;
    const auto shifted = [&](double by) {
      moved[i] = inputs[i].clone();
      moved[i].data<double>()[k] += by;
      return f(moved);
    };
    gradient.push_back((shifted(step) - shifted(-step)) / (2 * step));
  }
  return gradient;
}

std::string compare(const Tensor& analytic, const std::vector<double>& numeric, double tolerance) {
  const std::vector<double> values =
      analytic.defined() ? analytic.to_vector<double>() : std::vector<double>(numeric.size(), 0.0);
  if (values.size() != numeric.size())
    return fmt::format("{} elements instead of {}", values.size(), numeric.size());
  for (size_t k = 0; k < numeric.size(); ++k)
    if (!(std::abs(values[k] - numeric[k]) <= tolerance * (1 + std::abs(numeric[k]))))
      return fmt::format("element {} is {}, finite differences say {}", k, values[k], numeric[k]);
  return "";
}

TensorList leaves(const TensorList& inputs, const std::vector<size_t>& wanted,
                  TensorList& leaf_list) {
  TensorList fresh = inputs;
  for (size_t i : wanted) {
    fresh[i] = inputs[i].clone().requires_grad_();
    leaf_list.push_back(fresh[i]);
  }
  return fresh;
}

TEST_P(Gradients, MatchFiniteDifferences) {
  if (!op().grad.reason.empty())
    GTEST_SKIP() << op().name << " is not differentiable: " << op().grad.reason;
  size_t checked = 0;
  for (const Case& c : cases_of(op(), types(DType::f64))) {
    const std::vector<size_t> wanted = differentiable_inputs(c);
    if (!c.sample->grad || wanted.empty()) continue;
    SCOPED_TRACE(c.str());
    try {
      const Precision precision = precision_of(c);
      TensorList leaf_list;
      const TensorList inputs = leaves(c.inputs, wanted, leaf_list);
      const Tensor loss = loss_of(c, inputs);
      if (!loss.defined() || !loss.requires_grad()) continue;
      const TensorList analytic = autograd::grad({loss}, leaf_list, {}, {.allow_unused = true});
      for (size_t k = 0; k < wanted.size(); ++k) {
        const auto numeric =
            numeric_gradient([&](const TensorList& x) { return loss_of(c, x).item<double>(); },
                             c.inputs, wanted[k], precision.step);
        EXPECT_EQ(compare(analytic[k], numeric, precision.first), "") << "input " << wanted[k];
      }
      ++checked;
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_GT(checked, 0U) << "no sample checks this gradient";
}

TEST_P(Gradients, SecondDerivativesMatch) {
  if (!op().grad.reason.empty())
    GTEST_SKIP() << op().name << " is not differentiable: " << op().grad.reason;
  for (const Case& c : cases_of(op(), types(DType::f64))) {
    const std::vector<size_t> wanted = differentiable_inputs(c);
    if (!c.sample->grad || wanted.empty()) continue;
    SCOPED_TRACE(c.str());
    // The weighted sum of the first gradients, as a function of the inputs.
    const auto slope = [&](const TensorList& x, TensorList& leaf_list) {
      const TensorList inputs = leaves(x, wanted, leaf_list);
      const Tensor loss = loss_of(c, inputs);
      if (!loss.defined() || !loss.requires_grad()) return Tensor();
      return weighted_sum(
          autograd::grad({loss}, leaf_list, {}, {.create_graph = true, .allow_unused = true}));
    };
    try {
      const Precision precision = precision_of(c);
      TensorList leaf_list;
      const Tensor total = slope(c.inputs, leaf_list);
      if (!total.defined()) continue;
      // A gradient that is constant has no history: then differences must be zero.
      const TensorList analytic =
          total.requires_grad() ? autograd::grad({total}, leaf_list, {}, {.allow_unused = true})
                                : TensorList(leaf_list.size());
      for (size_t k = 0; k < wanted.size(); ++k) {
        const auto numeric = numeric_gradient(
            [&](const TensorList& x) {
              TensorList unused;
              const Tensor value = slope(x, unused);
              return value.defined() ? value.item<double>() : 0.0;
            },
            c.inputs, wanted[k], precision.step);
        EXPECT_EQ(compare(analytic[k], numeric, precision.second), "") << "input " << wanted[k];
      }
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Gradients,
                         testing::ValuesIn(op::all().begin(), op::all().end()),
                         [](const auto& tested) { return test_name(*tested.param); });

}  // namespace

}  // namespace tenon::test
