// tenon ops: the operators, what is covered, and all about one.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/op_facts.h"
#include "cli/ops_coverage.h"
#include "cli/ops_show.h"
#include "cli/verb.h"
#include "ops/catalog.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon ops\n"
    "  tenon ops show Conv\n"
    "  tenon ops show com.microsoft.Gelu\n"
    "  tenon ops --coverage\n"
    "  tenon ops --markdown > docs/ops.md\n";

struct Options {
  std::string action, name;
  bool markdown = false, coverage = false;
};

void print_markdown() {
  std::printf(
      "# Operators\n\nPrinted by `tenon ops --markdown`. Names and semantics are ONNX's; "
      "`ai.tenon` marks operators of Tenon's own.\n"
      "Versions are the opsets at which a form changed; the last is the one Tenon computes with, "
      "older ones are\n"
      "rewritten on import. `tenon ops show NAME` tells everything about one.\n\n"
      "| operator | domain | versions | gradient | cpu kernels | what it does "
      "|\n|---|---|---|---|---|---|\n");
  for (const OpDef* op : op::all())
    std::printf("| %s | %s | %s | %s | %zu | %s |\n", std::string(op->name).c_str(),
                domain_of(*op).c_str(), versions_of(*op).c_str(), has_gradient(*op) ? "yes" : "no",
                kernel_names(*op, Backend::cpu).size(), std::string(op->doc).c_str());
}

void print_table() {
  Table table({"operator", "domain", "versions", "gradient", "cpu", "reference", "what it does"});
  for (const OpDef* op : op::all())
    table.row({std::string(op->name), domain_of(*op), versions_of(*op),
               has_gradient(*op) ? "yes" : "no",
               kernel_names(*op, Backend::cpu).empty() ? "-" : "yes",
               kernel_names(*op, Backend::reference).empty() ? "-" : "yes", std::string(op->doc)});
  table.print();
  std::printf("\n%zu operators\n", op::all().size());
}

void show(const Options& options, bool json) {
  TENON_CHECK(!options.name.empty(), usage,
              "ops show: name an operator, as in `tenon ops show Conv`");
  TENON_CHECK(!options.markdown && !options.coverage, usage,
              "ops show: --markdown and --coverage are for all operators; leave them out");
  const OpDef& op = find_op(options.name, "ops show");
  if (json)
    print_json(op_json_with_calls(op));
  else
    print_op(op);
}

void list(const Options& options, bool json) {
  TENON_CHECK(!json || !options.markdown, usage,
              "ops: --json and --markdown exclude each other; give one");
  if (options.coverage) {
    if (json)
      print_json(coverage_json());
    else if (options.markdown)
      print_coverage_markdown();
    else
      print_coverage_table();
  } else if (options.markdown) {
    print_markdown();
  } else if (json) {
    Json all = Json::array();
    for (const OpDef* op : op::all()) all.push_back(op_json(*op));
    print_json(all);
  } else {
    print_table();
  }
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("action", options->action, "`show` explains one operator");
  arguments.option("name", options->name, "The operator for `show`: Conv, com.microsoft.Gelu");
  arguments.flag("--coverage", options->coverage,
                 "What each operator has: kernels, gradient, ONNX versions, and the types that run "
                 "fast, found out by its samples");
  arguments.flag("--markdown", options->markdown, "The table as Markdown (docs/ops.md)");
  return [options, &globals] {
    TENON_CHECK(options->action.empty() || options->action == "show", usage,
                "ops: unknown word '{}'; write `tenon ops` or `tenon ops show NAME`",
                options->action);
    if (options->action == "show")
      show(*options, globals.json);
    else
      list(*options, globals.json);
    return 0;
  };
}

}  // namespace

constinit const Verb ops{"ops", Stage::know, "List the operators, or explain one.", kExamples,
                         define};

}  // namespace tenon::cli
