// ONNX's node tests with something broken in them: import, inference and a run give results or an
// Error that is no bug, and never end the process. Deterministic: a failure names its seed.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <memory>

#include "../fuzz/small_run.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/threads.h"
#include "formats/onnx/backend_tests.h"
#include "formats/onnx/import.h"
#include "formats/onnx/tensors.h"
#include "model_mutation.h"
#include "ops/catalog.h"
#include "test_data.h"

namespace tenon::formats {
namespace {

constexpr unsigned kSecondsEach = 60;           // then a mutant counts as endless
constexpr rlim_t kMaxMemory = rlim_t{8} << 30;  // of the process that runs mutants

// TENON_MUTANTS: more of them, for a longer look.
int64_t mutants_each() {
  const char* given = std::getenv("TENON_MUTANTS");
  return given ? std::max(1L, std::atol(given)) : 6;
}

std::vector<BackendTest> all_tests() {
  std::vector<BackendTest> tests;
  for (const std::string& suite :
       {data_folder("TENON_ONNX_TESTS", "/usr/share/libonnx-testdata/data") + "/node",
        data_folder("TENON_TEST_DATA", "../shared") + "/conformance/node"})
    if (is_directory(suite))
      for (BackendTest& test : find_backend_tests(suite)) tests.push_back(std::move(test));
  return tests;
}

// The inputs that the test itself has, where they are plain tensors.
TensorList recorded_inputs(const BackendTest& test) {
  TensorList inputs;
  ExternalData none;
  while (true) {
    const std::string path =
        fmt::format("{}/test_data_set_0/input_{}.pb", test.folder, inputs.size());
    ::onnx::TensorProto proto;
    if (!exists(path) || !proto.ParseFromString(read_file(path))) return inputs;
    try {
      inputs.push_back(read_tensor(proto, none, path));
    } catch (const Error&) {
      return inputs;
    }
  }
}

// Shared with the processes that run mutants, so that it is known which one a process died of.
struct Progress {
  int64_t next = 0;
  int64_t imported = 0, ran = 0;
};

// What is wrong with what a mutant does; empty when nothing is.
std::string run_mutant(const BackendTest& test, uint64_t seed, Progress& progress) {
  const std::string bytes = mutated(read_file(test.folder + "/model.onnx"), seed);
  try {
    const graph::Graph graph = import_onnx(std::as_bytes(std::span(bytes)), "mutant.onnx");
    ++progress.imported;
    const auto drawn = fuzz::small_inputs(graph, seed);
    if (!drawn) return {};
    ++progress.ran;
    const TensorList recorded = recorded_inputs(test);
    if (seed % 2 && recorded.size() == drawn->size())
      fuzz::run_small(graph, recorded);
    else
      fuzz::run_small(graph, *drawn);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::bug || error.kind() == ErrorKind::usage) return error.what();
  } catch (const std::bad_alloc&) {
    // too large for this machine
  } catch (const std::exception& error) {
    return fmt::format("an exception of another type: {}", error.what());
  }
  return {};
}

// Runs mutants from progress.next on in a process of its own, which leaves the one it died of
// there.
std::string run_in_child(const std::vector<BackendTest>& tests, Progress& progress, int64_t count) {
  int64_t& next = progress.next;
  int ends[2];
  if (::pipe(ends) != 0) fail_system("pipe", "make", errno);
  Descriptor read_end(ends[0]), write_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) fail_system("process", "start", errno);
  if (child == 0) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit limit{kMaxMemory, kMaxMemory};
    ::setrlimit(RLIMIT_AS, &limit);
#endif
    set_thread_count(1);
    for (; next < count; ++next) {
      ::alarm(kSecondsEach);
      const BackendTest& test = tests[static_cast<size_t>(next / mutants_each())];
      const std::string wrong = run_mutant(test, static_cast<uint64_t>(next), progress);
      if (wrong.empty()) continue;
      const std::string line = fmt::format("{} seed {}: {}\n", test.name, next, wrong);
      if (::write(write_end.get(), line.data(), line.size()) < 0) break;
    }
    ::_exit(0);
  }
  write_end.reset();
  std::string said;
  char buffer[4096];
  for (ssize_t got; (got = ::read(read_end.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<size_t>(got));
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    said += fmt::format("{} seed {}: {}\n", tests[static_cast<size_t>(next / mutants_each())].name,
                        next, ::strsignal(WTERMSIG(status)));
  else if (next < count)
    said += fmt::format("seed {}: the process ended with code {}\n", next, WEXITSTATUS(status));
  return said;
}

TEST(MutatedModels, NeverCrash) {
  const std::vector<BackendTest> tests = all_tests();
  if (tests.empty()) GTEST_SKIP() << "no node tests are installed";
  set_log_level(LogLevel::off);
  const auto count = static_cast<int64_t>(tests.size()) * mutants_each();
  void* page =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  auto& progress = *new (page) Progress;
  for (; progress.next < count; ++progress.next) {
    const std::string said = run_in_child(tests, progress, count);
    EXPECT_EQ(said, "");
  }
  std::cout << count << " mutants, " << progress.imported << " imported, " << progress.ran
            << " run\n";
  EXPECT_GT(progress.ran, count / 8) << "most are refused before they can do harm";
  ::munmap(page, sizeof(Progress));
}

// For a look at one: TENON_MUTANT=<seed>.
TEST(MutatedModels, TheOneAskedFor) {
  const char* seed = std::getenv("TENON_MUTANT");
  if (!seed) GTEST_SKIP() << "TENON_MUTANT names none";
  const std::vector<BackendTest> tests = all_tests();
  const int64_t at = std::stoll(seed);
  Progress progress;
  EXPECT_EQ(run_mutant(tests.at(static_cast<size_t>(at / mutants_each())),
                       static_cast<uint64_t>(at), progress),
            "");
}

}  // namespace
}  // namespace tenon::formats
