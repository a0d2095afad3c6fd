// The program around its verbs: global options, help, errors and exit codes.
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/threads.h"
#include "base/trace.h"
#include "base/version.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "runtime/dispatch.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 1 the thing asked about is not so, 2 wrong usage, 3 bad data, 4 "
    "unsupported,\n"
    "5 resource (memory, disk, files), 70 a bug in Tenon, 130 stopped.";

std::string_view title(Stage stage) {
  switch (stage) {
    case Stage::train: return "Train";
    case Stage::ship: return "Ship";
    case Stage::know: return "Know";
  }
  return "";
}

void print_overview() {
  std::printf(
      "tenon %s - from raw data to a service, in one program\n\nUsage: tenon VERB [options]\n",
      kVersion.data());
  for (Stage stage : {Stage::train, Stage::ship, Stage::know}) {
    std::printf("\n%s\n", std::string(title(stage)).c_str());
    for (const Verb* verb : verbs())
      if (verb->stage == stage)
        std::printf("  %-10s %s\n", std::string(verb->name).c_str(),
                    std::string(verb->doc).c_str());
  }
  std::printf("\n`tenon VERB --help` explains one. %s\n", std::string(kExitCodes).c_str());
}

// Past this the system may give no more of them, which the OpenMP runtime answers by ending the
// process.
constexpr int kMaxThreads = 1024;

struct Settings : Globals {
  int threads = 0;
  std::string backend = "automatic";
  bool quiet = false;
};

void add_globals(Arguments& arguments, Settings& settings) {
  arguments.flag("--json", settings.json,
                 "Print one JSON document on standard output and nothing else there");
  arguments.option("--threads", settings.threads, "Threads inside an operator")
      .within(1, kMaxThreads);
  arguments.option("--backend", settings.backend, "Which kernels may run")
      .choices({"automatic", "cpu", "reference", "expansion"});
  arguments.flag("--explain", settings.explain,
                 "Say which kernel each operator took, and why better ones refused");
  arguments.option("--trace", settings.trace,
                   "Write a Chrome trace (for ui.perfetto.dev) to this file");
  arguments.flag("--quiet", settings.quiet, "No progress, warnings or notes");
}

Backend backend_of(const std::string& name) {
  if (name == "cpu") return Backend::cpu;
  if (name == "reference") return Backend::reference;
  return name == "expansion" ? Backend::expansion : Backend::automatic;
}

void report(const Error& error, bool json) {
  std::fprintf(stderr, "%s %s\n",
               terminal::styled("tenon:", terminal::Style::red, terminal::kStderr).c_str(),
               error.what());
  if (!json) return;
  print_json({{"error",
               {{"kind", info(error.kind()).name},
                {"message", error.message()},
                {"contexts", error.contexts()}}}});
}

void print_choices() {
  for (const Choice& choice : take_choices()) {
    std::fprintf(stderr, "%s -> %s\n", choice.call.c_str(), choice.kernel.c_str());
    for (const std::string& refusal : choice.refusals)
      std::fprintf(stderr, "    %s\n", refusal.c_str());
  }
}

// Fails as writing the file at the end would, before the work is done. Pipes and devices are not
// opened to try.
void check_writable(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status) ||
      std::filesystem::is_directory(status))
    const AtomicFile probe(path);
}

int run_verb(const Settings& settings, const Run& run) {
  // Also where nothing is asked for: libraries with loops of their own must hear of the container's
  // share of the machine.
  set_thread_count(settings.threads > 0 ? settings.threads : thread_count());
  if (settings.quiet) {
    set_log_level(LogLevel::error);
    set_progress_mode(ProgressMode::quiet);
  }
  const BackendScope backend(backend_of(settings.backend));
  set_explain(settings.explain);
  if (!settings.trace.empty()) {
    check_writable(settings.trace);
    trace::start();
  }
  const int code = run();
  if (settings.explain) print_choices();
  if (!settings.trace.empty()) {
    trace::stop();
    trace::write_chrome_trace(settings.trace);
  }
  return code;
}

int run_named(const Verb& verb, int argc, const char* const* argv, Settings& settings) {
  Arguments arguments("tenon " + std::string(verb.name), verb.doc);
  add_globals(arguments, settings);
  const Run run = verb.define(arguments, settings);
  arguments.footer(fmt::format("Examples:\n{}\n{}", verb.examples, kExitCodes));
  if (!arguments.parse(argc - 2, argv + 2, verb.name)) {
    std::printf("%s", arguments.help().c_str());
    return 0;
  }
  return run_verb(settings, run);
}

const Verb& find_verb(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Verb* verb : verbs()) {
    if (verb->name == name) return *verb;
    known.push_back(verb->name);
  }
  const std::string near = text::did_you_mean(name, known);
  fail(ErrorKind::usage, "there is no verb '{}'; {}", name,
       near.empty() ? "`tenon --help` lists them" : fmt::format("did you mean '{}'?", near));
}

}  // namespace

void print_json(const Json& document) {
  std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

int run_program(int argc, const char* const* argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--json") settings.json = true;
  try {
    const std::string_view first = argc > 1 ? argv[1] : "--help";
    if (first == "--help" || first == "-h" || first == "help") {
      if (argc > 2 && first == "help") {
        const char* help[] = {argv[0], argv[2], "--help"};
        return run_named(find_verb(argv[2]), 3, help, settings);
      }
      print_overview();
      return 0;
    }
    if (first == "--version") {
      std::printf("tenon %s\n", kVersion.data());
      return 0;
    }
    TENON_CHECK(!first.starts_with("-"), usage, "options come after the verb: tenon VERB {}",
                first);
    return run_named(find_verb(first), argc, argv, settings);
  } catch (const Error& error) {
    report(error, settings.json);
    return info(error.kind()).exit_code;
  } catch (const std::bad_alloc&) {
    report(Error(ErrorKind::resource, "out of memory; use a smaller batch or model"),
           settings.json);
    return info(ErrorKind::resource).exit_code;
  } catch (const std::exception& error) {
    report(Error(ErrorKind::bug,
                 fmt::format("{}; this is a bug in Tenon, please report it", error.what())),
           settings.json);
    return info(ErrorKind::bug).exit_code;
  }
}

}  // namespace tenon::cli
