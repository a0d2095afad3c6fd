// The tree behind Config, and how YAML text becomes one. Private to base.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"

namespace tenon {

struct Config::Node {
  struct Entry {
    std::string key;
    int line = 0;
    Node* value = nullptr;
    bool used = false;  // somebody asked for it
  };

  Kind kind = Kind::null;
  std::string text;     // of a scalar
  bool quoted = false;  // so it is text, whatever it looks like
  bool open = false;    // still being read: an alias to it would never end
  int line = 0;         // from 1; 0: nowhere
  int column = 0;
  const std::string* file = nullptr;
  Node* parent = nullptr;
  std::vector<Node*> items;                          // of a list
  std::vector<Entry> entries;                        // of a map, in the order of the file
  std::map<std::string, size_t, std::less<>> index;  // into entries
  std::set<std::string, std::less<>> asked;          // keys of a map that readers know
  std::map<std::string, Node*, std::less<>> absent;  // what section() gave for missing keys

  Entry* find(std::string_view key);
  void add_entry(Entry entry);
  void erase_entry(std::string_view key);
};

// Owns the nodes; their addresses stay.
struct Config::Document {
  static constexpr size_t kMaxNodes = 100'000;
  static constexpr int kMaxDepth = 64;
  // YAML's limit is 1024 characters on the line (1.2.2, 7.4.2); escapes take up to six.
  static constexpr size_t kMaxKey = 160;

  std::deque<Node> nodes;
  std::deque<std::string> files;
  Node* root = nullptr;

  // Fails (data) past kMaxNodes.
  Node* add(Node node);
};

// Reads `text` into nodes of `document` and returns their root (null for empty text).
Config::Node* read_yaml(Config::Document& document, std::string_view text, std::string file);

}  // namespace tenon
