// The tiles of quads: by VNNI, by AVX2 where the right side is narrow, and in plain C++.
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

template <size_t kPanel>
void tile_plain(const void* from, size_t row_stride, size_t row_count, const int32_t* panel,
                size_t words, int32_t* out) {
  const auto* rows = static_cast<const std::byte*>(from);
  std::memset(out, 0, row_count * kPanel * sizeof(int32_t));
  for (size_t r = 0; r < row_count; ++r)
    for (size_t k = 0; k < words; ++k) {
      const int32_t left = word_at(rows + r * row_stride + 4 * k);
      for (size_t j = 0; j < kPanel; ++j) out[r * kPanel + j] += dot(left, panel[k * kPanel + j]);
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

// Pairs of products meet in 16 bits: 2 * 255 * 64 does not reach their end.
static_assert(2 * 255 * kNarrowest <= INT16_MAX);

template <size_t kCount>
[[gnu::target("avx2")]] void tile_avx2(const std::byte* rows, size_t row_stride,
                                       const int32_t* panel, size_t words, int32_t* out) {
  static_assert(kNarrowPanel == 16);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kCount][2];
#pragma GCC unroll 6
  for (size_t r = 0; r < kCount; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
  for (size_t k = 0; k < words; ++k, panel += kNarrowPanel) {
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + 8));
#pragma GCC unroll 6
    for (size_t r = 0; r < kCount; ++r) {
      const __m256i a = _mm256_set1_epi32(word_at(rows + r * row_stride + 4 * k));
      sums[r][0] =
          _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(_mm256_maddubs_epi16(a, left), ones));
      sums[r][1] =
          _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(_mm256_maddubs_epi16(a, right), ones));
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < kCount; ++r)
    for (size_t v = 0; v < 2; ++v)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kNarrowPanel + 8 * v), sums[r][v]);
}

[[gnu::target("avx2")]] void tile_avx2_of(const void* from, size_t row_stride, size_t row_count,
                                          const int32_t* panel, size_t words, int32_t* out) {
  static_assert(kNarrowRows == 6);
  const auto* rows = static_cast<const std::byte*>(from);
  switch (row_count) {
    case 1: return tile_avx2<1>(rows, row_stride, panel, words, out);
    case 2: return tile_avx2<2>(rows, row_stride, panel, words, out);
    case 3: return tile_avx2<3>(rows, row_stride, panel, words, out);
    case 4: return tile_avx2<4>(rows, row_stride, panel, words, out);
    case 5: return tile_avx2<5>(rows, row_stride, panel, words, out);
    default: return tile_avx2<6>(rows, row_stride, panel, words, out);
  }
}

bool has_vnni() {
  static const bool found =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  // Not where tests have taken AVX-512 away.
  return found && (hwy::SupportedTargets() & HWY_AVX3) != 0;
}

bool has_avx2() { return (hwy::SupportedTargets() & HWY_AVX2) != 0; }

#endif

}  // namespace

ByteForm best_byte_form([[maybe_unused]] bool middle, [[maybe_unused]] bool narrow) {
#if defined(__x86_64__)
  if (has_vnni()) return middle || narrow ? ByteForm::quads : ByteForm::pairs;
  // Pairs of AVX-512 are as quick.
  if (narrow && has_avx2() && (hwy::SupportedTargets() & HWY_AVX3) == 0)
    return ByteForm::narrow_quads;
#endif
  return ByteForm::pairs;
}

QuadTile quad_tile(ByteForm form) {
#if defined(__x86_64__)
  if (form == ByteForm::narrow_quads && has_avx2()) return tile_avx2_of;
  if (form == ByteForm::quads && has_vnni()) return tile_vnni_of;
#endif
  return form == ByteForm::narrow_quads ? tile_plain<kNarrowPanel> : tile_plain<kQuadPanel>;
}

}  // namespace tenon::cpu
