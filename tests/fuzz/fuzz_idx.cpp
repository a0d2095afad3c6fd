// Decoding of IDX arrays, plain and gzip: any bytes give an array or an Error of kind data.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "data/sources.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  try {
    const tenon::Tensor values = tenon::data::decode_idx(bytes, "input", kMaxBytes);
    if (values.bytes() > kMaxBytes && values.bytes() > size) std::abort();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data) std::abort();
  }
  return 0;
}
