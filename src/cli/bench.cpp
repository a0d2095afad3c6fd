// tenon bench: how fast a model runs here, and where its time goes.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "base/threads.h"
#include "base/trace.h"
#include "cli/arguments.h"
#include "cli/bench_steps.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/model_session.h"
#include "cli/precision_choice.h"
#include "cli/verb.h"
#include "profile/html.h"
#include "profile/process_memory.h"
#include "profile/statistics.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon bench model.onnx --threads 1\n"
    "  tenon bench model.onnx --batch 1,8,32 --seconds 5 --json\n"
    "  tenon bench model.onnx --per-op --html bench.html\n"
    "  tenon bench model.onnx --without fuse_conv --tune off\n"
    "  tenon bench model.onnx --precision int8 --calibrate recipe.yaml\n"
    "  tenon bench model.onnx --precision auto\n";

constexpr size_t kFewestRuns = 10;
constexpr double kSeconds = 2;
constexpr int64_t kStepRuns = 15;

struct Options {
  std::string model, html;
  std::vector<int64_t> batches;
  std::vector<std::string> sizes, inputs;
  std::optional<uint64_t> random;
  std::optional<int64_t> runs;
  std::optional<double> seconds;
  int64_t warmup = 3;
  bool per_op = false, keep_halves = false;
  SessionFlags session;
  QuantizeFlags quantize;
  std::optional<PrecisionChoice> choice = {};  // what --precision auto measured
};

// What was measured of one batch size.
struct Result {
  int64_t batch = 1;
  double load_ms = 0;   // file to session
  double first_ms = 0;  // the first run, which makes the plan
  profile::Summary ms;
  double rss_peak_mb = 0;
  std::vector<TimedStep> steps;

  double items_per_s() const {
    return ms.median > 0 ? static_cast<double>(batch) / ms.median * 1e3 : 0;
  }
};

double run_ms(const engine::Session& session, const TensorList& inputs) {
  const int64_t begin = trace::now_ns();
  session.run(inputs);
  return static_cast<double>(trace::now_ns() - begin) * 1e-6;
}

Result measure(const engine::Session& session, const TensorList& inputs, const Options& options) {
  Result result{.batch = batch_of(inputs)};
  result.first_ms = run_ms(session, inputs);
  for (int64_t i = 0; i < options.warmup; ++i) run_ms(session, inputs);
  std::vector<double> times;
  const int64_t begin = trace::now_ns();
  const double limit = options.seconds.value_or(options.runs ? 0 : kSeconds);
  const auto enough = [&] {
    if (options.runs && times.size() >= static_cast<size_t>(*options.runs)) return true;
    if (limit == 0) return false;
    const size_t fewest = options.runs ? 1 : kFewestRuns;
    return times.size() >= fewest && static_cast<double>(trace::now_ns() - begin) * 1e-9 >= limit;
  };
  while (!enough()) {
    check_interrupted("bench");
    times.push_back(run_ms(session, inputs));
  }
  result.ms = profile::summarize(std::move(times));
  if (options.per_op) result.steps = time_steps(session, inputs, kStepRuns);
  result.rss_peak_mb = static_cast<double>(profile::peak_resident_bytes()) * 1e-6;
  return result;
}

// The inputs of each measurement.
std::vector<TensorList> all_inputs(const graph::Graph& graph, const Options& options) {
  if (options.batches.empty())
    return {given_inputs(graph, options.inputs, options.random, options.sizes)};
  TENON_CHECK(options.inputs.empty(), usage,
              "bench: --input gives a batch of its own; leave --batch out");
  std::vector<TensorList> list;
  for (const int64_t batch : options.batches)
    list.push_back(
        random_batch(graph, parse_sizes(options.sizes), batch, options.random.value_or(1)));
  return list;
}

Json to_json(const Result& result, const Options& options, const profile::Ceilings* ceilings) {
  Json json = {{"model", options.model},
               {"precision", options.quantize.precision},
               {"batch", result.batch},
               {"threads", thread_count()},
               {"runs", result.ms.count},
               {"median_ms", result.ms.median},
               {"mean_ms", result.ms.mean},
               {"min_ms", result.ms.min},
               {"max_ms", result.ms.max},
               {"p90_ms", result.ms.p90},
               {"p99_ms", result.ms.p99},
               {"spread", result.ms.spread()},
               {"load_ms", result.load_ms},
               {"first_ms", result.first_ms},
               {"items_per_s", result.items_per_s()},
               {"rss_peak_mb", result.rss_peak_mb}};
  if (options.choice) json["choice"] = choice_json(*options.choice);
  if (ceilings) {
    json["steps"] = to_json(result.steps, *ceilings);
    json["ceilings"] = {{"gflops", ceilings->gflops},
                        {"memory_gbs", ceilings->memory_gbs},
                        {"l2_gbs", ceilings->l2_gbs}};
  }
  return json;
}

void print_text(const std::vector<Result>& results, const Options& options,
                const profile::Ceilings* ceilings) {
  if (options.choice) std::printf("%s\n", choice_text(*options.choice).c_str());
  Table table({"batch", "median ms", "p90 ms", "p99 ms", "items/s", "spread", "runs", "first ms",
               "peak MB"});
  for (size_t column = 0; column < 9; ++column) table.align(column, terminal::Align::right);
  for (const Result& r : results)
    table.row({std::to_string(r.batch), fmt::format("{:.3f}", r.ms.median),
               fmt::format("{:.3f}", r.ms.p90), fmt::format("{:.3f}", r.ms.p99),
               text::human_count(r.items_per_s()), fmt::format("{:.1f} %", r.ms.spread() * 100),
               std::to_string(r.ms.count), fmt::format("{:.1f}", r.first_ms),
               fmt::format("{:.0f}", r.rss_peak_mb)});
  std::printf("%s: %s, %s, loaded in %.1f ms\n\n%s", options.model.c_str(),
              options.quantize.precision.c_str(),
              text::plural(static_cast<uint64_t>(thread_count()), "thread").c_str(),
              results[0].load_ms, table.str().c_str());
  if (!ceilings) return;
  for (const Result& r : results)
    std::printf("\nbatch %ld\n%s", static_cast<long>(r.batch),
                steps_table(r.steps, *ceilings).c_str());
}

void write_page(const std::vector<Result>& results, const Options& options,
                const profile::Ceilings& ceilings) {
  using profile::html_tile;
  std::string body = fmt::format("<h1>{}</h1><p class=\"sub\">{}, {}, {}</p>",
                                 profile::escape_html(options.model), options.quantize.precision,
                                 text::plural(static_cast<uint64_t>(ceilings.threads), "thread"),
                                 profile::escape_html(ceilings.cpu));
  for (const Result& r : results) {
    body += fmt::format("<h2>Batch {}</h2><div class=\"tiles\">", r.batch) +
            html_tile(text::human_duration(r.ms.median * 1e-3), "median") +
            html_tile(text::human_duration(r.ms.p99 * 1e-3), "99th percentile") +
            html_tile(text::human_count(r.items_per_s()), "items a second") +
            html_tile(text::human_duration(r.load_ms * 1e-3), "to load") +
            html_tile(text::human_duration(r.first_ms * 1e-3), "first run") +
            html_tile(fmt::format("{:.0f} MB", r.rss_peak_mb), "peak memory") +
            "</div><h2>Against the machine's ceilings</h2>" + steps_html(r.steps, ceilings);
  }
  write_file(options.html, profile::html_page(options.model + " - benchmark", body));
}

// The session, and what reading and planning took: quantising is no part of loading. Notes what
// auto chose.
engine::Session load(Options& options, double& load_ms) {
  const auto since = [](int64_t begin) {
    return static_cast<double>(trace::now_ns() - begin) * 1e-6;
  };
  const engine::SessionOptions how = session_options(options.session);
  int64_t begin = trace::now_ns();
  if (options.quantize.form() == QuantizeForm::none) {
    engine::Session session = load_session(options.model, how, options.keep_halves);
    load_ms = since(begin);
    return session;
  }
  graph::Graph graph = load_graph(options.model);
  load_ms = since(begin);
  ModelInPrecision model = in_precision(std::move(graph), options.quantize);
  options.quantize.precision = model.precision;
  options.choice = std::move(model.choice);
  begin = trace::now_ns();
  engine::Session session(std::move(model.graph), how);
  load_ms += since(begin);
  return session;
}

int bench_model(Options& options, const Globals& globals) {
  check_quantize_flags(options.quantize);
  options.per_op = options.per_op || !options.html.empty();
  const InterruptHandler handler;
  double load_ms = 0;
  const engine::Session session = load(options, load_ms);
  std::vector<Result> results;
  for (const TensorList& inputs : all_inputs(inputs_of(session), options)) {
    results.push_back(measure(session, inputs, options));
    results.back().load_ms = load_ms;
  }
  std::optional<profile::Ceilings> ceilings;
  if (options.per_op) ceilings = profile::ceilings();
  const profile::Ceilings* roofs = ceilings ? &*ceilings : nullptr;
  if (!options.html.empty()) write_page(results, options, *ceilings);
  if (!globals.json) {
    print_text(results, options, roofs);
  } else if (results.size() == 1) {
    print_json(to_json(results[0], options, roofs));
  } else {
    Json list = Json::array();
    for (const Result& result : results) list.push_back(to_json(result, options, roofs));
    print_json({{"model", options.model}, {"sweep", list}});
  }
  return 0;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("model", options->model, "An ONNX file").required();
  arguments
      .option("--batch", options->batches,
              "N,...: items at once, the first axis of the first input; several are a sweep")
      .with_commas()
      .above_zero();
  arguments.option("--dim", options->sizes, "NAME=SIZE of another symbolic axis (else 1)")
      .one_at_a_time();
  arguments
      .option("--input", options->inputs, "NAME=FILE.npy, once an input; random ones otherwise")
      .one_at_a_time();
  arguments.option("--random", options->random, "The seed of random inputs (1)");
  arguments.option("--runs", options->runs, "Measure so many runs").above_zero();
  arguments
      .option("--seconds", options->seconds,
              "Measure for so long (2, and at least 10 runs, where --runs is not given)")
      .above_zero();
  arguments.option("--warmup", options->warmup, "Runs before, beside the first one (3)")
      .not_negative();
  add_quantize_flags(arguments, options->quantize);
  add_session_flags(arguments, options->session);
  arguments.flag("--keep-halves", options->keep_halves,
                 "Round to f16 after every operator as the file says, not only at the end");
  arguments.flag(
      "--per-op", options->per_op,
      "Time each step, beside what this machine can do at most (measured once, and kept in "
      "the user's cache folder)");
  arguments.option("--html", options->html, "Write a page with a roofline to this file");
  return [options, &globals] { return bench_model(*options, globals); };
}

}  // namespace

constinit const Verb bench{"bench", Stage::ship,
                           "Measure a model's latency, throughput and memory.", kExamples, define};

}  // namespace tenon::cli
