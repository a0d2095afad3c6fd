// YAML text to the tree of Config, by the events of yaml-cpp's parser.
#include "base/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "base/text.h"

namespace tenon {

Config::Node::Entry* Config::Node::find(std::string_view key) {
  const auto it = index.find(key);
  return it == index.end() ? nullptr : &entries[it->second];
}

void Config::Node::add_entry(Entry entry) {
  index.emplace(entry.key, entries.size());
  entries.push_back(std::move(entry));
}

void Config::Node::erase_entry(std::string_view key) {
  std::vector<Entry> all = std::exchange(entries, {});
  index.clear();
  for (Entry& entry : all)
    if (entry.key != key) add_entry(std::move(entry));
}

Config::Node* Config::Document::add(Node node) {
  TENON_CHECK(nodes.size() < kMaxNodes, data,
              "{}:{}: more than {} values, those of aliases included; split the file",
              node.file == nullptr ? "" : *node.file, node.line, kMaxNodes);
  return &nodes.emplace_back(std::move(node));
}

namespace {

using Node = Config::Node;

// Builds nodes from events, with a stack of the lists and maps that are open.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Config::Document& document, const std::string* file)
      : document_(document), file_(file) {}

  Node* root() const { return root_; }
  int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail_at(mark, "a second document begins; keep one per file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (at_key()) fail_at(mark, "a key is missing before ':'");
    place(make(mark, Config::Kind::null), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (at_key()) fail_at(mark, "an alias cannot be a key; write the key out");
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end() || it->second->open)
      fail_at(mark, "the alias refers to what contains it; write the value out");
    place(copy(*it->second, static_cast<int>(open_.size()), mark), YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (at_key()) {
      open_key(mark, value, tag == "!");
      return;
    }
    Node* node = make(mark, Config::Kind::scalar);
    node->text = value;
    node->quoted = is_text(mark, tag);
    place(node, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, Config::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, Config::Kind::map);
  }
  void OnMapEnd() override {
    merge(*open_.back().node);
    close();
  }

 private:
  struct Open {
    Node* node;
    bool key_next;  // of a map
    bool merges;    // the entry being read is "<<"
  };

  [[noreturn]] void fail_at(const YAML::Mark& mark, std::string_view message) const {
    fail(ErrorKind::data, "{}:{}: {}", *file_, mark.line + 1, message);
  }

  bool at_key() const { return !open_.empty() && open_.back().key_next; }

  Node* make(const YAML::Mark& mark, Config::Kind kind) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    node.file = file_;
    return document_.add(std::move(node));
  }

  // Whether a scalar is text by its quotes ("!") or its tag. "?" and "" are plain scalars.
  bool is_text(const YAML::Mark& mark, const std::string& tag) const {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?") return false;
    if (tag == "!") return true;
    if (std::string_view(tag).starts_with(kCore)) return tag.substr(kCore.size()) == "str";
    fail_at(mark, fmt::format("the tag {} is not supported; remove it", text::quoted(tag)));
  }

  void open_key(const YAML::Mark& mark, const std::string& key, bool quoted) {
    Node& map = *open_.back().node;
    if (key.size() > Config::Document::kMaxKey)
      fail_at(mark, fmt::format("a key of {} bytes is too long; use {} at most", key.size(),
                                Config::Document::kMaxKey));
    open_.back().key_next = false;
    open_.back().merges = key == "<<" && !quoted;
    if (const Node::Entry* first = map.find(key))
      fail_at(mark, fmt::format("the key {} is given twice, first on line {}; remove one",
                                text::quoted(key), first->line));
    map.add_entry({key, mark.line + 1, nullptr, false});
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Config::Kind kind) {
    if (at_key()) fail_at(mark, "a key must be text; write it on one line before ':'");
    is_text(mark, tag);  // for tags that are not supported
    if (open_.size() >= static_cast<size_t>(Config::Document::kMaxDepth))
      fail_at(mark, fmt::format("nested deeper than {}; flatten it", Config::Document::kMaxDepth));
    Node* node = make(mark, kind);
    node->open = true;
    place(node, anchor);
    open_.push_back({node, kind == Config::Kind::map, false});
  }

  void close() {
    open_.back().node->open = false;
    open_.pop_back();
  }

  void place(Node* node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = node;
      return;
    }
    Open& around = open_.back();
    node->parent = around.node;
    if (around.node->kind == Config::Kind::list) {
      around.node->items.push_back(node);
    } else {
      around.node->entries.back().value = node;
      around.key_next = true;
      if (around.merges) merge_keys_.push_back(around.node);
    }
  }

  // A copy keeps the lines of what it was copied from: that is where its values stand.
  Node* copy(const Node& from, int depth, const YAML::Mark& mark) {
    if (depth > Config::Document::kMaxDepth)
      fail_at(mark, fmt::format("nested deeper than {}; flatten it", Config::Document::kMaxDepth));
    Node bare = from;
    bare.items.clear();
    bare.entries.clear();
    bare.index.clear();
    Node* to = document_.add(std::move(bare));
    for (const Node* item : from.items) {
      to->items.push_back(copy(*item, depth + 1, mark));
      to->items.back()->parent = to;
    }
    for (const Node::Entry& entry : from.entries) {
      to->add_entry(entry);
      to->entries.back().value = copy(*entry.value, depth + 1, mark);
      to->entries.back().value->parent = to;
    }
    return to;
  }

  // "<<: *defaults": the keys of another map, or of several in a list, where the map has none of
  // its own (yaml.org/type/merge.html).
  void merge(Node& map) {
    if (merge_keys_.empty() || merge_keys_.back() != &map) return;
    merge_keys_.pop_back();
    const Node source = *map.find("<<")->value;
    map.erase_entry("<<");
    std::vector<const Node*> maps;
    if (source.kind == Config::Kind::list)
      maps.assign(source.items.begin(), source.items.end());
    else
      maps.push_back(&source);
    for (const Node* from : maps) {
      if (from->kind != Config::Kind::map)
        fail(ErrorKind::data, "{}:{}: '<<' takes a map or a list of maps; name one with an alias",
             *file_, source.line);
      for (const Node::Entry& entry : from->entries) {
        if (map.find(entry.key) != nullptr) continue;
        map.add_entry(entry);
        entry.value->parent = &map;
      }
    }
  }

  Config::Document& document_;
  const std::string* file_;
  Node* root_ = nullptr;
  int documents_ = 0;
  std::vector<Open> open_;
  std::vector<Node*> merge_keys_;  // open maps that hold a "<<"
  std::map<YAML::anchor_t, Node*> anchors_;
};

// YAML has no control characters (YAML 1.2.2, 5.1), and yaml-cpp takes zeros for UTF-16 or UTF-32.
void check_characters(std::string_view text, const std::string& file) {
  TENON_CHECK(text::is_utf8(text), data, "{}: not UTF-8 text; save it as UTF-8", file);
  const auto control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
           c == 0x7f;
  };
  const auto it = std::find_if(text.begin(), text.end(), control);
  if (it == text.end()) return;
  fail(ErrorKind::data, "{}:{}: the control character {} is not YAML; remove it", file,
       std::count(text.begin(), it, '\n') + 1, text::quoted({it, 1}));
}

}  // namespace

Config::Node* read_yaml(Config::Document& document, std::string_view text, std::string file) {
  document.files.push_back(std::move(file));
  const std::string* name = &document.files.back();
  check_characters(text, *name);
  TreeBuilder builder(document, name);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    if (error.mark.is_null()) fail(ErrorKind::data, "{}: not YAML: {}", *name, error.msg);
    fail(ErrorKind::data, "{}:{}:{}: not YAML: {}", *name, error.mark.line + 1,
         error.mark.column + 1, error.msg);
  }
  if (builder.root() != nullptr) return builder.root();
  Config::Node empty;
  empty.line = 1;
  empty.column = 1;
  empty.file = name;
  return document.add(std::move(empty));
}

}  // namespace tenon
