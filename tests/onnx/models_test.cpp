// Real models with recorded inputs and outputs: each whose operators are known must agree with the
// recording within 1e-3 of its output's largest magnitude, and be named in tests/onnx/models.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/session.h"
#include "formats/onnx/backend_tests.h"
#include "formats/onnx/import.h"
#include "graph/interpreter.h"
#include "graph/widen.h"
#include "tensor/npy.h"
#include "test_data.h"

namespace tenon::formats {

namespace {

// Of the output's largest magnitude.
double tolerance_of(DType type) { return is_float(type) ? 1e-3 : 0; }

// By how much the recording itself moves with the optimisations of what recorded it: a sigmoid of
// 1e-4 that was computed as 0.5 + x * p / q has the digits of 0.5.
double noise_of(const Json& output) {
  const auto moved = output.find("opt_vs_noopt");
  return moved == output.end() ? 0 : moved->value("max_abs", 0.0);
}

std::string folder() { return data_folder("TENON_TEST_DATA", "../shared") + "/models"; }

std::vector<std::string> models() {
  std::vector<std::string> names;
  if (!is_directory(folder())) return names;
  for (const DirectoryEntry& entry : list_directory(folder()))
    if (entry.kind == EntryKind::directory) names.push_back(entry.name);
  return names;
}

// Models that must run: their names, and what they are kept for.
const std::map<std::string, std::string>& required() {
  static const std::map<std::string, std::string> list = read_reasons("tests/onnx/models.txt");
  return list;
}

Tensor read_array(const std::string& model, const Json& entry) {
  return npy::read_file(
      fmt::format("{}/{}/{}", folder(), model, entry.at("file").get<std::string>()));
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (double value : tensor.to_vector<double>())
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  return most;
}

using Runner = std::function<TensorList(const TensorList&)>;

void run_case(const std::string& model, const graph::Graph& graph, const Runner& run,
              const Json& recorded) {
  SCOPED_TRACE(fmt::format("case {}", recorded.at("case").get<int>()));
  TensorList inputs(graph.inputs.size());
  for (const Json& entry : recorded.at("inputs")) {
    const graph::ValueId id = graph.find_value(entry.at("name").get<std::string>());
    const auto at = std::ranges::find(graph.inputs, id);
    ASSERT_NE(at, graph.inputs.end()) << entry.at("name") << " is no input of the graph";
    inputs[static_cast<size_t>(at - graph.inputs.begin())] = read_array(model, entry);
  }
  const TensorList outputs = run(inputs);
  ASSERT_FALSE(recorded.at("outputs").empty());
  for (const Json& entry : recorded.at("outputs")) {
    const graph::ValueId id = graph.find_value(entry.at("name").get<std::string>());
    const auto at = std::ranges::find(graph.outputs, id);
    ASSERT_NE(at, graph.outputs.end()) << entry.at("name") << " is no output of the graph";
    const Tensor expected = read_array(model, entry);
    const Tolerance tolerance{
        0, std::max(tolerance_of(expected.dtype()) * largest(expected), noise_of(entry))};
    const auto why =
        difference(outputs[static_cast<size_t>(at - graph.outputs.begin())], expected, tolerance);
    EXPECT_FALSE(why) << entry.at("name") << ": " << *why;
  }
}

class OnnxModel : public ::testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxModel);

TEST_P(OnnxModel, ComputesWhatWasRecorded) {
  const LogLevel level = log_level();
  set_log_level(LogLevel::error);
  const std::string& name = GetParam();
  const std::string path = fmt::format("{}/{}/model.onnx", folder(), name);
  const std::vector<std::string> obstacles = import_obstacles(path);
  if (!obstacles.empty()) {
    EXPECT_FALSE(required().contains(name)) << name << " cannot be imported any more";
    GTEST_SKIP() << "needs " << text::join(obstacles, ", ");
  }
  // As `tenon run` does: the recording computed 16-bit floats in f32 too.
  const graph::Graph graph = graph::widen_halves(import_onnx(path));
  graph.verify();
  const Json meta = read_json(fmt::format("{}/{}/meta.json", folder(), name));
  ASSERT_FALSE(meta.at("cases").empty());
  const graph::Interpreter interpreter(graph);
  engine::SessionOptions options;
  options.passes.verify = true;
  const engine::Session session(graph, options);
  for (const Json& recorded : meta.at("cases")) {
    {
      SCOPED_TRACE("interpreted");
      run_case(
          name, graph, [&](const TensorList& x) { return interpreter.run(x); }, recorded);
    }
    SCOPED_TRACE("compiled");
    run_case(
        name, graph, [&](const TensorList& x) { return session.run(x); }, recorded);
  }
  set_log_level(level);
  EXPECT_TRUE(HasFailure() || required().contains(name))
      << name << " runs, so tests/onnx/models.txt must name it";
}

INSTANTIATE_TEST_SUITE_P(Recorded, OnnxModel, ::testing::ValuesIn(models()),
                         [](const auto& model) { return model.param; });

TEST(Models, AreThere) {
  if (!is_directory(folder())) GTEST_SKIP() << "no models in " << folder();
  const std::vector<std::string> names = models();
  for (const auto& [name, reason] : required())
    EXPECT_TRUE(std::ranges::find(names, name) != names.end())
        << name << " must run, but is not in " << folder();
}

}  // namespace
}  // namespace tenon::formats
