// The catalogue against ONNX's own operator schemas, all versions of those that the installed ONNX
// has: every form exists here, and where a node is taken as it is (the canonical form, and older
// ones without a rewrite) inputs, outputs, types, attributes and defaults are what ONNX says. What
// differs on purpose stands in schema_exceptions.txt.
#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "ops/catalog.h"
#include "ops/onnx_node.h"
#include "test_data.h"

namespace tenon {

namespace {

using ::onnx::AttributeProto;
using ::onnx::OpSchema;

const std::string kExceptions = "tests/onnx/schema_exceptions.txt";

// Findings that no exception covers, and the exceptions that were needed.
class Findings {
 public:
  explicit Findings(std::map<std::string, std::string> exceptions)
      : exceptions_(std::move(exceptions)) {}

  // `key` is what the list of exceptions names: "Clip attribute min".
  void add(const std::string& key, const std::string& what) {
    if (exceptions_.contains(key))
      used.insert(key);
    else
      ADD_FAILURE() << key << ": " << what;
  }
  void expect_all_used() const {
    for (const auto& [key, reason] : exceptions_)
      EXPECT_TRUE(used.contains(key))
          << kExceptions << " lists '" << key << "', but there is no difference; take it off";
  }

  std::set<std::string> used;

 private:
  std::map<std::string, std::string> exceptions_;
};

std::string label(const OpSchema& schema) {
  return schema.domain().empty() ? schema.Name() : schema.domain() + "." + schema.Name();
}

// The form in which `op` takes nodes of `opset`; canonical, as they are, rewritten, or not at all.
enum class Form { canonical, as_is, rewritten, none };
Form form_at(const OpDef& op, int opset) {
  if (opset >= op.onnx.since) return Form::canonical;
  const OnnxForm::Older* form = nullptr;
  for (const OnnxForm::Older& older : op.onnx.older)
    if (older.since <= opset) form = &older;
  if (!form) return Form::none;
  return form->upgrade == upgrade::as_is ? Form::as_is : Form::rewritten;
}

std::optional<AttrType> type_of(AttributeProto::AttributeType type) {
  switch (type) {
    case AttributeProto::INT: return AttrType::i;
    case AttributeProto::FLOAT: return AttrType::f;
    case AttributeProto::STRING: return AttrType::s;
    case AttributeProto::INTS: return AttrType::ints;
    case AttributeProto::FLOATS: return AttrType::floats;
    case AttributeProto::STRINGS: return AttrType::strings;
    case AttributeProto::TENSOR: return AttrType::tensor;
    case AttributeProto::GRAPH: return AttrType::graph;
    default: return std::nullopt;
  }
}

// "" when the defaults are the same. Lists and tensors have no default in either.
std::string default_difference(const AttrSpec& ours, const AttributeProto& theirs) {
  const bool given = theirs.has_type() && theirs.type() != AttributeProto::UNDEFINED;
  switch (ours.type) {
    case AttrType::i:
      if (given != ours.has_default) break;
      return !given || theirs.i() == ours.i
                 ? ""
                 : fmt::format("is {} instead of {}", ours.i, theirs.i());
    case AttrType::f:
      if (given != ours.has_default) break;
      return !given || theirs.f() == static_cast<float>(ours.f)
                 ? ""
                 : fmt::format("is {} instead of {}", ours.f, theirs.f());
    case AttrType::s:
      if (given != ours.has_default) break;
      return !given || theirs.s() == ours.s
                 ? ""
                 : fmt::format("is '{}' instead of '{}'", ours.s, theirs.s());
    default: return "";
  }
  return given ? "is missing" : "is one that ONNX has not";
}

void compare_attributes(const OpDef& op, const OpSchema& schema, Findings& findings) {
  for (const auto& [name, theirs] : schema.attributes()) {
    if (name == "consumed_inputs") continue;  // a hint to memory planners, before opset 6
    const std::string key = label(schema) + " attribute " + name;
    const AttrSpec* ours = op.find_attr(name);
    if (!ours) {
      findings.add(key, fmt::format("missing; version {} has it", schema.SinceVersion()));
      continue;
    }
    const auto type = type_of(theirs.type);
    if (!type || *type != ours->type)
      findings.add(key, fmt::format("of another type than in version {}", schema.SinceVersion()));
    else if (const std::string why = default_difference(*ours, theirs.default_value); !why.empty())
      findings.add(key, fmt::format("its default {}, in version {}", why, schema.SinceVersion()));
    if (ours->required && !theirs.required)
      findings.add(key, fmt::format("required, but not in version {}", schema.SinceVersion()));
  }
}

// What only ours has, or says less strictly: for the newest version, where it is the canonical
// form.
void compare_newest(const OpDef& op, const OpSchema& schema, Findings& findings) {
  for (const AttrSpec& ours : op.attrs) {
    const std::string key = fmt::format("{} attribute {}", label(schema), ours.name);
    const auto found = schema.attributes().find(std::string(ours.name));
    if (found == schema.attributes().end())
      findings.add(key, fmt::format("not in version {}", schema.SinceVersion()));
    else if (found->second.required && !ours.required)
      findings.add(key, fmt::format("not required, but in version {}", schema.SinceVersion()));
  }
  const auto compare_names = [&](const auto& ours, const auto& theirs, std::string_view kind) {
    for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
      if (ours[i].name != theirs[i].GetName())
        findings.add(fmt::format("{} {} {}", label(schema), kind, theirs[i].GetName()),
                     fmt::format("named {} here", ours[i].name));
  };
  compare_names(op.inputs, schema.inputs(), "input");
  compare_names(op.outputs, schema.outputs(), "output");
}

Arity arity_of(OpSchema::FormalParameterOption option) {
  switch (option) {
    case OpSchema::Optional: return Arity::optional;
    case OpSchema::Variadic: return Arity::variadic;
    default: return Arity::single;
  }
}

// "tensor(float)" -> f32, "seq(tensor(float))" -> sequence.
DType dtype_of_schema(std::string_view text) {
  if (text.starts_with("seq(")) return DType::sequence;
  if (text.starts_with("optional(")) return DType::optional;
  if (text.starts_with("map(")) return DType::map;
  std::string name(text.substr(text.find('(') + 1));
  name = name.substr(0, name.find(')'));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  return parse_dtype(name);
}

template <class Ports>
void compare_ports(const OpDef& op, const Ports& ours,
                   const std::vector<OpSchema::FormalParameter>& theirs, std::string_view kind,
                   const OpSchema& schema, Findings& findings) {
  for (size_t i = 0; i < theirs.size(); ++i) {
    const std::string key = fmt::format("{} {} {}", label(schema), kind, theirs[i].GetName());
    if (i >= ours.size()) {
      findings.add(key, fmt::format("missing; version {} has it", schema.SinceVersion()));
      continue;
    }
    const Port& port = ours[i];
    const Arity arity = arity_of(theirs[i].GetOption());
    if (port.arity != arity && !(port.arity == Arity::optional && arity == Arity::single))
      findings.add(key, fmt::format("of another arity than in version {}", schema.SinceVersion()));
    const TypeSet set = op.find_type(port.type_var)->set;
    std::vector<std::string> missing;
    for (const std::string* type : theirs[i].GetTypes()) {
      const DType dtype = dtype_of_schema(*type);
      if (dtype == DType::undefined || !set.has(dtype)) missing.push_back(*type);
    }
    std::ranges::sort(missing);
    if (!missing.empty())
      findings.add(key, fmt::format("lacks {}, which version {} has", text::join(missing, ", "),
                                    schema.SinceVersion()));
  }
  if (form_at(op, schema.SinceVersion()) != Form::canonical) return;
  for (size_t i = theirs.size(); i < ours.size(); ++i)
    if (ours[i].arity == Arity::single)
      findings.add(fmt::format("{} {} {}", label(schema), kind, ours[i].name),
                   fmt::format("not in version {}", schema.SinceVersion()));
}

TEST(Schemas, AgreeWithTheCatalogue) {
  Findings findings(read_reasons(kExceptions));
  std::set<std::string> absent;
  std::map<const OpDef*, OpSchema> newest;
  for (const OpSchema& schema : ::onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    if (schema.Deprecated() || schema.support_level() == OpSchema::SupportType::EXPERIMENTAL)
      continue;
    const OpDef* op = op::find(schema.Name(), schema.domain());
    if (!op) {
      if (absent.insert(label(schema)).second)
        findings.add(label(schema), "no operator of the catalogue");
      continue;
    }
    const auto known = newest.find(op);
    if (known == newest.end() || known->second.SinceVersion() < schema.SinceVersion())
      newest.insert_or_assign(op, schema);
    const Form form = form_at(*op, schema.SinceVersion());
    if (form == Form::none)
      findings.add(fmt::format("{} version {}", label(schema), schema.SinceVersion()),
                   "the catalogue has no such form");
    if (form != Form::canonical && form != Form::as_is) continue;
    compare_ports(*op, op->inputs, schema.inputs(), "input", schema, findings);
    compare_ports(*op, op->outputs, schema.outputs(), "output", schema, findings);
    compare_attributes(*op, schema, findings);
  }
  for (const auto& [op, schema] : newest)
    if (form_at(*op, schema.SinceVersion()) == Form::canonical)
      compare_newest(*op, schema, findings);
  findings.expect_all_used();
}

}  // namespace

}  // namespace tenon
