// Every operator inside a graph: captured and interpreted or compiled it computes the same,
// symbolic shapes agree with concrete ones, and a differentiated graph gives eager's gradients.
#include <gtest/gtest.h>

#include <set>

#include "autograd/autograd.h"
#include "engine/session.h"
#include "graph/capture.h"
#include "graph/differentiate.h"
#include "graph/interpreter.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "sample_inputs.h"

namespace tenon::test {

namespace {

class InGraphs : public testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& op() const { return *GetParam(); }
};

TensorList eager(const Case& c, const TensorList& inputs) {
  manual_seed(7);
  return c.op->all(inputs, c.sample->attrs, c.sample->outputs);
}

// The drawn inputs become graph inputs, with `dims` of each; the rest stay concrete.
struct Captured {
  graph::Graph graph;
  TensorList inputs;
};
template <class DimsOf>
Captured capture_case(const Case& c, DimsOf dims_of) {
  const auto recorder = graph::Recorder::create("sample");
  Captured captured;
  TensorList args = c.inputs;
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].defined() || !c.random[i]) continue;
    captured.inputs.push_back(args[i]);
    args[i] = recorder->input("x" + std::to_string(i), args[i].dtype(), dims_of(args[i].shape()));
  }
  if (captured.inputs.empty()) return captured;
  captured.graph = recorder->finish(c.op->all(args, c.sample->attrs, c.sample->outputs), {});
  return captured;
}

TEST_P(InGraphs, InterpreterAgreesWithEager) {
  for (const Case& c :
       cases_of(op(), types(DType::f32, DType::i64, DType::boolean, DType::string))) {
    SCOPED_TRACE(c.str());
    try {
      const Captured captured = capture_case(c, [](const Shape& shape) { return to_dims(shape); });
      if (captured.inputs.empty()) continue;
      captured.graph.verify();
      const TensorList expected = eager(c, c.inputs);
      manual_seed(7);
      EXPECT_EQ(difference(graph::Interpreter(captured.graph).run(captured.inputs), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

// Planned without passes, and through all of them; measured choices would make the test slow.
TEST_P(InGraphs, EngineAgreesWithEager) {
  for (const Case& c :
       cases_of(op(), types(DType::f32, DType::i64, DType::boolean, DType::string))) {
    SCOPED_TRACE(c.str());
    try {
      const Captured captured = capture_case(c, [](const Shape& shape) { return to_dims(shape); });
      if (captured.inputs.empty()) continue;
      const TensorList expected = eager(c, c.inputs);
      for (const bool optimize : {false, true}) {
        SCOPED_TRACE(optimize ? "optimized" : "as it is");
        engine::SessionOptions options;
        options.optimize = optimize;
        options.tune = engine::Tune::off;
        options.passes.verify = true;
        const engine::Session session(captured.graph, options);
        for (int run = 0; run < 2; ++run) {
          manual_seed(7);
          EXPECT_EQ(difference(session.run(captured.inputs), expected), "");
        }
      }
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(InGraphs, SymbolicShapesAgreeWithConcreteOnes) {
  for (const Case& c : cases_of(op(), types(DType::f32, DType::i64, DType::boolean))) {
    SCOPED_TRACE(c.str());
    Dim::Bindings sizes;
    try {
      const Captured captured = capture_case(c, [&](const Shape& shape) {
        Dims dims;
        for (int64_t size : shape) {
          const std::string symbol = "n" + std::to_string(size);
          if (size > 1) sizes[symbol] = size;
          dims.push_back(size > 1 ? Dim::symbol(symbol) : Dim(size));
        }
        return dims;
      });
      if (captured.inputs.empty()) continue;
      const TensorList expected = eager(c, c.inputs);
      for (size_t i = 0; i < expected.size(); ++i) {
        if (!expected[i].defined()) continue;
        const TensorType& type = captured.graph.value(captured.graph.outputs[i]).type;
        EXPECT_EQ(name(type.dtype), name(expected[i].dtype()));
        if (!type.ranked) continue;
        ASSERT_EQ(type.dims.size(), expected[i].rank());
        for (size_t d = 0; d < type.dims.size(); ++d) {
          const auto size = type.dims[d].eval(sizes);
          EXPECT_EQ(size.value_or(expected[i].shape()[d]), expected[i].shape()[d])
              << "output " << i << " axis " << d << ": " << type.str();
        }
      }
      manual_seed(7);
      EXPECT_EQ(difference(graph::Interpreter(captured.graph).run(captured.inputs), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(InGraphs, DifferentiatedGraphAgreesWithEager) {
  if (!op().grad.reason.empty())
    GTEST_SKIP() << op().name << " is not differentiable: " << op().grad.reason;
  for (const Case& c : cases_of(op(), types(DType::f32))) {
    SCOPED_TRACE(c.str());
    if (!c.sample->grad) continue;
    try {
      const auto recorder = graph::Recorder::create("sample");
      TensorList args = c.inputs, leaves, values;
      TensorList tracked = c.inputs;
      for (size_t i = 0; i < args.size(); ++i) {
        if (!args[i].defined() || !c.random[i] || args[i].dtype() != DType::f32) continue;
        tracked[i] = args[i].clone().requires_grad_();
        leaves.push_back(tracked[i]);
        values.push_back(args[i]);
        args[i] = recorder->tensor_of(
            recorder->graph().add_constant("w" + std::to_string(i), args[i], true));
      }
      if (leaves.empty()) continue;
      const auto loss_of = [&](const TensorList& outputs) {
        Tensor loss;
        for (const Tensor& output : outputs)
          if (output.defined() && output.dtype() == DType::f32)
            loss = loss.defined() ? loss + (output * output).sum() : (output * output).sum();
        return loss;
      };
      manual_seed(7);
      const Tensor loss = loss_of(c.op->all(tracked, c.sample->attrs, c.sample->outputs));
      if (!loss.defined() || !loss.requires_grad()) continue;
      TensorList expected{loss.detach()};
      const TensorList gradients = autograd::grad({loss}, leaves, {}, {.allow_unused = true});
      if (std::any_of(gradients.begin(), gradients.end(),
                      [](const Tensor& g) { return !g.defined(); }))
        continue;
      for (const Tensor& gradient : gradients) expected.push_back(gradient);

      const graph::Graph forward = recorder->finish(
          {loss_of(c.op->all(args, c.sample->attrs, c.sample->outputs))}, {"loss"});
      const graph::Graph both = graph::differentiate(forward);
      both.verify();
      manual_seed(7);
      EXPECT_EQ(difference(graph::Interpreter(both).run(values), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, InGraphs, testing::ValuesIn(op::all().begin(), op::all().end()),
                         [](const auto& tested) { return test_name(*tested.param); });

}  // namespace

}  // namespace tenon::test
