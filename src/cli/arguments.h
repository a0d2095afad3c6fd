// What a verb can be told on the command line. The parser is CLI11, whose templates take long to
// compile: only arguments.cpp includes it.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tenon::cli {

// One argument that takes a value, for saying more about it: `arguments.option(...).required()`.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument required();
  Argument above_zero();
  Argument not_negative();
  Argument within(double low, double high);
  Argument choices(std::initializer_list<std::string> words);
  // Of a list: each time the option is given, one value follows; without this, all up to the next
  // option.
  Argument one_at_a_time();
  // Of a list: one_at_a_time, and commas separate values: --only a,b.
  Argument with_commas();
  // The value may be left out.
  Argument value_optional();

  bool given() const;  // once parsed

 private:
  CLI::Option* option_;
};

class Arguments {
 public:
  // `program` is what --help calls it, `doc` its first line.
  Arguments(std::string_view program, std::string_view doc);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // `name` is "--runs", "-o,--output", or for what stands without one a bare word. `value` keeps
  // what it holds where the argument is not given, and must live until `parse` is done. Its type is
  // one of those that arguments.cpp instantiates this for: strings, numbers, optional numbers and
  // lists.
  template <class Value>
  Argument option(const std::string& name, Value& value, const std::string& doc);
  void flag(const std::string& name, bool& value, const std::string& doc);
  // What --help ends with.
  void footer(const std::string& text);

  // `words` are those after the verb. False where they ask for help, which `help` has then. Fails
  // (usage) with "VERB: ..." on what was not defined, with "did you mean", and on values that do
  // not fit.
  bool parse(int count, const char* const* words, std::string_view verb);
  std::string help() const;

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace tenon::cli
