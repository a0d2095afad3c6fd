// Hashes for keys of caches and tables, and the checksum of record files. None of them resists an
// adversary; what must is in OpenSSL.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tenon {

// XXH64 of the bytes: the same on every machine and in every version, so it may be stored.
constexpr uint64_t hash64(std::string_view bytes, uint64_t seed = 0);
uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed = 0);

// Spreads the bits of a number over all 64 (the finaliser of SplitMix64); a bijection.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}
// The hash of a sequence: its hash so far and the next value. Order matters.
//   uint64_t key = hash_combine(hash64(op), dtype);  for (int64_t d : shape) key =
//   hash_combine(key, d);
constexpr uint64_t hash_combine(uint64_t hash, uint64_t value) {
  return mix64(hash + 0x9e3779b97f4a7c15U + value * 0xff51afd7ed558ccdU);
}

// CRC-32C (Castagnoli, RFC 3720); `crc` continues an earlier call.
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t crc = 0);
inline uint32_t crc32c(std::string_view bytes, uint32_t crc = 0) {
  return crc32c(std::as_bytes(std::span(bytes)), crc);
}
// As TFRecord and TensorBoard files store it.
constexpr uint32_t mask_crc32c(uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

// -- XXH64: Yann Collet, "xxHash fast digest algorithm", version 0.1.1 --------------------------
namespace detail {

// What crc32c() does on processors without the instruction.
uint32_t crc32c_by_table(std::span<const std::byte> bytes, uint32_t crc = 0);

inline constexpr uint64_t kXx1 = 0x9e3779b185ebca87U;
inline constexpr uint64_t kXx2 = 0xc2b2ae3d27d4eb4fU;
inline constexpr uint64_t kXx3 = 0x165667b19e3779f9U;
inline constexpr uint64_t kXx4 = 0x85ebca77c2b2ae63U;
inline constexpr uint64_t kXx5 = 0x27d4eb2f165667c5U;

// Little-endian; compilers make one load of it.
template <int kBytes>
constexpr uint64_t load_le(const char* p) {
  uint64_t value = 0;
  for (int i = 0; i < kBytes; ++i) value |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return value;
}
constexpr uint64_t xx_round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kXx2, 31) * kXx1;
}

}  // namespace detail

constexpr uint64_t hash64(std::string_view bytes, uint64_t seed) {
  using namespace detail;
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t h = seed + kXx5;
  if (left >= 32) {
    uint64_t lanes[4] = {seed + kXx1 + kXx2, seed + kXx2, seed, seed - kXx1};
    for (; left >= 32; left -= 32)
      for (uint64_t& lane : lanes) {
        lane = xx_round(lane, load_le<8>(p));
        p += 8;
      }
    h = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
        std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes) h = (h ^ xx_round(0, lane)) * kXx1 + kXx4;
  }
  h += bytes.size();
  for (; left >= 8; left -= 8, p += 8)
    h = std::rotl(h ^ xx_round(0, load_le<8>(p)), 27) * kXx1 + kXx4;
  if (left >= 4) {
    h = std::rotl(h ^ (load_le<4>(p) * kXx1), 23) * kXx2 + kXx3;
    left -= 4, p += 4;
  }
  for (; left > 0; --left, ++p) h = std::rotl(h ^ (load_le<1>(p) * kXx5), 11) * kXx1;
  h = (h ^ (h >> 33)) * kXx2;
  h = (h ^ (h >> 29)) * kXx3;
  return h ^ (h >> 32);
}

inline uint64_t hash64(std::span<const std::byte> bytes, uint64_t seed) {
  return hash64(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), seed);
}

}  // namespace tenon
