// Every operator out to ONNX and in again: a graph of one call, exported at each opset that is
// written, imported, and run. What an opset cannot say is refused with a reason; where ONNX has the
// operator in that opset all the same, tests/all_ops/onnx_refusals.txt says why it is refused.
#include <gtest/gtest.h>

#include <algorithm>

#include "../onnx/test_data.h"
#include "base/log.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "sample_inputs.h"

namespace tenon::test {

namespace {

const std::string kRefusals = "tests/all_ops/onnx_refusals.txt";
constexpr int kOpsets[] = {13, 15, 17, 19, 21, 22};

const std::map<std::string, std::string>& listed_refusals() {
  static const std::map<std::string, std::string> list = read_reasons(kRefusals);
  return list;
}

std::string label(const OpDef& op) {
  return op.onnx.domain.empty() ? std::string(op.name)
                                : fmt::format("{}.{}", op.onnx.domain, op.name);
}

// Whether an opset has some form of the operator; other domains count for themselves.
bool is_in_opset(const OpDef& op, int opset) {
  if (op.onnx.since == 0) return false;
  if (!op.onnx.domain.empty()) return true;
  return (op.onnx.older.size() ? op.onnx.older[0].since : op.onnx.since) <= opset;
}

// Where the forms before and after are one, the ends and the default opset speak for all.
bool says_something_new(const OpDef& op, int opset) {
  if (opset == 13 || opset == 17 || opset == 22) return true;
  return op.onnx.domain.empty() && op.onnx.since > 13 && op.onnx.since <= 22;
}

// Drawn inputs and containers are the graph's inputs; the rest are constants.
struct OneCall {
  graph::Graph graph;
  TensorList inputs;
};
OneCall record(const Case& c) {
  OneCall call;
  const auto recorder = graph::Recorder::create("sample");
  TensorList args = c.inputs;
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < args.size(); ++i) {
    pointers.push_back(&args[i]);
    if (!args[i].defined() || (!c.random[i] && !is_container(args[i].dtype()))) continue;
    call.inputs.push_back(args[i]);
    args[i] = recorder->input("x" + std::to_string(i), TensorType::of(args[i], false));
  }
  call.graph =
      recorder->finish(recorder->record(*c.op, pointers, c.sample->attrs, c.sample->outputs), {});
  return call;
}

class ThroughOnnx : public testing::TestWithParam<const OpDef*> {
 protected:
  void SetUp() override {
    level_ = log_level();
    set_log_level(LogLevel::error);
  }
  void TearDown() override { set_log_level(level_); }
  const OpDef& op() const { return *GetParam(); }

 private:
  LogLevel level_ = LogLevel::warning;
};

TEST_P(ThroughOnnx, ComputesTheSameOrIsRefused) {
  const NoGrad no_grad;
  std::string refusal;  // one that the list must explain
  for (const Case& c : few_cases(op())) {
    SCOPED_TRACE(c.str());
    try {
      manual_seed(7);
      const TensorList expected = op().all(c.inputs, c.sample->attrs, c.sample->outputs);
      const OneCall call = record(c);
      for (int opset : kOpsets) {
        if (!says_something_new(op(), opset)) continue;
        SCOPED_TRACE(fmt::format("opset {}", opset));
        std::string bytes;
        try {
          bytes = formats::export_onnx_bytes(call.graph, {.opset = opset});
        } catch (const Error& error) {
          EXPECT_EQ(info(error.kind()).name, "unsupported") << error.what();
          if (is_in_opset(op(), opset)) refusal = error.what();
          continue;
        }
        const graph::Graph again =
            formats::import_onnx(std::as_bytes(std::span(bytes)), "exported");
        again.verify();
        manual_seed(7);
        EXPECT_EQ(difference(graph::Interpreter(again).run(call.inputs), expected), "");
      }
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  const auto listed = listed_refusals().find(label(op()));
  if (refusal.empty())
    EXPECT_TRUE(listed == listed_refusals().end())
        << "it is always exported, so it must be taken off " << kRefusals;
  else
    EXPECT_TRUE(listed != listed_refusals().end())
        << refusal << "\nlower it, or say why not in " << kRefusals;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, ThroughOnnx,
                         testing::ValuesIn(op::all().begin(), op::all().end()),
                         [](const auto& tested) { return test_name(*tested.param); });

TEST(OnnxRefusals, NameOperators) {
  for (const auto& [name, reason] : listed_refusals()) {
    EXPECT_TRUE(std::ranges::any_of(op::all(), [&](const OpDef* op) { return label(*op) == name; }))
        << kRefusals << " names " << name << ", which is no operator";
    EXPECT_FALSE(reason.empty()) << name;
  }
}

}  // namespace

}  // namespace tenon::test
