// Looking things up in operator definitions, and the check of attributes.
#include "ops/op.h"

#include <array>
#include <unordered_map>

#include "base/text.h"
#include "ops/catalog.h"

namespace tenon {

namespace {

constexpr std::array<std::string_view, 8> kAttrTypeNames{
    "an integer",       "a float",           "a string", "a list of integers",
    "a list of floats", "a list of strings", "a tensor", "a graph"};

// An empty list has no element type of its own, and an integer may stand for a float.
bool fits(AttrType type, const AttrValue& value) {
  if (static_cast<size_t>(type) == value.index()) return true;
  if (type == AttrType::f) return std::holds_alternative<int64_t>(value);
  if (type == AttrType::floats || type == AttrType::strings) {
    const auto* ints = std::get_if<std::vector<int64_t>>(&value);
    return ints && ints->empty();
  }
  return false;
}

template <class T>
std::span<const T> list_of(const Attrs& attrs, std::string_view name) {
  const AttrValue* value = attrs.find(name);
  if (!value) return {};
  const auto* list = std::get_if<std::vector<T>>(value);
  return list ? std::span<const T>(*list) : std::span<const T>();
}

const AttrSpec& spec_of(const OpDef& op, std::string_view name) {
  const AttrSpec* spec = op.find_attr(name);
  TENON_BUG_IF(!spec, "{} has no attribute '{}'", op.name, name);
  return *spec;
}

bool is_choice(std::string_view choices, std::string_view word) {
  for (std::string_view choice : text::split(choices, '|'))
    if (choice == word) return true;
  return false;
}

}  // namespace

const AttrSpec* OpDef::find_attr(std::string_view attr_name) const {
  for (const AttrSpec& spec : attrs)
    if (spec.name == attr_name) return &spec;
  return nullptr;
}

const TypeVar* OpDef::find_type(std::string_view type_name) const {
  for (const TypeVar& type : types)
    if (type.name == type_name) return &type;
  return nullptr;
}

int64_t Call::i(std::string_view name) const {
  if (const AttrValue* value = attrs.find(name)) return std::get<int64_t>(*value);
  return spec_of(op, name).i;
}

double Call::f(std::string_view name) const {
  if (const AttrValue* value = attrs.find(name)) {
    if (const auto* integer = std::get_if<int64_t>(value)) return static_cast<double>(*integer);
    return std::get<double>(*value);
  }
  return spec_of(op, name).f;
}

std::string_view Call::s(std::string_view name) const {
  if (const AttrValue* value = attrs.find(name)) return std::get<std::string>(*value);
  return spec_of(op, name).s;
}

std::span<const int64_t> Call::ints(std::string_view name) const {
  return list_of<int64_t>(attrs, name);
}
std::span<const double> Call::floats(std::string_view name) const {
  return list_of<double>(attrs, name);
}
std::span<const std::string> Call::strings(std::string_view name) const {
  return list_of<std::string>(attrs, name);
}

Tensor Call::tensor(std::string_view name) const {
  const AttrValue* value = attrs.find(name);
  return value ? std::get<Tensor>(*value) : Tensor();
}

const Subgraph& Call::graph(std::string_view name) const {
  const AttrValue* value = attrs.find(name);
  TENON_BUG_IF(!value, "{} has no attribute {}", op.name, name);
  return *std::get<std::shared_ptr<const Subgraph>>(*value);
}

void check_attrs(const OpDef& op, const Attrs& attrs) {
  for (const Attr& given : attrs.list()) {
    const AttrSpec* spec = op.find_attr(given.name);
    if (!spec) {
      std::vector<std::string> known;
      for (const AttrSpec& s : op.attrs) known.emplace_back(s.name);
      const std::string near = text::did_you_mean(given.name, known);
      fail(ErrorKind::usage, "{}: unknown attribute '{}'; {}", op.name, given.name,
           !near.empty()   ? fmt::format("did you mean '{}'?", near)
           : known.empty() ? "it takes none"
                           : fmt::format("it takes {}", text::join(known, ", ")));
    }
    TENON_CHECK(fits(spec->type, given.value), usage, "{}: attribute {} must be {}; it is {}",
                op.name, given.name, kAttrTypeNames[static_cast<size_t>(spec->type)],
                kAttrTypeNames[given.value.index()]);
    if (!spec->choices.empty()) {
      const auto& word = std::get<std::string>(given.value);
      TENON_CHECK(is_choice(spec->choices, word), usage, "{}: attribute {} is '{}'; use one of {}",
                  op.name, given.name, word, text::join(text::split(spec->choices, '|'), ", "));
    }
  }
  for (const AttrSpec& spec : op.attrs)
    TENON_CHECK(!spec.required || attrs.has(spec.name), usage,
                "{}: attribute {} is missing; give it {}", op.name, spec.name,
                kAttrTypeNames[static_cast<size_t>(spec.type)]);
}

namespace op {

const OpDef* find(std::string_view name, std::string_view domain) {
  // Import asks several times a node.
  static const std::unordered_multimap<std::string_view, const OpDef*> by_name = [] {
    std::unordered_multimap<std::string_view, const OpDef*> map;
    for (const OpDef* def : all()) map.emplace(def->name, def);
    return map;
  }();
  if (domain == "ai.onnx") domain = "";
  const auto [begin, end] = by_name.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    const OnnxForm& onnx = at->second->onnx;
    if ((onnx.since ? onnx.domain : std::string_view("ai.tenon")) == domain) return at->second;
  }
  return nullptr;
}

}  // namespace op

}  // namespace tenon
