// Changing a Config and writing it out.
#include <algorithm>

#include "base/json.h"
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

// Whether text reads the same without quotes, wherever it stands.
bool is_plain(std::string_view text) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+- ";
  return !text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos &&
         text.front() != ' ' && text.back() != ' ' && text != "-" && !text.starts_with("- ") &&
         !text.starts_with("---") && !text.starts_with("...");
}

// The strings of JSON are among those of YAML, but for one control character.
std::string quoted_scalar(std::string_view text) {
  return text::replace_all(json_quoted(text), "\x7f", "\\x7f");
}

std::string inline_text(const Node& node) {
  switch (node.kind) {
    case Config::Kind::absent:
    case Config::Kind::null: return "~";
    case Config::Kind::scalar:
      return !node.quoted && is_plain(node.text) ? node.text : quoted_scalar(node.text);
    case Config::Kind::map: return "{}";  // an empty one
    case Config::Kind::list: break;
  }
  std::vector<std::string> items;
  for (const Node* item : node.items) items.push_back(inline_text(*item));
  return "[" + text::join(items, ", ") + "]";
}

// Maps and lists of them take lines of their own; empty ones, and lists of scalars, do not.
bool takes_lines(const Node& node) {
  return !node.entries.empty() ||
         std::any_of(node.items.begin(), node.items.end(), [](const Node* item) {
           return !item->items.empty() || !item->entries.empty();
         });
}

void add_lines(std::string& out, const Node& node, size_t indent) {
  constexpr size_t kStep = 2;
  const std::string margin(indent, ' ');
  if (!takes_lines(node)) out += margin + inline_text(node) + "\n";
  for (const Node::Entry& entry : node.entries) {
    const bool plain = is_plain(entry.key) && text::lower(entry.key) != "null";
    out += margin + (plain ? entry.key : quoted_scalar(entry.key)) + ":";
    if (takes_lines(*entry.value)) {
      out += "\n";
      add_lines(out, *entry.value, indent + kStep);
    } else {
      out += " " + inline_text(*entry.value) + "\n";
    }
  }
  if (!takes_lines(node)) return;
  for (const Node* item : node.items) {
    const size_t start = out.size();
    add_lines(out, *item, indent + kStep);
    out[start + indent] = '-';  // in the margin of the item's first line
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
  std::string out;
  if (node_ != nullptr) add_lines(out, *node_, 0);
  return out;
}

}  // namespace tenon
