#include "cli/arguments.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace tenon::cli {

namespace {

// "did you mean" for an option of the verb.
std::string nearest_option(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return text::did_you_mean(word.substr(0, word.find('=')), names);
}

// "Could not convert: --runs = 1.5", said as the rest is. Any other message stays as it is.
std::string unreadable(const std::string& message, const CLI::App& app) {
  constexpr std::string_view kBegin = "Could not convert: ", kBetween = " = ";
  const size_t cut = message.find(kBetween);
  if (!message.starts_with(kBegin) || cut == std::string::npos) return message;
  const std::string name = message.substr(kBegin.size(), cut - kBegin.size());
  const CLI::Option* option = app.get_option_no_throw(name);
  const std::string type = option == nullptr ? "" : option->get_type_name();
  return fmt::format("{}: '{}' is not a {}", name, message.substr(cut + kBetween.size()),
                     type.starts_with("FLOAT")  ? "number"
                     : type.starts_with("UINT") ? "whole number from 0, or is too large"
                                                : "whole number, or is too large");
}

// What the parser found, in Tenon's words: where, what with the value, what to do.
Error usage_error(const CLI::ParseError& error, const CLI::App& app, std::string_view verb) {
  const auto say = [&](const std::string& message) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", verb, message));
  };
  for (const std::string& word : app.remaining()) {
    if (!word.starts_with("-")) continue;
    const std::string near = nearest_option(app, word);
    return say(fmt::format("there is no option '{}'; {}", word,
                           near.empty() ? fmt::format("`tenon {} --help` lists them", verb)
                                        : fmt::format("did you mean '{}'?", near)));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    return say(fmt::format("too many arguments: {}; see `tenon {} --help`",
                           text::join(app.remaining(), " "), verb));
  std::string message = error.what();
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr)
    message = unreadable(message, app);
  for (char& c : message)
    if (c == '\n') c = ' ';
  return say(fmt::format("{}; see `tenon {} --help`", message, verb));
}

// Refuses a word that is no number of which `fits` holds; infinities and NaN never fit.
void check_number(CLI::Option& option, const std::string& wanted, const std::string& shown,
                  const std::function<bool(double)>& fits) {
  option.check(
      [wanted, fits](const std::string& word) {
        const auto value = text::parse_number<double>(word);
        return value && std::isfinite(*value) && fits(*value)
                   ? std::string()
                   : fmt::format("'{}' is not {}", word, wanted);
      },
      shown);
}

}  // namespace

Argument Argument::required() {
  option_->required();
  return *this;
}

Argument Argument::above_zero() {
  check_number(*option_, "a number above 0", "POSITIVE", [](double value) { return value > 0; });
  return *this;
}

Argument Argument::not_negative() {
  check_number(*option_, "a number from 0 on", "NONNEGATIVE",
               [](double value) { return value >= 0; });
  return *this;
}

Argument Argument::within(double low, double high) {
  check_number(*option_, fmt::format("a number from {} to {}", low, high),
               fmt::format("[{} - {}]", low, high),
               [low, high](double value) { return value >= low && value <= high; });
  return *this;
}

Argument Argument::choices(std::initializer_list<std::string> words) {
  option_->check(CLI::IsMember(std::vector<std::string>(words)));
  return *this;
}

Argument Argument::one_at_a_time() {
  option_->allow_extra_args(false);
  return *this;
}

Argument Argument::with_commas() {
  option_->delimiter(',');
  return one_at_a_time();
}

Argument Argument::value_optional() {
  option_->expected(0, 1);
  return *this;
}

bool Argument::given() const { return option_->count() > 0; }

Arguments::Arguments(std::string_view program, std::string_view doc)
    : app_(std::make_unique<CLI::App>(std::string(doc), std::string(program))) {}

Arguments::~Arguments() = default;

template <class Value>
Argument Arguments::option(const std::string& name, Value& value, const std::string& doc) {
  return Argument(*app_->add_option(name, value, doc));
}

template Argument Arguments::option(const std::string&, std::string&, const std::string&);
template Argument Arguments::option(const std::string&, int&, const std::string&);
template Argument Arguments::option(const std::string&, int64_t&, const std::string&);
template Argument Arguments::option(const std::string&, double&, const std::string&);
template Argument Arguments::option(const std::string&, std::optional<int>&, const std::string&);
template Argument Arguments::option(const std::string&, std::optional<int64_t>&,
                                    const std::string&);
template Argument Arguments::option(const std::string&, std::optional<uint64_t>&,
                                    const std::string&);
template Argument Arguments::option(const std::string&, std::optional<double>&, const std::string&);
template Argument Arguments::option(const std::string&, std::vector<std::string>&,
                                    const std::string&);
template Argument Arguments::option(const std::string&, std::vector<int64_t>&, const std::string&);

void Arguments::flag(const std::string& name, bool& value, const std::string& doc) {
  app_->add_flag(name, value, doc);
}

void Arguments::footer(const std::string& text) { app_->footer(text); }

bool Arguments::parse(int count, const char* const* words, std::string_view verb) {
  // The parser, like main, takes the program's name to be the first of them.
  std::vector<const char*> argv{""};
  argv.insert(argv.end(), words, words + count);
  try {
    app_->parse(static_cast<int>(argv.size()), argv.data());
  } catch (const CLI::CallForHelp&) {
    return false;
  } catch (const CLI::ParseError& error) {
    throw usage_error(error, *app_, verb);
  }
  return true;
}

std::string Arguments::help() const { return app_->help(); }

}  // namespace tenon::cli
