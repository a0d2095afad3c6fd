// Config: looking things up, and saying where what is wrong.
#include "base/yaml.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml_tree.h"

namespace tenon {

namespace {

constexpr uint64_t kMaxFile = 16 << 20;

// Of a node's parent: "[2]" or "key".
std::string step_to(const Config::Node& parent, const Config::Node* child) {
  for (size_t i = 0; i < parent.items.size(); ++i)
    if (parent.items[i] == child) return fmt::format("[{}]", i);
  for (const Config::Node::Entry& entry : parent.entries)
    if (entry.value == child) return entry.key;
  return child->text;  // an absent one keeps its key there
}

}  // namespace

Config::Config() = default;

Config::Config(std::shared_ptr<Document> document, Node* node)
    : document_(std::move(document)), node_(node) {}

Config Config::parse(std::string_view text, std::string file) {
  auto document = std::make_shared<Document>();
  document->root = read_yaml(*document, text, std::move(file));
  return {document, document->root};
}

Config Config::load(const std::string& path) { return parse(read_file(path, kMaxFile), path); }

// -- What it is ------------------------------------------------------------------------------

Config::Kind Config::kind() const { return node_ == nullptr ? Kind::absent : node_->kind; }
int Config::line() const { return node_ == nullptr ? 0 : node_->line; }
int Config::column() const { return node_ == nullptr ? 0 : node_->column; }

const std::string& Config::file() const {
  static const std::string nowhere = "configuration";
  return node_ == nullptr || node_->file == nullptr ? nowhere : *node_->file;
}

std::string Config::where() const {
  return line() == 0 ? file() : fmt::format("{}:{}", file(), line());
}

std::string Config::path() const {
  std::string path;
  for (const Node* node = node_; node != nullptr && node->parent != nullptr; node = node->parent) {
    const std::string step = step_to(*node->parent, node);
    path = path.empty() || path.front() == '[' ? step + path : step + "." + path;
  }
  return path;
}

size_t Config::size() const {
  return node_ == nullptr ? 0 : std::max(node_->items.size(), node_->entries.size());
}

std::string Config::describe() const {
  switch (kind()) {
    case Kind::absent:
    case Kind::null: return "nothing";
    case Kind::map: return "a map";
    case Kind::list: return fmt::format("a list of {}", size());
    case Kind::scalar: break;
  }
  if (node_->quoted) return fmt::format("the text {}", text::quoted(node_->text));
  if (text::parse_number<double>(node_->text)) return fmt::format("the number {}", node_->text);
  return text::quoted(node_->text);
}

void Config::fail(std::string_view message) const {
  tenon::fail(ErrorKind::data, "{}: {}", where(), message);
}

void Config::fail_type(std::string_view expected) const {
  const std::string name = path();
  fail(fmt::format("{}{} is expected, found {}", name.empty() ? "" : name + ": ", expected,
                   describe()));
}

// -- Maps ------------------------------------------------------------------------------------

bool Config::expect_map() const {
  if (kind() == Kind::absent || kind() == Kind::null) return false;
  if (kind() != Kind::map) fail_type("a map");
  return true;
}

Config::Node* Config::look_up(std::string_view key) const {
  if (!expect_map()) return nullptr;
  node_->asked.emplace(key);
  Node::Entry* entry = node_->find(key);
  if (entry == nullptr) return nullptr;
  entry->used = true;
  return entry->value;
}

bool Config::has(std::string_view key) const {
  if (!expect_map()) return false;
  node_->asked.emplace(key);
  const Node::Entry* entry = node_->find(key);
  return entry != nullptr && entry->value->kind != Kind::null;
}

std::vector<std::string> Config::keys() const {
  std::vector<std::string> keys;
  if (!expect_map()) return keys;
  for (const Node::Entry& entry : node_->entries) keys.push_back(entry.key);
  return keys;
}

Config Config::section(std::string_view key) const {
  if (Node* value = look_up(key)) return {document_, value};
  if (node_ == nullptr) return {};
  Node*& absent = node_->absent[std::string(key)];
  if (absent == nullptr) {
    // It knows where it would be. Not from the file, so not counted against the file's size.
    absent = &document_->nodes.emplace_back();
    absent->kind = Kind::absent;
    absent->text = key;
    absent->line = node_->line;
    absent->file = node_->file;
    absent->parent = node_;
  }
  return {document_, absent};
}

Config Config::at(std::string_view key) const {
  Config value = section(key);
  if (value) return value;
  if (node_ == nullptr) fail(fmt::format("{} is missing; add it", text::quoted(key)));
  // Perhaps it is there, misspelt.
  for (const Node::Entry& entry : node_->entries)
    if (!entry.used && node_->asked.count(entry.key) == 0 &&
        !text::did_you_mean(entry.key, {key}).empty())
      tenon::fail(ErrorKind::data, "{}:{}: unknown key {}; did you mean '{}'?", file(), entry.line,
                  text::quoted(entry.key), key);
  const std::string name = path();
  fail(fmt::format("{}{} is missing; add it", name.empty() ? "" : name + ": ", text::quoted(key)));
}

std::string Config::get_choice(std::string_view key, std::string_view fallback,
                               std::span<const std::string_view> choices) const {
  const Config value(document_, look_up(key));
  if (!value) return std::string(fallback);
  const auto word = value.as<std::string>();
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return word;
  value.fail(fmt::format("{}: {} is not known{}", value.path(), text::quoted(word),
                         text::suggestion(word, choices)));
}

std::vector<Config> Config::items() const {
  std::vector<Config> items;
  switch (kind()) {
    case Kind::absent:
    case Kind::null: break;
    case Kind::list:
      for (Node* item : node_->items) items.push_back({document_, item});
      break;
    case Kind::map:
    case Kind::scalar: items.push_back(*this); break;
  }
  return items;
}

// -- Checking --------------------------------------------------------------------------------

void Config::use_all() const {
  if (node_ == nullptr) return;
  for (Node::Entry& entry : node_->entries) {
    entry.used = true;
    Config(document_, entry.value).use_all();
  }
  for (Node* item : node_->items) Config(document_, item).use_all();
}

void Config::finish() const {
  if (node_ == nullptr) return;
  for (const Node::Entry& entry : node_->entries) {
    if (!entry.used) {
      const std::string& file = *entry.value->file;
      const std::string place = entry.line == 0 ? file : fmt::format("{}:{}", file, entry.line);
      const std::string name = path();
      tenon::fail(ErrorKind::data, "{}: unknown key {}{}{}", place, text::quoted(entry.key),
                  name.empty() ? "" : " in " + name, text::suggestion(entry.key, node_->asked));
    }
    Config(document_, entry.value).finish();
  }
  for (Node* item : node_->items) Config(document_, item).finish();
}

}  // namespace tenon
