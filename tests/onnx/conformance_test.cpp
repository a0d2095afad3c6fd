// ONNX's own node tests, one case each, interpreted and compiled. Those whose operators and types
// Tenon has must pass, but for the ones in tests/onnx/exceptions.txt, which must fail: the list
// says what is so. Tests that need an operator which is not in the catalogue are skipped, and
// counted at the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "base/file.h"
#include "base/log.h"
#include "engine/session.h"
#include "formats/onnx/backend_tests.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/interpreter.h"
#include "onnx_checker.h"
#include "runtime/dispatch.h"
#include "test_data.h"

namespace tenon::formats {

// For GoogleTest's messages.
void PrintTo(const BackendTest& test, std::ostream* out) { *out << test.folder; }

namespace {

const std::string kExceptions = "tests/onnx/exceptions.txt";

// Debian's libonnx-testdata, and tests of newer versions of ONNX beside the project.
std::vector<std::string> suites() {
  return {data_folder("TENON_ONNX_TESTS", "/usr/share/libonnx-testdata/data") + "/node",
          data_folder("TENON_TEST_DATA", "../shared") + "/conformance/node"};
}

std::vector<BackendTest> all_tests() {
  std::vector<BackendTest> tests;
  for (const std::string& suite : suites())
    if (is_directory(suite))
      std::ranges::copy(find_backend_tests(suite), std::back_inserter(tests));
  return tests;
}

class Summary : public ::testing::Environment {
 public:
  void SetUp() override { set_log_level(LogLevel::error); }
  void TearDown() override {
    std::cout << "ONNX node tests: " << passed << " passed, " << excepted << " excepted, "
              << not_applicable << " not applicable\n";
    std::vector<std::pair<size_t, std::string>> rows;
    for (const auto& [obstacle, count] : obstacles) rows.emplace_back(count, obstacle);
    std::ranges::sort(rows, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    for (const auto& [count, obstacle] : rows)
      std::cout << "  " << count << " need " << obstacle << "\n";
    if (!refused.empty()) std::cout << "Not exportable at the default opset:\n";
    for (const auto& [refusal, count] : refused)
      std::cout << "  " << count << " " << refusal << "\n";
  }

  size_t passed = 0, excepted = 0, not_applicable = 0;
  std::map<std::string, size_t> obstacles, refused;
};

// Owned by GoogleTest once main registered it.
Summary& summary() {
  static auto* environment = new Summary;
  return *environment;
}

const std::map<std::string, std::string>& exceptions() {
  static const std::map<std::string, std::string> list = read_reasons(kExceptions);
  return list;
}

class OnnxNode : public ::testing::TestWithParam<BackendTest> {};
// Without the package there is nothing to instantiate; Suites.AreThere says so.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OnnxNode);

// The reference backend is pinned to these tests; what users get by default is held to them too.
BackendResult run_on_backends(const BackendTest& test) {
  for (const auto& [name, backend] :
       {std::pair("reference", Backend::reference), std::pair("default", Backend::automatic)}) {
    const BackendScope scope(backend);
    BackendResult result = run_backend_test(test);
    if (result.verdict == BackendResult::Verdict::passed) continue;
    result.reason = fmt::format("on the {} backend: {}", name, result.reason);
    return result;
  }
  return {};
}

TEST_P(OnnxNode, Agrees) {
  const BackendTest& test = GetParam();
  const BackendResult result = run_on_backends(test);
  const auto exception = exceptions().find(test.name);
  switch (result.verdict) {
    case BackendResult::Verdict::passed:
      EXPECT_TRUE(exception == exceptions().end())
          << test.name << " passes, so it must be taken off " << kExceptions;
      ++summary().passed;
      break;
    case BackendResult::Verdict::failed:
      EXPECT_TRUE(exception != exceptions().end()) << result.reason;
      ++summary().excepted;
      break;
    case BackendResult::Verdict::not_applicable:
      ++summary().not_applicable;
      for (const std::string& obstacle : result.obstacles) ++summary().obstacles[obstacle];
      GTEST_SKIP() << "needs " << result.obstacles.front();
  }
}

TEST_P(OnnxNode, AgreesCompiled) {
  const BackendTest& test = GetParam();
  if (exceptions().contains(test.name)) GTEST_SKIP() << "it does not pass interpreted";
  const RunGraph run_compiled = [](const graph::Graph& graph, const TensorList& inputs) {
    engine::SessionOptions options;
    options.passes.verify = true;
    options.tune = engine::Tune::off;  // measured choices would make the test slow
    return engine::Session(graph, options).run(inputs);
  };
  const BackendResult result = run_backend_test(test, {}, run_compiled);
  if (result.verdict == BackendResult::Verdict::not_applicable)
    GTEST_SKIP() << "needs " << result.obstacles.front();
  EXPECT_EQ(result.verdict, BackendResult::Verdict::passed) << result.reason;
}

// The installed ONNX has a checker too, which does not know what its tests do not.
bool is_of_installed_onnx(const BackendTest& test) {
  return test.folder.starts_with(suites().front());
}

// What was imported means the same when it is exported, at the default opset, and imported again;
// ONNX's own checker has nothing against it.
TEST_P(OnnxNode, SurvivesExport) {
  const BackendTest& test = GetParam();
  if (exceptions().contains(test.name)) GTEST_SKIP() << "it does not pass at all";
  std::string refusal;
  const RunGraph run_again = [&](const graph::Graph& graph, const TensorList& inputs) {
    try {
      const std::string bytes = export_onnx_bytes(graph);
      EXPECT_EQ(is_of_installed_onnx(test) ? objection_of_onnx(bytes) : "", "");
      const graph::Graph again =
          import_onnx(std::as_bytes(std::span(bytes)), "exported " + test.name);
      again.verify();
      return graph::Interpreter(again).run(inputs);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unsupported) refusal = error.what();
      throw;
    }
  };
  const BackendResult result = run_backend_test(test, {}, run_again);
  if (result.verdict == BackendResult::Verdict::not_applicable)
    GTEST_SKIP() << "needs " << result.obstacles.front();
  if (!refusal.empty()) {
    ++summary().refused[refusal.substr(0, refusal.find('\n'))];
    GTEST_SKIP() << refusal;
  }
  EXPECT_EQ(result.verdict, BackendResult::Verdict::passed) << result.reason;
}

INSTANTIATE_TEST_SUITE_P(Suite, OnnxNode, ::testing::ValuesIn(all_tests()),
                         [](const auto& test) { return test.param.name; });

TEST(Suites, AreThere) {
  std::vector<std::string> missing;
  for (const std::string& suite : suites())
    if (!is_directory(suite)) missing.push_back(suite);
  if (!missing.empty()) GTEST_SKIP() << "no node tests in " << ::testing::PrintToString(missing);
}

TEST(Exceptions, NameTestsThatExist) {
  for (const std::string& suite : suites())
    if (!is_directory(suite)) GTEST_SKIP() << "no node tests in " << suite;
  const std::vector<BackendTest> tests = all_tests();
  for (const auto& [name, reason] : exceptions()) {
    EXPECT_TRUE(
        std::ranges::any_of(tests, [&](const BackendTest& test) { return test.name == name; }))
        << kExceptions << " names " << name << ", which is no test";
    EXPECT_FALSE(reason.empty()) << kExceptions << " gives no reason for " << name;
  }
}

}  // namespace
}  // namespace tenon::formats

int main(int count, char** arguments) {
  ::testing::InitGoogleTest(&count, arguments);
  ::testing::AddGlobalTestEnvironment(&tenon::formats::summary());
  return RUN_ALL_TESTS();
}
