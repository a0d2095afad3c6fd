// The header of safetensors files: any bytes give entries inside the file, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    std::uint64_t sum = 0;
    for (const auto& entry : tenon::formats::read_safetensors_header(bytes, "input").entries) {
      if (entry.offset > size || entry.bytes > size - entry.offset) std::abort();
      if (entry.bytes !=
          static_cast<std::uint64_t>(entry.shape.numel()) * tenon::size_of(entry.dtype))
        std::abort();
      sum += entry.bytes;
    }
    if (sum > size) std::abort();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data && error.kind() != tenon::ErrorKind::unsupported)
      std::abort();
  }
  return 0;
}
