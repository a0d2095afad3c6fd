// tenon ops: the operators, and all about one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "base/text.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/kernel.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon ops\n"
    "  tenon ops show Conv\n"
    "  tenon ops --markdown > docs/ops.md\n";

struct Options {
  std::string action, name;
  bool markdown = false;
};

std::string domain_of(const OpDef& op) {
  if (op.onnx.since == 0) return "ai.tenon";
  return op.onnx.domain.empty() ? "ai.onnx" : std::string(op.onnx.domain);
}

// "1, 6, 13": the opsets whose form differs, the canonical one last.
std::string versions(const OpDef& op) {
  if (op.onnx.since == 0) return "-";
  std::vector<std::string> list;
  for (const auto& older : op.onnx.older) list.push_back(std::to_string(older.since));
  list.push_back(std::to_string(op.onnx.since));
  return text::join(list, ", ");
}

std::string gradient(const OpDef& op) {
  if (op.grad.expansion) return "through its expansion";
  return op.grad.fn ? "yes" : "no: " + std::string(op.grad.reason);
}

std::vector<std::string> kernel_names(const OpDef& op, Backend backend) {
  std::vector<std::string> names;
  for (const KernelEntry* entry : kernels_of(op, backend)) names.emplace_back(entry->name);
  return names;
}

std::string_view text_of(AttrType type) {
  constexpr std::string_view names[] = {"int",    "float",   "string", "ints",
                                        "floats", "strings", "tensor", "graph"};
  return names[static_cast<size_t>(type)];
}

std::string default_of(const AttrSpec& spec) {
  if (spec.required) return "required";
  if (!spec.has_default) return "optional";
  if (spec.type == AttrType::f) return fmt::format("default {}", spec.f);
  if (spec.type == AttrType::s) return fmt::format("default \"{}\"", spec.s);
  return fmt::format("default {}", spec.i);
}

Json to_json(const OpDef& op) {
  const auto ports = [&](const auto& list) {
    Json json = Json::array();
    for (const Port& port : list) {
      constexpr std::string_view arities[] = {"single", "optional", "variadic"};
      json.push_back({{"name", port.name},
                      {"types", op.find_type(port.type_var)->set.str()},
                      {"arity", arities[static_cast<size_t>(port.arity)]}});
    }
    return json;
  };
  Json attrs = Json::array();
  for (const AttrSpec& spec : op.attrs)
    attrs.push_back(
        {{"name", spec.name}, {"type", text_of(spec.type)}, {"default", default_of(spec)}});
  return {{"name", op.name},
          {"domain", domain_of(op)},
          {"doc", op.doc},
          {"onnx_versions", versions(op)},
          {"inputs", ports(op.inputs)},
          {"outputs", ports(op.outputs)},
          {"attributes", attrs},
          {"gradient", gradient(op)},
          {"expansion", op.expand.fn != nullptr},
          {"cpu_kernels", kernel_names(op, Backend::cpu)},
          {"reference_kernels", kernel_names(op, Backend::reference)}};
}

void print_port(std::string_view what, const OpDef& op, const Port& port) {
  constexpr std::string_view arities[] = {"", ", optional", ", any number"};
  std::printf("  %-9s %-18s %s%s%s\n", std::string(what).c_str(), std::string(port.name).c_str(),
              op.find_type(port.type_var)->set.str().c_str(),
              std::string(arities[static_cast<size_t>(port.arity)]).c_str(),
              port.value ? ", decides the shape" : "");
}

int show(const std::string& name, bool json) {
  const OpDef* found = nullptr;
  std::vector<std::string_view> known;
  for (const OpDef* op : op::all()) {
    known.push_back(op->name);
    if (op->name == name) found = op;
  }
  const std::string near = text::did_you_mean(name, known);
  TENON_CHECK(found, usage, "ops show: there is no operator {}; {}", name,
              near.empty() ? "`tenon ops` lists them" : fmt::format("did you mean {}?", near));
  if (json) {
    print_json(to_json(*found));
    return 0;
  }
  const OpDef& op = *found;
  std::printf("%s (%s, opsets %s)\n  %s\n\n", name.c_str(), domain_of(op).c_str(),
              versions(op).c_str(), std::string(op.doc).c_str());
  for (const Port& port : op.inputs) print_port("input", op, port);
  for (const AttrSpec& spec : op.attrs)
    std::printf("  attribute %-18s %s, %s%s\n", std::string(spec.name).c_str(),
                std::string(text_of(spec.type)).c_str(), default_of(spec).c_str(),
                spec.choices.empty()
                    ? ""
                    : (", one of " + text::join(text::split(spec.choices, '|'), ", ")).c_str());
  for (const Port& port : op.outputs) print_port("output", op, port);
  std::printf("\n  gradient  %s\n  expansion %s\n", gradient(op).c_str(),
              op.expand.fn ? "yes" : "none: a primitive");
  std::printf("  cpu       %s\n  reference %s\n",
              text::join(kernel_names(op, Backend::cpu), ", ").c_str(),
              text::join(kernel_names(op, Backend::reference), ", ").c_str());
  return 0;
}

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
                domain_of(*op).c_str(), versions(*op).c_str(),
                op->grad.fn || op->grad.expansion ? "yes" : "no",
                kernel_names(*op, Backend::cpu).size(), std::string(op->doc).c_str());
}

int list(const Options& options, bool json) {
  if (options.action == "show") {
    TENON_CHECK(!options.name.empty(), usage,
                "ops show: name an operator, as in `tenon ops show Conv`");
    return show(options.name, json);
  }
  TENON_CHECK(options.action.empty(), usage,
              "ops: unknown word '{}'; write `tenon ops` or `tenon ops show NAME`", options.action);
  if (options.markdown) {
    print_markdown();
    return 0;
  }
  if (json) {
    Json all = Json::array();
    for (const OpDef* op : op::all()) all.push_back(to_json(*op));
    print_json(all);
    return 0;
  }
  Table table({"operator", "domain", "versions", "gradient", "cpu", "reference", "what it does"});
  for (const OpDef* op : op::all())
    table.row({std::string(op->name), domain_of(*op), versions(*op),
               op->grad.fn || op->grad.expansion ? "yes" : "no",
               kernel_names(*op, Backend::cpu).empty() ? "-" : "yes",
               kernel_names(*op, Backend::reference).empty() ? "-" : "yes", std::string(op->doc)});
  table.print();
  std::printf("\n%zu operators\n", op::all().size());
  return 0;
}

Run define(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("action", options->action, "`show` explains one operator");
  app.add_option("name", options->name, "The operator for `show`");
  app.add_flag("--markdown", options->markdown, "The table as Markdown (docs/ops.md)");
  return [options, &globals] { return list(*options, globals.json); };
}

}  // namespace

constinit const Verb ops{"ops", Stage::know, "List the operators, or explain one.", kExamples,
                         define};

}  // namespace tenon::cli
