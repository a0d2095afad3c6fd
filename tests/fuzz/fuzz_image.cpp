// Decoding of pictures: any bytes give a picture within the limit or an Error of kind data.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  for (const int channels : {0, 1, 3}) {
    try {
      const tenon::Tensor image =
          tenon::data::decode_image(bytes, {.channels = channels, .max_pixels = 1 << 16});
      // Reads every byte, so that MemorySanitizer sees those that were never written.
      std::uint32_t sum = 0;
      for (std::int64_t i = 0; i < image.numel(); ++i) sum += image.data<std::uint8_t>()[i];
      if (image.rank() != 3 || sum > 255 * image.numel()) std::abort();
    } catch (const tenon::Error& error) {
      if (error.kind() != tenon::ErrorKind::data) std::abort();
    }
  }
  return 0;
}
