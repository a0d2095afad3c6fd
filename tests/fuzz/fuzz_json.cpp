// parse_json on any bytes: an Error or a value, which is the same after writing and reading it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (tenon::parse_json(tenon::json_quoted(text), "quoted").is_string() == false) std::abort();
  try {
    const tenon::Json value = tenon::parse_json(text, "fuzz.json");
    if (tenon::parse_json(value.dump(), "dumped.json") != value) std::abort();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data) std::abort();
  }
  return 0;
}
