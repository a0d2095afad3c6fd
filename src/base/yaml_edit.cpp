// Changing a Config and writing it out.
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "base/yaml_tree.h"

namespace tenon {

namespace {

using Node = Config::Node;

// What a person typed has no line.
void forget_lines(Node& node) {
  node.line = 0;
  node.column = 0;
  for (Node* item : node.items) forget_lines(*item);
  for (Node::Entry& entry : node.entries) {
    entry.line = 0;
    forget_lines(*entry.value);
  }
}

void emit(YAML::Emitter& out, const Node& node) {
  switch (node.kind) {
    case Config::Kind::absent:
    case Config::Kind::null: out << YAML::Null; break;
    case Config::Kind::scalar:
      if (node.quoted) out << YAML::DoubleQuoted;
      out << node.text;
      break;
    case Config::Kind::list:
      out << YAML::BeginSeq;
      for (const Node* item : node.items) emit(out, *item);
      out << YAML::EndSeq;
      break;
    case Config::Kind::map:
      out << YAML::BeginMap;
      for (const Node::Entry& entry : node.entries) {
        out << YAML::Key << entry.key << YAML::Value;
        emit(out, *entry.value);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

void Config::set(std::string_view path, std::string_view value) {
  const std::string origin = fmt::format("--set {}", text::printable(path));
  const std::vector<std::string_view> steps = text::split(path, '.');
  const auto wrong = [&](std::string_view message) {
    tenon::fail(ErrorKind::usage, "{}: {}", origin, message);
  };
  if (steps.size() > Document::kMaxDepth) wrong("the path has too many steps; shorten it");
  if (node_ == nullptr) {
    document_ = std::make_shared<Document>();
    node_ = document_->root = read_yaml(*document_, "{}", origin);
  }
  Node* const fresh = read_yaml(*document_, value, origin);
  forget_lines(*fresh);

  Node* at = node_;
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string_view step = steps[i];
    const bool last = i + 1 == steps.size();
    if (step.empty()) wrong("a name is missing between dots; write a.b.c=value");
    if (at->kind == Kind::null || at->kind == Kind::absent) at->kind = Kind::map;
    Node** place = nullptr;
    if (at->kind == Kind::map) {
      if (at->find(step) == nullptr) {
        Node* made = last ? fresh : document_->add({.kind = Kind::map, .file = fresh->file});
        made->parent = at;
        at->add_entry({std::string(step), 0, made});
      }
      Node::Entry* entry = at->find(step);
      if (last) entry->line = 0;
      place = &entry->value;
    } else if (at->kind == Kind::list) {
      const auto index = text::parse_number<uint64_t>(step);
      if (!index || *index >= at->items.size())
        wrong(fmt::format("{} is not an item of a list of {}; count from 0", text::quoted(step),
                          at->items.size()));
      place = &at->items[*index];
    } else {
      wrong(fmt::format(
          "{} is no map or list, so it has no {}; set it as a whole",
          text::quoted(text::join(
              std::vector(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(i)), ".")),
          text::quoted(step)));
    }
    if (last) *place = fresh;
    (*place)->parent = at;
    at = *place;
  }
}

std::string Config::dump() const {
  YAML::Emitter out;
  out.SetMapFormat(YAML::Block);
  if (node_ != nullptr) emit(out, *node_);
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace tenon
