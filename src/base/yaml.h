// Configuration read from YAML: recipes, pipelines, model descriptions. Every value knows the file
// and line it came from, and what nobody asked for is an error.
//
//   Config recipe = Config::load("recipe.yaml");
//   int epochs = recipe.get<int>("epochs", 10);
//   Config optimizer = recipe.section("optimizer");      // may be absent: then all defaults hold
//   double rate = optimizer.get_in<double>("rate", 1e-3, 0.0, 10.0);
//   recipe.finish();      // recipe.yaml:12: unknown key 'optimzer'; did you mean 'optimizer'?
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tenon {

// A handle to one value of a document; copies are cheap and share the document, which lives as long
// as any of them. Getters note which keys were asked for: not for several threads at once.
//
// Types: bool, int, int64_t, unsigned, uint64_t, float, double, std::string, and std::vector of
// these (a single value counts as a list of one). Numbers and booleans are unquoted and written as
// in YAML 1.2 (true, 12, 0x1f, 1e-3); whole numbers may have an exponent (1e6).
class Config {
 public:
  enum class Kind { absent, null, scalar, list, map };

  Config();  // absent
  // Fails (data) with "<file>:<line>: ..." on malformed YAML, on a key given twice, on more than
  // one document, nesting deeper than 64 and more than 100,000 values after aliases.
  static Config parse(std::string_view text, std::string file);
  static Config load(const std::string& path);

  // -- What it is ------------------------------------------------------------------------------
  Kind kind() const;
  explicit operator bool() const { return kind() != Kind::absent && kind() != Kind::null; }
  bool is_map() const { return kind() == Kind::map; }
  bool is_list() const { return kind() == Kind::list; }
  bool is_scalar() const { return kind() == Kind::scalar; }
  std::string where() const;  // "recipe.yaml:12"
  int line() const;           // from 1; 0 for what has none
  int column() const;
  const std::string& file() const;
  // The keys that lead here: "optimizer.schedule[0]"; "" at the root.
  std::string path() const;

  // -- Maps ------------------------------------------------------------------------------------
  bool has(std::string_view key) const;   // present and not null
  std::vector<std::string> keys() const;  // in the order of the file
  // The value of a key; fails when it is missing.
  Config at(std::string_view key) const;
  // The value of a key; absent when it is missing or null, and so is all that is asked of it.
  Config section(std::string_view key) const;

  template <class T>
  T get(std::string_view key) const;  // fails when the key is missing
  template <class T>
  T get(std::string_view key, T fallback) const;
  // A number from min to max, both included.
  template <class T>
  T get_in(std::string_view key, T fallback, T min, T max) const;
  // One of the given words; fails with a suggestion on another.
  std::string get_choice(std::string_view key, std::string_view fallback,
                         std::span<const std::string_view> choices) const;
  std::string get_choice(std::string_view key, std::string_view fallback,
                         std::initializer_list<std::string_view> choices) const {
    return get_choice(key, fallback, std::span(choices.begin(), choices.size()));
  }

  // -- Lists and scalars -----------------------------------------------------------------------
  size_t size() const;                // of a list or map; 0 for absent and null
  std::vector<Config> items() const;  // of a list; a single value counts as a list of one
  template <class T>
  T as() const;

  // -- Changing and checking -------------------------------------------------------------------
  // Sets a value as `--set optimizer.rate=0.1` does: `value` is YAML, missing maps are made, list
  // items go by number ("layers.0.units"). Errors about it say "--set optimizer.rate".
  void set(std::string_view path, std::string_view value);
  // Counts everything below as asked for: for parts that are handed on unread.
  void use_all() const;
  // Fails on the first key, in the order of the file, that nobody asked for. Call on the root when
  // all is read.
  void finish() const;
  // As YAML text, what set() changed included, comments not.
  std::string dump() const;
  // Throws kind data: "<where>: <message>".
  [[noreturn]] void fail(std::string_view message) const;

  struct Node;  // yaml.cpp
  struct Document;

 private:
  Config(std::shared_ptr<Document> document, Node* node);
  // True for a map, false for absent and null; fails on the rest.
  bool expect_map() const;
  // The value of a key, noted as used; null where there is none.
  Node* look_up(std::string_view key) const;
  std::string describe() const;  // "a list of 3"
  [[noreturn]] void fail_type(std::string_view expected) const;

  std::shared_ptr<Document> document_;
  Node* node_ = nullptr;
};

}  // namespace tenon
