// Small products of f32 matrices whose operands lie in the nearer caches. Included through simd.h's
// scheme, once a target.
#ifndef TENON_CPU_TILE_ROWS
#define TENON_CPU_TILE_ROWS
#include <cstddef>
namespace tenon::cpu {

// Rows of a product that are worked on together.
inline constexpr size_t kTileRows = 4;

}  // namespace tenon::cpu
#endif

#include "backends/cpu/row_loops_inl.h"

#if defined(TENON_CPU_TILE_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_TILE_PRODUCT_INL_H
#undef TENON_CPU_TILE_PRODUCT_INL_H
#else
#define TENON_CPU_TILE_PRODUCT_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
constexpr size_t kVectors = 2;  // 16 registers
#else
constexpr size_t kVectors = 4;
#endif

// Adds a vector to what lies there, or writes it there.
template <bool kAdd>
HWY_INLINE void put(V sum, float* to) {
  const D d;
  hn::StoreU(kAdd ? hn::Add(hn::LoadU(d, to), sum) : sum, d, to);
}

// c[4 rows, `kWide` vectors] = a[4, depth] * b[depth, ...], added to c where kAdd; of the last
// vector `valid` lanes are read.
template <size_t kWide, bool kPart, bool kAdd = true>
HWY_INLINE void product_tile(const float* HWY_RESTRICT a, size_t lda, const float* HWY_RESTRICT b,
                             size_t ldb, float* HWY_RESTRICT c, size_t ldc, size_t depth,
                             size_t valid) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float *a1 = a + lda, *a2 = a1 + lda, *a3 = a2 + lda;
  V s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00;
  V s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  V s20 = s00, s21 = s00, s22 = s00, s23 = s00;
  V s30 = s00, s31 = s00, s32 = s00, s33 = s00;
  for (size_t k = 0; k < depth; ++k, b += ldb) {
    const V x0 = hn::Set(d, a[k]), x1 = hn::Set(d, a1[k]);
    const V x2 = hn::Set(d, a2[k]), x3 = hn::Set(d, a3[k]);
    const V b0 = kPart ? load_part(d, b, valid) : hn::LoadU(d, b);
    s00 = hn::MulAdd(x0, b0, s00);
    s10 = hn::MulAdd(x1, b0, s10);
    s20 = hn::MulAdd(x2, b0, s20);
    s30 = hn::MulAdd(x3, b0, s30);
    if constexpr (kWide > 1) {
      const V b1 = hn::LoadU(d, b + lanes);
      s01 = hn::MulAdd(x0, b1, s01);
      s11 = hn::MulAdd(x1, b1, s11);
      s21 = hn::MulAdd(x2, b1, s21);
      s31 = hn::MulAdd(x3, b1, s31);
    }
    if constexpr (kWide > 2) {
      const V b2 = hn::LoadU(d, b + 2 * lanes), b3 = hn::LoadU(d, b + 3 * lanes);
      s02 = hn::MulAdd(x0, b2, s02);
      s12 = hn::MulAdd(x1, b2, s12);
      s22 = hn::MulAdd(x2, b2, s22);
      s32 = hn::MulAdd(x3, b2, s32);
      s03 = hn::MulAdd(x0, b3, s03);
      s13 = hn::MulAdd(x1, b3, s13);
      s23 = hn::MulAdd(x2, b3, s23);
      s33 = hn::MulAdd(x3, b3, s33);
    }
  }
  float *c1 = c + ldc, *c2 = c1 + ldc, *c3 = c2 + ldc;
  put<kAdd>(s00, c);
  put<kAdd>(s10, c1);
  put<kAdd>(s20, c2);
  put<kAdd>(s30, c3);
  if constexpr (kWide > 1) {
    put<kAdd>(s01, c + lanes);
    put<kAdd>(s11, c1 + lanes);
    put<kAdd>(s21, c2 + lanes);
    put<kAdd>(s31, c3 + lanes);
  }
  if constexpr (kWide > 2) {
    const size_t n2 = 2 * lanes, n3 = 3 * lanes;
    put<kAdd>(s02, c + n2);
    put<kAdd>(s12, c1 + n2);
    put<kAdd>(s22, c2 + n2);
    put<kAdd>(s32, c3 + n2);
    put<kAdd>(s03, c + n3);
    put<kAdd>(s13, c1 + n3);
    put<kAdd>(s23, c2 + n3);
    put<kAdd>(s33, c3 + n3);
  }
}

// c += a[rows, depth] * b[depth, columns]. rows is a multiple of 4; rows of c have room for whole
// vectors.
HWY_INLINE void add_product(const float* a, size_t lda, size_t rows, const float* b, size_t ldb,
                            float* c, size_t ldc, size_t columns, size_t depth) {
  const size_t lanes = hn::Lanes(D());
  size_t j = 0;
  for (; j + kVectors * lanes <= columns; j += kVectors * lanes)
    for (size_t i = 0; i < rows; i += kTileRows)
      product_tile<kVectors, false>(a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, depth, 0);
  for (; j + lanes <= columns; j += lanes)
    for (size_t i = 0; i < rows; i += kTileRows)
      product_tile<1, false>(a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, depth, 0);
  if (j == columns) return;
  for (size_t i = 0; i < rows; i += kTileRows)
    product_tile<1, true>(a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, depth, columns - j);
}

// As add_product, but whatever was in c gives way; `columns` is a multiple of a vector's lanes.
HWY_INLINE void set_product(const float* a, size_t lda, size_t rows, const float* b, size_t ldb,
                            float* c, size_t ldc, size_t columns, size_t depth) {
  const size_t lanes = hn::Lanes(D());
  size_t j = 0;
  for (; j + kVectors * lanes <= columns; j += kVectors * lanes)
    for (size_t i = 0; i < rows; i += kTileRows)
      product_tile<kVectors, false, false>(a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc,
                                           depth, 0);
  for (; j < columns; j += lanes)
    for (size_t i = 0; i < rows; i += kTileRows)
      product_tile<1, false, false>(a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, depth, 0);
}

// to[r * to_stride + j] = dot(a row r, b row j) for kRows rows of a (1 or 4, one behind the other)
// and `count` of b.
template <size_t kRows>
HWY_INLINE void dot_products(const float* a, size_t size, const float* b, int64_t b_stride,
                             int64_t count, float* to, int64_t to_stride) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (int64_t j = 0; j < count; ++j, b += b_stride) {
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < size; i += lanes) {
      const size_t rest = size - i;
      const V other = load_some(b + i, rest);
      s0 = hn::MulAdd(load_some(a + i, rest), other, s0);
      if constexpr (kRows > 1) {
        s1 = hn::MulAdd(load_some(a + size + i, rest), other, s1);
        s2 = hn::MulAdd(load_some(a + 2 * size + i, rest), other, s2);
        s3 = hn::MulAdd(load_some(a + 3 * size + i, rest), other, s3);
      }
    }
    to[j] = hn::GetLane(hn::SumOfLanes(d, s0));
    if constexpr (kRows > 1) {
      to[to_stride + j] = hn::GetLane(hn::SumOfLanes(d, s1));
      to[2 * to_stride + j] = hn::GetLane(hn::SumOfLanes(d, s2));
      to[3 * to_stride + j] = hn::GetLane(hn::SumOfLanes(d, s3));
    }
  }
}

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
