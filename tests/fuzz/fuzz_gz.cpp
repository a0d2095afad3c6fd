// gunzip on any bytes: an Error or at most the bytes allowed; and gzip is undone by it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t kLimit = 1 << 16;
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    if (tenon::gunzip(bytes, kLimit, "fuzz.gz").size() > kLimit) std::abort();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data) std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string packed = tenon::gzip(text);
  if (tenon::gunzip(std::as_bytes(std::span(packed)), size, "packed") != text) std::abort();
  return 0;
}
