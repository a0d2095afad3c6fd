// Every operator of the catalogue: its kernels agree with the reference in every type, with strided
// inputs and any thread count; wrong calls get the announced error; definitions are complete.
#include <gtest/gtest.h>

#include "base/threads.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "sample_inputs.h"

namespace tenon::test {

namespace {

class AllOps : public testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& op() const { return *GetParam(); }
};

TensorList run(const Case& c, Backend backend, const TensorList& inputs) {
  const BackendScope scope(backend);
  manual_seed(7);
  return c.op->all(inputs, c.sample->attrs, c.sample->outputs);
}

TEST_P(AllOps, DefinitionIsComplete) {
  EXPECT_FALSE(op().doc.empty());
  EXPECT_TRUE(op().doc.ends_with('.')) << op().doc;
  EXPECT_TRUE(op().grad.fn || op().grad.expansion || !op().grad.reason.empty());
  EXPECT_TRUE(!op().grad.expansion || op().expand.fn) << "differentiates an expansion it has not";
  EXPECT_TRUE(op().onnx.since > 0 || !op().onnx.reason.empty());
  for (const Port& port : op().inputs) EXPECT_TRUE(op().find_type(port.type_var)) << port.name;
  for (const Port& port : op().outputs) EXPECT_TRUE(op().find_type(port.type_var)) << port.name;
  EXPECT_GE(samples_of(op()).good().size(), 2U);
  EXPECT_GE(samples_of(op()).bad().size(), 1U);
  EXPECT_FALSE(cases_of(op()).empty());
}

TEST_P(AllOps, ReferenceRunsEverySample) {
  for (const Case& c : cases_of(op())) {
    SCOPED_TRACE(c.str());
    try {
      EXPECT_EQ(run(c, Backend::reference, c.inputs).size(), c.sample->outputs);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(AllOps, KernelsAgreeWithTheReference) {
  for (const Case& c : cases_of(op())) {
    SCOPED_TRACE(c.str());
    try {
      const TensorList expected = run(c, Backend::reference, c.inputs);
      EXPECT_EQ(difference(run(c, Backend::automatic, c.inputs), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(AllOps, ExpansionAgreesWithTheReference) {
  if (!op().expand.fn) GTEST_SKIP() << op().name << " is a primitive";
  for (const Case& c :
       cases_of(op(), types(DType::f32, DType::f64, DType::i32, DType::i64, DType::boolean))) {
    SCOPED_TRACE(c.str());
    try {
      const TensorList expected = run(c, Backend::reference, c.inputs);
      EXPECT_EQ(difference(run(c, Backend::expansion, c.inputs), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(AllOps, StridedInputsGiveTheSame) {
  for (const Case& c :
       cases_of(op(), types(DType::f32, DType::f16, DType::i64, DType::u8, DType::boolean))) {
    SCOPED_TRACE(c.str());
    TensorList strided;
    for (size_t i = 0; i < c.inputs.size(); ++i)
      strided.push_back(c.random[i] ? strided_copy(c.inputs[i]) : c.inputs[i]);
    try {
      const TensorList expected = run(c, Backend::reference, c.inputs);
      EXPECT_EQ(difference(run(c, Backend::automatic, strided), expected), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_P(AllOps, ThreadCountDoesNotMatter) {
  const int before = thread_count();
  for (const Case& c : cases_of(op(), types(DType::f32, DType::i64))) {
    SCOPED_TRACE(c.str());
    try {
      set_thread_count(1);
      const TensorList one = run(c, Backend::automatic, c.inputs);
      set_thread_count(2);
      const TensorList two = run(c, Backend::automatic, c.inputs);
      EXPECT_EQ(difference(two, one), "");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  set_thread_count(before);
}

TEST_P(AllOps, WrongCallsGetTheAnnouncedError) {
  for (const BadSample& bad : samples_of(op()).bad()) {
    SCOPED_TRACE(bad.message);
    const TensorList inputs = make_inputs(op(), bad.inputs, DType::undefined, 1);
    try {
      op().all(inputs, bad.attrs, bad.outputs);
      ADD_FAILURE() << "the call succeeded";
    } catch (const Error& error) {
      EXPECT_EQ(info(error.kind()).name, "usage") << error.what();
      EXPECT_NE(error.message().find(bad.message), std::string::npos)
          << "the error was: " << error.what();
      EXPECT_TRUE(error.message().starts_with(std::string(op().name) + ":")) << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, AllOps, testing::ValuesIn(op::all().begin(), op::all().end()),
                         [](const auto& tested) { return test_name(*tested.param); });

}  // namespace

}  // namespace tenon::test
