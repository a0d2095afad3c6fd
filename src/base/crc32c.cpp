// CRC-32C by the processor's instruction, or eight bytes at a time from tables ("slicing by 8",
// Kounavis and Berry 2005).
#include <array>
#include <cstring>

#include "base/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tenon {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78U;  // reflected 0x1edc6f41

// tables[k][b]: the remainder of byte b followed by k zero bytes.
constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xffU];
    }
  return tables;
}();

uint32_t crc_by_table(const char* p, size_t count, uint32_t crc) {
  for (; count >= 8; count -= 8, p += 8) {
    const uint64_t x = detail::load_le<8>(p) ^ crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(x >> (8 * k)) & 0xffU];
  }
  for (; count > 0; --count, ++p)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*p)) & 0xffU];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc_by_instruction(const char* p, size_t count,
                                                              uint32_t crc) {
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, p += 8) {
    uint64_t x;
    std::memcpy(&x, p, 8);
    wide = _mm_crc32_u64(wide, x);
  }
  crc = static_cast<uint32_t>(wide);
  for (; count > 0; --count, ++p) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*p));
  return crc;
}
#endif

}  // namespace

namespace detail {
uint32_t crc32c_by_table(std::span<const std::byte> bytes, uint32_t crc) {
  return ~crc_by_table(reinterpret_cast<const char*>(bytes.data()), bytes.size(), ~crc);
}
}  // namespace detail

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2"))
    return ~crc_by_instruction(reinterpret_cast<const char*>(bytes.data()), bytes.size(), ~crc);
#endif
  return detail::crc32c_by_table(bytes, crc);
}

}  // namespace tenon
