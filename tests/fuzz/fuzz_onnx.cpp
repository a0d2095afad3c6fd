// Import of ONNX models: any bytes give a graph that verifies, or an Error of kind data or
// unsupported. Importing infers all shapes and runs small constant nodes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "formats/onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tenon::set_log_level(tenon::LogLevel::off);
  try {
    tenon::formats::import_onnx({reinterpret_cast<const std::byte*>(data), size}, "input.onnx")
        .verify();
  } catch (const tenon::Error& error) {
    // Sizes may be honest and still too large for this machine.
    using tenon::ErrorKind;
    if (error.kind() != ErrorKind::data && error.kind() != ErrorKind::unsupported &&
        error.kind() != ErrorKind::resource)
      std::abort();
  }
  return 0;
}
