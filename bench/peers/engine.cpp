// The engine side by side with ONNX Runtime: the same models, inputs and threads, in one process,
// the two sides alternating; loading and peak memory in a process each.
//
//   ./dev bench engine [--models DIR] [--threads 1,2] [--batch 1,8] [--filter TEXT] [--json]
//
// A speed-up is ONNX Runtime's time over Tenon's; the medians are those of whole rounds. The other
// columns are ratios to ONNX Runtime's: "load" until there is a session of the ONNX file, "ready"
// until one of its engine file is prepared for the inputs, "memory" and "mapped" the most of
// either.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/environment.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/threads.h"
#include "cli/model_session.h"
#include "cli/tensor_difference.h"
#include "engine/engine_file.h"
#include "model_case.h"
#include "ort.h"
#include "profile/process_memory.h"
#include "profile/statistics.h"

namespace bench {

using namespace tenon;

namespace {

using Clock = std::chrono::steady_clock;

// Idle threads of one side that still spin would slow the other.
constexpr auto kPause = std::chrono::milliseconds(8);
constexpr size_t kFewestRounds = 9;
constexpr size_t kLoads = 3;
// What is loaded in a process each: the ONNX file, its engine file, and the ONNX file by ONNX
// Runtime.
constexpr std::array kSides{"tenon", "tenon-file", "ort"};
constexpr const char* kEngineFile = "/model.tenon";

struct Options {
  std::vector<std::string> folders;
  std::vector<int> threads{1, 2};
  std::vector<int64_t> batches{1, 8};
  std::string ort, filter;
  double seconds = 1.5;  // for each side of a case
  double round_seconds = 0.05;
  bool json = false, no_load = false;
  std::string child;  // of kSides: measure loading of `child_folder`, for the parent
  std::string child_folder;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double seconds_of(const std::function<void()>& run, int64_t count) {
  const auto begin = Clock::now();
  for (int64_t i = 0; i < count; ++i) run();
  return seconds_since(begin) / static_cast<double>(count);
}

// The inputs in the order in which ONNX Runtime names them.
TensorList in_order(const ModelCase& made, const std::vector<std::string>& names) {
  TensorList list;
  for (const std::string& name : names) {
    const auto at = std::ranges::find(made.input_names, name);
    TENON_CHECK(at != made.input_names.end(), data, "{}: there is no input {} to feed", made.path,
                name);
    list.push_back(made.inputs[static_cast<size_t>(at - made.input_names.begin())]);
  }
  return list;
}

// -- One process a side: loading, first run, memory
// --------------------------------------------------

struct Load {
  double load_ms = 0, first_ms = 0, rss_peak_mb = 0;
};

using Loads = std::array<Load, kSides.size()>;

int measure_load(const Options& options) {
  const ModelCase made = read_case(options.child_folder);
  const int threads = options.threads.at(0);
  set_thread_count(threads);
  Load load;
  std::function<void()> run;
  std::optional<Ort> ort;
  std::optional<OrtSession> peer;
  std::optional<engine::Session> session;
  // What this program has loaded of Tenon is not ONNX Runtime's.
  const uint64_t foreign = options.child == "ort" ? profile::resident_bytes() : 0;
  if (options.child == "ort") ort.emplace(options.ort);
  const auto begin = Clock::now();
  if (ort) {
    peer.emplace(*ort, made.path, threads);
    load.load_ms = seconds_since(begin) * 1e3;
    peer->set_inputs(in_order(made, peer->input_names()));
    run = [&] { peer->run(); };
  } else {
    const bool file = options.child == kSides[1];
    session.emplace(cli::load_session(file ? options.child_folder + kEngineFile : made.path,
                                      {.threads = threads}));
    // ONNX Runtime's sessions are ready once they are made; an engine file is to be as ready.
    if (file) session->prepare(made.inputs);
    load.load_ms = seconds_since(begin) * 1e3;
    run = [&] { session->run(made.inputs); };
  }
  load.first_ms = seconds_of(run, 1) * 1e3;
  seconds_of(run, 3);
  load.rss_peak_mb = static_cast<double>(profile::peak_resident_bytes() - foreign) * 1e-6;
  std::printf("%.6f %.6f %.6f\n", load.load_ms, load.first_ms, load.rss_peak_mb);
  return 0;
}

// This program again, as a child with other arguments; what it prints. "" where it fails.
std::string output_of_self(std::vector<std::string> arguments) {
  int ends[2];
  if (::pipe(ends) != 0) return "";
  arguments.insert(arguments.begin(), "bench_engine");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execv("/proc/self/exe", pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string output;
  std::array<char, 4096> buffer;
  for (ssize_t count = 0; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    output.append(buffer.data(), static_cast<size_t>(count));
  ::close(ends[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) return "";
  return output;
}

// The medians of several loads; nothing where one failed.
std::optional<Loads> measure_loads(const Options& options, const ModelCase& made,
                                   const engine::Session& session, int threads) {
  const TempDirectory folder("tenon_bench");
  write_case(made, folder.path());
  engine::save_engine(session, folder.path() + kEngineFile);
  std::array<std::vector<double>, kSides.size()> load, first, rss;
  for (size_t round = 0; round < kLoads; ++round)
    for (size_t side = 0; side < kSides.size(); ++side) {
      const std::string output =
          output_of_self({"--child", kSides[side], "--child-folder", folder.path(), "--ort",
                          options.ort, "--threads", std::to_string(threads)});
      double a = 0, b = 0, c = 0;
      if (std::sscanf(output.c_str(), "%lf %lf %lf", &a, &b, &c) != 3) return std::nullopt;
      load[side].push_back(a), first[side].push_back(b), rss[side].push_back(c);
    }
  Loads result;
  for (size_t side = 0; side < kSides.size(); ++side)
    result[side] = {profile::summarize(load[side]).median, profile::summarize(first[side]).median,
                    profile::summarize(rss[side]).median};
  return result;
}

// -- Both sides in alternation
// -----------------------------------------------------------------------

struct Speed {
  profile::Summary tenon_ms, ort_ms, speedup;
};

Speed alternate(const std::function<void()>& tenon, const std::function<void()>& ort,
                const Options& options) {
  const std::array<const std::function<void()>*, 2> sides{&tenon, &ort};
  std::array<int64_t, 2> counts{};
  for (size_t side = 0; side < 2; ++side) {
    std::this_thread::sleep_for(kPause);
    seconds_of(*sides[side], 2);
    const double once = std::max(seconds_of(*sides[side], 3), 1e-9);
    counts[side] = std::clamp<int64_t>(std::llround(options.round_seconds / once), 1, 100'000);
  }
  std::array<std::vector<double>, 2> times;
  std::vector<double> speedups;
  std::array<double, 2> spent{};
  while (speedups.size() < kFewestRounds || spent[0] + spent[1] < 2 * options.seconds) {
    // Who begins changes from round to round.
    for (size_t turn = 0; turn < 2; ++turn) {
      const size_t side = (turn + speedups.size()) % 2;
      std::this_thread::sleep_for(kPause);
      (*sides[side])();  // wakes threads, warms caches
      const double once = seconds_of(*sides[side], counts[side]);
      times[side].push_back(once * 1e3);
      spent[side] += once * static_cast<double>(counts[side]);
    }
    speedups.push_back(times[1].back() / times[0].back());
  }
  return {profile::summarize(times[0]), profile::summarize(times[1]),
          profile::summarize(std::move(speedups))};
}

struct Row {
  std::string model, failure;
  int threads = 1;
  int64_t batch = 1;
  Speed speed;
  double difference = 0;  // of the outputs, relative to the largest magnitude of each
  std::optional<Loads> loads;

  double speedup() const { return speed.ort_ms.median / speed.tenon_ms.median; }
};

double worst_difference(const engine::Session& session, const TensorList& got,
                        const OrtSession& peer, const TensorList& expected) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const auto& names = peer.output_names();
    const auto at = std::ranges::find(names, session.outputs()[i].name);
    if (at == names.end()) continue;
    const Tensor& other = expected[static_cast<size_t>(at - names.begin())];
    if (!other.defined()) continue;
    const cli::Difference one = cli::difference_of(got[i], other, {});
    worst = std::max(worst, one.why.empty() ? one.relative : INFINITY);
  }
  return worst;
}

// Nothing where the model has no such batch.
std::optional<Row> measure(const Options& options, const Ort& ort, const std::string& folder,
                           int threads, int64_t batch) {
  Row row{.threads = threads, .batch = batch};
  row.model = folder.substr(folder.find_last_of('/') + 1);
  try {
    const auto made = make_case(folder, batch);
    if (!made) return std::nullopt;
    set_thread_count(threads);
    OrtSession peer(ort, made->path, threads);
    TensorList expected;
    try {
      peer.set_inputs(in_order(*made, peer.input_names()));
      expected = peer.run_copy();
    } catch (const Error&) {
      // An axis that has no size of its own may still not be one of items.
      if (made->stretched) return std::nullopt;
      throw;
    }
    const engine::Session session = cli::load_session(made->path, {.threads = threads});
    row.difference = worst_difference(session, session.run(made->inputs), peer, expected);
    row.speed = alternate([&] { session.run(made->inputs); }, [&] { peer.run(); }, options);
    if (!options.no_load) row.loads = measure_loads(options, *made, session, threads);
  } catch (const std::exception& error) {
    row.failure = error.what();
    row.failure = row.failure.substr(0, row.failure.find('\n'));
  }
  return row;
}

// -- Printing
// ------------------------------------------------------------------------------------------

Json to_json(const Row& row) {
  Json json = {{"model", row.model}, {"threads", row.threads}, {"batch", row.batch}};
  if (!row.failure.empty()) {
    json["failure"] = row.failure;
    return json;
  }
  json["tenon_ms"] = row.speed.tenon_ms.median;
  json["ort_ms"] = row.speed.ort_ms.median;
  json["speedup"] = row.speedup();
  json["speedup_p10"] = row.speed.speedup.p10;
  json["speedup_p90"] = row.speed.speedup.p90;
  json["tenon_spread"] = row.speed.tenon_ms.spread();
  json["ort_spread"] = row.speed.ort_ms.spread();
  json["rounds"] = row.speed.speedup.count;
  json["difference"] = row.difference;
  if (row.loads) {
    const auto& [tenon, file, peer] = *row.loads;
    json["tenon_load_ms"] = tenon.load_ms;
    json["ort_load_ms"] = peer.load_ms;
    json["load_ratio"] = tenon.load_ms / peer.load_ms;
    json["tenon_file_ready_ms"] = file.load_ms;
    json["file_ready_ratio"] = file.load_ms / peer.load_ms;
    json["tenon_first_ms"] = tenon.first_ms;
    json["ort_first_ms"] = peer.first_ms;
    json["tenon_rss_mb"] = tenon.rss_peak_mb;
    json["ort_rss_mb"] = peer.rss_peak_mb;
    json["rss_ratio"] = tenon.rss_peak_mb / peer.rss_peak_mb;
    json["tenon_file_rss_mb"] = file.rss_peak_mb;
    json["file_rss_ratio"] = file.rss_peak_mb / peer.rss_peak_mb;
  }
  return json;
}

void print_header() {
  std::printf("%-28s %7s %5s %10s %10s %8s %13s %7s %7s %7s %7s %9s\n", "model", "threads", "batch",
              "tenon ms", "ort ms", "speed-up", "10-90 %", "load", "ready", "memory", "mapped",
              "diff");
}

void print_row(const Row& row) {
  std::printf("%-28s %7d %5ld ", row.model.c_str(), row.threads, static_cast<long>(row.batch));
  if (!row.failure.empty()) {
    std::printf("failed: %s\n", row.failure.c_str());
    return;
  }
  std::printf("%10.3f %10.3f %8.2f %6.2f-%-6.2f ", row.speed.tenon_ms.median,
              row.speed.ort_ms.median, row.speedup(), row.speed.speedup.p10, row.speed.speedup.p90);
  if (row.loads) {
    const auto& [tenon, file, peer] = *row.loads;
    std::printf("%7.2f %7.2f %7.2f %7.2f ", tenon.load_ms / peer.load_ms,
                file.load_ms / peer.load_ms, tenon.rss_peak_mb / peer.rss_peak_mb,
                file.rss_peak_mb / peer.rss_peak_mb);
  } else {
    std::printf("%7s %7s %7s %7s ", "-", "-", "-", "-");
  }
  std::printf("%9.1e\n", row.difference);
  std::fflush(stdout);
}

struct Group {
  size_t models = 0;
  double log_sum = 0, worst = INFINITY;
  std::string worst_model;

  double mean() const { return std::exp(log_sum / static_cast<double>(models)); }
};

std::map<std::pair<int, int64_t>, Group> summarize(const std::vector<Row>& rows) {
  std::map<std::pair<int, int64_t>, Group> groups;
  for (const Row& row : rows) {
    if (!row.failure.empty()) continue;
    Group& group = groups[{row.threads, row.batch}];
    ++group.models;
    group.log_sum += std::log(row.speedup());
    if (row.speedup() >= group.worst) continue;
    group.worst = row.speedup();
    group.worst_model = row.model;
  }
  return groups;
}

int compare(const Options& options) {
  const Ort ort(options.ort);
  std::vector<std::string> models;
  for (const std::string& folder : options.folders)
    for (const std::string& model : find_models(folder))
      if (model.substr(model.find_last_of('/') + 1).find(options.filter) != std::string::npos)
        models.push_back(model);
  TENON_CHECK(!models.empty(), usage,
              "bench engine: no models; --models names folders of folders with model.onnx");
  if (!options.json) {
    std::printf("Tenon beside ONNX Runtime %s on %s\n\n", ort.version().c_str(),
                read_cpu_facts().model.c_str());
    print_header();
  }
  std::vector<Row> rows;
  for (const int threads : options.threads)
    for (const int64_t batch : options.batches)
      for (const std::string& model : models) {
        auto row = measure(options, ort, model, threads, batch);
        if (!row) continue;
        if (!options.json) print_row(*row);
        rows.push_back(std::move(*row));
      }
  Json list = Json::array(), summary = Json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  if (!options.json) std::printf("\n");
  for (const auto& [key, group] : summarize(rows)) {
    summary.push_back({{"threads", key.first},
                       {"batch", key.second},
                       {"models", group.models},
                       {"geometric_mean", group.mean()},
                       {"worst", group.worst},
                       {"worst_model", group.worst_model}});
    if (!options.json)
      std::printf("%d threads, batch %ld: geometric mean %.3f of %zu models, worst %.3f (%s)\n",
                  key.first, static_cast<long>(key.second), group.mean(), group.models, group.worst,
                  group.worst_model.c_str());
  }
  if (options.json)
    std::printf("%s\n", Json{{"onnxruntime", ort.version()},
                             {"cpu", read_cpu_facts().model},
                             {"rows", list},
                             {"summary", summary}}
                            .dump(1)
                            .c_str());
  return 0;
}

// What TENON_ORT names, else what ./dev setup --bench installed.
std::string default_ort() {
  if (const char* path = std::getenv("TENON_ORT"); path && *path) return path;
  const std::string folder = "build/onnxruntime/node_modules/onnxruntime-node/bin";
  if (is_directory(folder))
    for (const std::string& file : list_files(folder))
      if (file.ends_with("linux/x64/libonnxruntime.so.1")) return folder + "/" + file;
  return folder + "/napi-v6/linux/x64/libonnxruntime.so.1";
}

std::vector<std::string> default_folders() {
  const char* data = std::getenv("TENON_TEST_DATA");
  return {"build/bench/models", std::string(data && *data ? data : "../shared") + "/models"};
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Options options;
  CLI::App app("The engine side by side with ONNX Runtime", "bench engine");
  app.add_option("--models", options.folders, "Folders of folders with model.onnx")
      ->allow_extra_args(false);
  app.add_option("--threads", options.threads, "N,...")->delimiter(',');
  app.add_option("--batch", options.batches, "N,...")->delimiter(',');
  app.add_option("--ort", options.ort, "libonnxruntime.so.1 (TENON_ORT)");
  app.add_option("--filter", options.filter, "Only models whose name holds this");
  app.add_option("--seconds", options.seconds, "For each side of a case");
  app.add_flag("--no-load", options.no_load, "Leave loading and memory out");
  app.add_flag("--json", options.json, "One JSON document");
  app.add_option("--child", options.child)->group("");
  app.add_option("--child-folder", options.child_folder)->group("");
  CLI11_PARSE(app, argc, argv);
  tenon::set_log_level(tenon::LogLevel::error);
  try {
    if (options.ort.empty()) options.ort = bench::default_ort();
    if (options.folders.empty()) options.folders = bench::default_folders();
    return options.child.empty() ? bench::compare(options) : bench::measure_load(options);
  } catch (const tenon::Error& error) {
    std::fprintf(stderr, "bench engine: %s\n", error.what());
    return tenon::info(error.kind()).exit_code;
  }
}
