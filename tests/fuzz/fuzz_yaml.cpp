// Config on any bytes: an Error or a tree, and what is dumped reads the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tenon::Config config;
  try {
    config = tenon::Config::parse(text, "fuzz.yaml");
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data) std::abort();
    return 0;
  }
  const std::string dumped = config.dump();
  if (tenon::Config::parse(dumped, "dumped.yaml").dump() != dumped) std::abort();
  try {
    for (const tenon::Config& item : config.items()) {
      (void)item.get<int>("a", 1);
      (void)item.get<std::vector<double>>("b", {});
    }
    config.finish();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data) std::abort();
  }
  config.use_all();
  config.finish();
  return 0;
}
