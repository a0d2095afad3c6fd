// tenon conformance: ONNX's backend tests, in folders.
#include <re2/re2.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/trace.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "engine/session.h"
#include "formats/onnx/backend_tests.h"

namespace tenon::cli {

namespace {

using formats::BackendTest;

constexpr std::string_view kExamples =
    "  tenon conformance /usr/share/libonnx-testdata/data/node\n"
    "  tenon conformance tests/ --filter '^test_(conv|pool)' --json\n"
    "  tenon conformance exported/ --isolate --regime compiled\n";

struct Options {
  std::vector<std::string> folders;
  std::string filter, regime = "eager";
  formats::Tolerance tolerance;
  bool isolate = false;
};

struct Outcome {
  std::string status;  // passed, failed, refused
  std::string reason;
  double milliseconds = 0;
};

// How models run; the interpreter where nothing is returned.
formats::RunGraph runner_of(const std::string& regime) {
  if (regime == "eager") return {};
  return [](const graph::Graph& graph, const TensorList& inputs) {
    return engine::Session(graph).run(inputs);
  };
}

Outcome run_here(const BackendTest& test, const Options& options) {
  const int64_t begin = trace::now_ns();
  const formats::BackendResult result =
      formats::run_backend_test(test, options.tolerance, runner_of(options.regime));
  Outcome outcome;
  switch (result.verdict) {
    case formats::BackendResult::Verdict::passed: outcome.status = "passed"; break;
    case formats::BackendResult::Verdict::failed:
      outcome.status = result.refused ? "refused" : "failed";
      outcome.reason = result.reason;
      break;
    case formats::BackendResult::Verdict::not_applicable:
      outcome.status = "refused";
      outcome.reason = "Tenon has no " + text::join(result.obstacles, ", no ");
      break;
  }
  outcome.milliseconds = static_cast<double>(trace::now_ns() - begin) * 1e-6;
  return outcome;
}

// In a process of its own, so that one that crashes takes nobody along. No thread may have been
// started in this one.
Outcome run_isolated(const BackendTest& test, const Options& options) {
  int ends[2];
  if (::pipe(ends) != 0) fail_system(test.folder, "make a pipe for", errno);
  Descriptor read_end(ends[0]), write_end(ends[1]);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail_system(test.folder, "start a process for", errno);
  if (child == 0) {
    const Outcome outcome = run_here(test, options);
    const std::string line = Json{outcome.status, outcome.reason, outcome.milliseconds}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
    size_t done = 0;
    while (done < line.size()) {
      const ssize_t count = ::write(write_end.get(), line.data() + done, line.size() - done);
      if (count < 0 && errno != EINTR) break;
      done += static_cast<size_t>(std::max<ssize_t>(count, 0));
    }
    ::_exit(0);  // nothing of the parent's is to be closed or written twice
  }
  write_end.reset();
  std::string line;
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(read_end.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    line.append(buffer, static_cast<size_t>(count));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status))
    return {"failed", fmt::format("the process crashed: {}", ::strsignal(WTERMSIG(status)))};
  const Json fields = Json::parse(line, nullptr, false);
  if (!fields.is_array() || fields.size() != 3)
    return {"failed", fmt::format("the process ended with code {}", WEXITSTATUS(status))};
  return {fields[0], fields[1], fields[2]};
}

std::vector<BackendTest> find_tests(const Options& options) {
  const re2::RE2 filter(options.filter, re2::RE2::Quiet);
  TENON_CHECK(filter.ok(), usage,
              "--filter {}: this is no regular expression ({}); write one such as "
              "'^test_conv'",
              text::quoted(options.filter), filter.error());
  std::vector<BackendTest> tests;
  size_t found = 0;
  for (const std::string& folder : options.folders)
    for (BackendTest& test : formats::find_backend_tests(folder)) {
      ++found;
      if (re2::RE2::PartialMatch(test.name, filter)) tests.push_back(std::move(test));
    }
  TENON_CHECK(found > 0, data,
              "conformance: no tests in {}; a test is a folder with model.onnx and "
              "test_data_set_0/input_0.pb, output_0.pb",
              text::join(options.folders, ", "));
  TENON_CHECK(!tests.empty(), usage, "--filter {}: it fits none of the {} tests; fit their names",
              text::quoted(options.filter), found);
  return tests;
}

int run_tests(const Options& options, const Globals& globals) {
  const std::vector<BackendTest> tests = find_tests(options);
  // What a test has to say is in its result.
  const LogLevel level = log_level();
  if (level < LogLevel::error) set_log_level(LogLevel::error);
  const InterruptHandler handler;

  std::map<std::string, size_t> counts{{"passed", 0}, {"failed", 0}, {"refused", 0}};
  Json list = Json::array();
  std::vector<std::string> lines[2];  // failed, refused
  double milliseconds = 0;
  {
    Progress progress("conformance", tests.size(), "tests");
    for (const BackendTest& test : tests) {
      check_interrupted("conformance");
      const Outcome outcome =
          options.isolate ? run_isolated(test, options) : run_here(test, options);
      ++counts[outcome.status];
      milliseconds += outcome.milliseconds;
      Json entry = {{"name", test.name},
                    {"folder", test.folder},
                    {"status", outcome.status},
                    {"milliseconds", outcome.milliseconds}};
      if (!outcome.reason.empty()) entry["reason"] = outcome.reason;
      list.push_back(std::move(entry));
      if (outcome.status != "passed")
        lines[outcome.status == "refused"].push_back(
            fmt::format("{:7} {}: {}", outcome.status, test.name,
                        text::replace_all(outcome.reason, "\n", "; ")));
      progress.value("failed", static_cast<double>(counts["failed"]));
      progress.value("refused", static_cast<double>(counts["refused"]));
      progress.advance();
    }
    progress.finish();
  }
  set_log_level(level);

  if (globals.json) {
    print_json({{"regime", options.regime},
                {"total", tests.size()},
                {"passed", counts["passed"]},
                {"failed", counts["failed"]},
                {"refused", counts["refused"]},
                {"milliseconds", milliseconds},
                {"tests", list}});
  } else {
    for (const auto& kind : lines)
      for (const std::string& line : kind) std::printf("%s\n", text::printable(line).c_str());
    std::printf("%s: %zu passed, %zu failed, %zu refused\n",
                text::plural(tests.size(), "test").c_str(), counts["passed"], counts["failed"],
                counts["refused"]);
  }
  return counts["passed"] == tests.size() ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments
      .option("folders", options->folders,
              "Folders with tests at any depth: NAME/model.onnx and NAME/test_data_set_N/*.pb")
      .required();
  arguments.option("--filter", options->filter,
                   "Only tests whose name has this regular expression");
  arguments
      .option("--regime", options->regime,
              "How models run: eager, node by node, or compiled, by the engine")
      .choices({"eager", "compiled"});
  arguments.option("--rtol", options->tolerance.relative, "Relative tolerance of floats (1e-3)")
      .not_negative();
  arguments.option("--atol", options->tolerance.absolute, "Absolute tolerance of floats (1e-7)")
      .not_negative();
  arguments.flag("--isolate", options->isolate,
                 "Each test in a process of its own: one that crashes counts as failed");
  return [options, &globals] { return run_tests(*options, globals); };
}

}  // namespace

constinit const Verb conformance{
    "conformance", Stage::know,
    "Run ONNX backend tests: folders of models with inputs and outputs.", kExamples, define};

}  // namespace tenon::cli
