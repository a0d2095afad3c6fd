// Reading operator definitions and kernel lists for people.
#include "cli/op_facts.h"

#include "base/error.h"
#include "base/text.h"
#include "ops/catalog.h"
#include "runtime/kernel.h"

namespace tenon::cli {

std::string domain_of(const OpDef& op) {
  if (op.onnx.since == 0) return "ai.tenon";
  return op.onnx.domain.empty() ? "ai.onnx" : std::string(op.onnx.domain);
}

std::string label_of(const OpDef& op) {
  const std::string domain = domain_of(op);
  return domain == "ai.onnx" ? std::string(op.name) : fmt::format("{}.{}", domain, op.name);
}

std::string versions_of(const OpDef& op) {
  if (op.onnx.since == 0) return "-";
  std::vector<std::string> list;
  for (const auto& older : op.onnx.older) list.push_back(std::to_string(older.since));
  list.push_back(std::to_string(op.onnx.since));
  return text::join(list, ", ");
}

bool has_gradient(const OpDef& op) { return op.grad.fn || op.grad.expansion; }

std::string gradient_of(const OpDef& op) {
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

std::string_view text_of(Arity arity) {
  constexpr std::string_view names[] = {"single", "optional", "variadic"};
  return names[static_cast<size_t>(arity)];
}

const OpDef& find_op(std::string_view name, std::string_view where) {
  const OpDef* found = nullptr;
  std::vector<std::string> known;
  for (const OpDef* op : op::all()) {
    if (name == fmt::format("{}.{}", domain_of(*op), op->name)) return *op;
    if (op->name == name && (!found || domain_of(*op) == "ai.onnx")) found = op;
    known.emplace_back(op->name);
    known.push_back(label_of(*op));
  }
  if (found) return *found;
  std::string near = text::did_you_mean(name, known);
  if (const size_t cut = name.rfind('.'); near.empty() && cut != std::string_view::npos)
    near = text::did_you_mean(name.substr(cut + 1), known);
  fail(ErrorKind::usage, "{}: there is no operator {}; {}", where, text::printable(name),
       near.empty() ? "`tenon ops` lists them" : fmt::format("did you mean {}?", near));
}

}  // namespace tenon::cli
