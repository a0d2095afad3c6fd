// The tiles of quads: by VNNI, and in plain C++ for processors without.
#include "backends/cpu/byte_product.h"

#include <hwy/targets.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tenon::cpu {

namespace {

int32_t word_at(const std::byte* from) {
  int32_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// Of one word: unsigned bytes on the left, signed ones on the right.
int32_t dot(int32_t left, int32_t right) {
  int32_t sum = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    const auto a = static_cast<uint8_t>(static_cast<uint32_t>(left) >> shift);
    const auto b = static_cast<int8_t>(static_cast<uint32_t>(right) >> shift);
    sum += int32_t{a} * int32_t{b};
  }
  return sum;
}

void tile_plain(const void* from, size_t row_stride, size_t row_count, const int32_t* panel,
                size_t words, int32_t* out) {
  const auto* rows = static_cast<const std::byte*>(from);
  std::memset(out, 0, row_count * kQuadPanel * sizeof(int32_t));
  for (size_t r = 0; r < row_count; ++r)
    for (size_t k = 0; k < words; ++k) {
      const int32_t left = word_at(rows + r * row_stride + 4 * k);
      for (size_t j = 0; j < kQuadPanel; ++j)
        out[r * kQuadPanel + j] += dot(left, panel[k * kQuadPanel + j]);
    }
}

#if defined(__x86_64__)

template <size_t kCount>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]] void tile_vnni(
    const std::byte* rows, size_t row_stride, const int32_t* panel, size_t words, int32_t* out) {
  __m512i sums[kCount][2];
  for (size_t r = 0; r < kCount; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_si512();
  for (size_t k = 0; k < words; ++k, panel += kQuadPanel) {
    const __m512i left = _mm512_loadu_si512(panel);
    const __m512i right = _mm512_loadu_si512(panel + 16);
    for (size_t r = 0; r < kCount; ++r) {
      const __m512i a = _mm512_set1_epi32(word_at(rows + r * row_stride + 4 * k));
      sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], a, left);
      sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], a, right);
    }
  }
  for (size_t r = 0; r < kCount; ++r)
    for (size_t v = 0; v < 2; ++v) _mm512_storeu_si512(out + r * kQuadPanel + 16 * v, sums[r][v]);
}

[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]] void tile_vnni_of(
    const void* from, size_t row_stride, size_t row_count, const int32_t* panel, size_t words,
    int32_t* out) {
  static_assert(kQuadRows == 8);
  const auto* rows = static_cast<const std::byte*>(from);
  switch (row_count) {
    case 1: return tile_vnni<1>(rows, row_stride, panel, words, out);
    case 2: return tile_vnni<2>(rows, row_stride, panel, words, out);
    case 3: return tile_vnni<3>(rows, row_stride, panel, words, out);
    case 4: return tile_vnni<4>(rows, row_stride, panel, words, out);
    case 5: return tile_vnni<5>(rows, row_stride, panel, words, out);
    case 6: return tile_vnni<6>(rows, row_stride, panel, words, out);
    case 7: return tile_vnni<7>(rows, row_stride, panel, words, out);
    default: return tile_vnni<8>(rows, row_stride, panel, words, out);
  }
}

bool has_vnni() {
  static const bool found =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  // Not where tests have taken AVX-512 away.
  return found && (hwy::SupportedTargets() & HWY_AVX3) != 0;
}

#endif

}  // namespace

ByteForm best_byte_form() {
#if defined(__x86_64__)
  if (has_vnni()) return ByteForm::quads;
#endif
  return ByteForm::pairs;
}

QuadTile quad_tile() {
#if defined(__x86_64__)
  if (has_vnni()) return tile_vnni_of;
#endif
  return tile_plain;
}

}  // namespace tenon::cpu
