// A verb of the program: one file, one constant.
//
//   namespace tenon::cli {
//   constinit const Verb inspect{"inspect", Stage::ship, "Show what a model file holds.",
//   kExamples, define};
//   }
//
// `define` says what the verb can be told and returns what runs once that is parsed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace tenon::cli {

class Arguments;

// What every verb can be told.
struct Globals {
  bool json = false;
  bool explain = false;
  std::string trace;  // path of a Chrome trace; "" for none
};

enum class Stage : uint8_t { train, ship, know };

using Run = std::function<int()>;  // returns 0, or 1 where the thing asked about is not so
using Define = Run (*)(Arguments& arguments, const Globals& globals);

struct Verb {
  std::string_view name;
  Stage stage;
  std::string_view doc;       // one line
  std::string_view examples;  // for --help, one a line
  Define define;
};

// One JSON document on standard output.
void print_json(const Json& document);

// Parses the arguments, runs the verb and returns the exit code of the design: 0 done, 1 not so,
// 2 usage, 3 data, 4 unsupported, 5 resource, 70 a bug of ours, 130 cancelled.
int run_program(int argc, const char* const* argv);

}  // namespace tenon::cli
