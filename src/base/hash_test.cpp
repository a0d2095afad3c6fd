#include "base/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>
#include <vector>

namespace tenon {
namespace {

// Bytes made by xxHash's own self-test generator, and the sums it lists for XXH64:
// xsum_sanity_check.c.
std::string sanity_buffer(size_t count) {
  std::string bytes;
  uint64_t generator = 2654435761U;
  for (size_t i = 0; i < count; ++i) {
    bytes += static_cast<char>(generator >> 56);
    generator *= 11400714785074694797U;
  }
  return bytes;
}

TEST(Hash, IsXxh64) {
  constexpr uint64_t kPrime32 = 2654435761U;
  const std::string bytes = sanity_buffer(222);
  const auto of = [&](size_t count, uint64_t seed) {
    return hash64(std::string_view(bytes).substr(0, count), seed);
  };
  EXPECT_EQ(of(0, 0), 0xef46db3751d8e999U);
  EXPECT_EQ(of(0, kPrime32), 0xac75fda2929b17efU);
  EXPECT_EQ(of(1, 0), 0xe934a84adb052768U);
  EXPECT_EQ(of(1, kPrime32), 0x5014607643a9b4c3U);
  EXPECT_EQ(of(4, 0), 0x9136a0dca57457eeU);
  EXPECT_EQ(of(14, 0), 0x8282dcc4994e35c8U);
  EXPECT_EQ(of(14, kPrime32), 0xc3bd6bf63deb6df0U);
  EXPECT_EQ(of(222, 0), 0xb641ae8cb691c174U);
  EXPECT_EQ(of(222, kPrime32), 0x20cb8ab7ae10c14aU);
}

TEST(Hash, WorksWhileCompiling) {
  static_assert(hash64("softmax") != hash64("Softmax"));
  static_assert(hash_combine(1, 2) != hash_combine(2, 1));
  EXPECT_EQ(hash64(std::as_bytes(std::span(std::string_view("softmax")))), hash64("softmax"));
}

TEST(Hash, CombiningKeepsSmallKeysApart) {
  std::unordered_set<uint64_t> seen;
  for (uint64_t a = 0; a < 40; ++a)
    for (uint64_t b = 0; b < 40; ++b)
      for (uint64_t c = 0; c < 40; ++c)
        seen.insert(hash_combine(hash_combine(hash_combine(0, a), b), c));
  EXPECT_EQ(seen.size(), 64'000U);
}

TEST(Crc32c, KnownAnswers) {
  // RFC 3720, B.4.
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  const std::vector<std::pair<std::string, uint32_t>> answers{
      {std::string(32, '\0'), 0x8a9136aaU},
      {std::string(32, '\xff'), 0x62a8ab43U},
      {ascending, 0x46dd794eU},
      {descending, 0x113fdb5cU},
      {"123456789", 0xe3069283U},
      {"", 0U}};
  for (const auto& [bytes, crc] : answers) {
    EXPECT_EQ(crc32c(bytes), crc);
    EXPECT_EQ(detail::crc32c_by_table(std::as_bytes(std::span(bytes))), crc);
  }
}

TEST(Crc32c, ContinuesAndAgreesAtEveryLength) {
  const std::string bytes = sanity_buffer(100);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const auto head = std::string_view(bytes).substr(0, cut);
    EXPECT_EQ(crc32c(std::string_view(bytes).substr(cut), crc32c(head)), crc32c(bytes));
    EXPECT_EQ(crc32c(head), detail::crc32c_by_table(std::as_bytes(std::span(head))));
  }
}

TEST(Crc32c, MaskIsThatOfRecordFiles) {
  // The header of a TFRecord whose payload is 24 bytes: 18 00 .. 00, masked sum a3 7f 4b 22.
  EXPECT_EQ(mask_crc32c(crc32c(std::string("\x18\0\0\0\0\0\0\0", 8))), 0x224b7fa3U);
}

}  // namespace
}  // namespace tenon
