// Packing, multiplying and requantising 8-bit matrices.
#include "backends/cpu/integer_product.h"

#include <cstring>
#include <utility>

#include "ops/quant/integer_rules.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/integer_product.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using Wide = hn::ScalableTag<int32_t>;
using Narrow = hn::Repartition<int16_t, Wide>;
using Sums = hn::Vec<Wide>;

constexpr size_t kRows = 6;  // with two vectors of columns: 12 of 16 registers

HWY_INLINE Sums pairs_of(Wide d, Sums first, Sums second) {
  return hn::Or(hn::And(first, hn::Set(d, 0xffff)), hn::ShiftLeft<16>(second));
}

template <class T>
HWY_INLINE Sums load_wide(Wide d, const T* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, Wide>(), from));
}

template <class T>
void pack_row_of(const T* from, size_t count, int32_t zero_point, int32_t* to) {
  for (size_t k = 0; k + 1 < count; k += 2)
    *to++ = integer_pair(from[k] - zero_point, from[k + 1] - zero_point);
  if (count % 2) *to = integer_pair(from[count - 1] - zero_point, 0);
}

void pack_row(const void* from, DType type, size_t count, int32_t zero_point, int32_t* to) {
  if (type == DType::i8)
    pack_row_of(static_cast<const int8_t*>(from), count, zero_point, to);
  else
    pack_row_of(static_cast<const uint8_t*>(from), count, zero_point, to);
}

// Pairs of `columns` columns from two rows; the second may be missing.
template <class T>
HWY_INLINE void pack_pair(const T* first, const T* second, size_t columns, size_t panel,
                          const int32_t* zero_points, int32_t* to) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  if (columns == panel && second) {
    for (size_t j = 0; j < panel; j += lanes) {
      const auto zero = hn::LoadU(d, zero_points + j);
      hn::StoreU(pairs_of(d, hn::Sub(load_wide(d, first + j), zero),
                          hn::Sub(load_wide(d, second + j), zero)),
                 d, to + j);
    }
    return;
  }
  for (size_t j = 0; j < columns; ++j)
    to[j] = integer_pair(first[j] - zero_points[j], second ? second[j] - zero_points[j] : 0);
  for (size_t j = columns; j < panel; ++j) to[j] = 0;
}

template <class T>
void pack_panel_of(const T* from, size_t stride, size_t inner, size_t columns,
                   const int32_t* zero_points, int32_t* to) {
  const size_t panel = 2 * hn::Lanes(Wide());
  for (size_t k = 0; k < inner; k += 2, to += panel)
    pack_pair(from + k * stride, k + 1 < inner ? from + (k + 1) * stride : nullptr, columns, panel,
              zero_points, to);
}

void pack_panel(const void* from, DType type, size_t stride, size_t inner, size_t columns,
                const int32_t* zero_points, int32_t* to) {
  if (type == DType::i8)
    pack_panel_of(static_cast<const int8_t*>(from), stride, inner, columns, zero_points, to);
  else
    pack_panel_of(static_cast<const uint8_t*>(from), stride, inner, columns, zero_points, to);
}

template <class T>
void widen_of(const T* from, size_t count, int32_t zero_point, int16_t* to) {
  const hn::ScalableTag<int16_t> d;
  const hn::Rebind<T, hn::ScalableTag<int16_t>> narrow;
  const auto zero = hn::Set(d, static_cast<int16_t>(zero_point));
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::Sub(hn::PromoteTo(d, hn::LoadU(narrow, from + i)), zero), d, to + i);
  for (; i < count; ++i) to[i] = static_cast<int16_t>(from[i] - zero_point);
}

void widen(const void* from, DType type, size_t count, int32_t zero_point, int16_t* to) {
  if (type == DType::i8)
    widen_of(static_cast<const int8_t*>(from), count, zero_point, to);
  else
    widen_of(static_cast<const uint8_t*>(from), count, zero_point, to);
}

void interleave(const int16_t* first, const int16_t* second, size_t count, int32_t* to) {
  const Wide d;
  const hn::Rebind<int16_t, Wide> narrow;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto one = hn::PromoteTo(d, hn::LoadU(narrow, first + i));
    const auto two = second ? hn::PromoteTo(d, hn::LoadU(narrow, second + i)) : hn::Zero(d);
    hn::StoreU(pairs_of(d, one, two), d, to + i);
  }
  for (; i < count; ++i) to[i] = integer_pair(first[i], second ? second[i] : 0);
}

// fn(integral_constant) for 0 to kCount - 1, unrolled before arrays are laid out: accumulators that
// loops index would stay in memory.
template <size_t kCount, class Fn>
HWY_INLINE void unrolled(const Fn& fn) {
  [&]<size_t... kIndex>(std::index_sequence<kIndex...>) HWY_ATTR {
    (fn(std::integral_constant<size_t, kIndex>()), ...);
  }
  (std::make_index_sequence<kCount>());
}

// The accumulators of kCount rows and two vectors of columns. Some processors keep the sums of even
// and odd elements apart until the end, hence the second set; elsewhere it stays 0 and costs
// nothing.
template <size_t kCount>
struct Accumulators {
  Sums even[kCount][2], odd[kCount][2];

  HWY_INLINE explicit Accumulators(Wide d) {
    unrolled<kCount>(
        [&](auto r) HWY_ATTR { even[r][0] = even[r][1] = odd[r][0] = odd[r][1] = hn::Zero(d); });
  }
  // The pair of row r lies at rows[r] + place.
  HWY_INLINE void add(Wide d, const std::byte* const* rows, int64_t place, Sums left, Sums right) {
    const Narrow dn;
    unrolled<kCount>([&](auto r) HWY_ATTR {
      int32_t pair;
      std::memcpy(&pair, rows[r] + place, sizeof(pair));
      const auto a = hn::BitCast(dn, hn::Set(d, pair));
      even[r][0] =
          hn::ReorderWidenMulAccumulate(d, a, hn::BitCast(dn, left), even[r][0], odd[r][0]);
      even[r][1] =
          hn::ReorderWidenMulAccumulate(d, a, hn::BitCast(dn, right), even[r][1], odd[r][1]);
    });
  }
  HWY_INLINE void store(Wide d, int32_t* out) const {
    const size_t lanes = hn::Lanes(d);
    unrolled<kCount>([&](auto r) HWY_ATTR {
      hn::StoreU(hn::RearrangeToOddPlusEven(even[r][0], odd[r][0]), d, out + r * 2 * lanes);
      hn::StoreU(hn::RearrangeToOddPlusEven(even[r][1], odd[r][1]), d, out + (r * 2 + 1) * lanes);
    });
  }
};

template <size_t kCount>
void tile_runs_of(const std::byte* const* given, const IntegerRuns& runs, const int32_t* panel,
                  int32_t* out) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  const std::byte* rows[kCount];
  unrolled<kCount>([&](auto r) HWY_ATTR { rows[r] = given[r]; });
  Accumulators<kCount> sums(d);
  for (size_t run = 0; run < runs.count; ++run) {
    const int64_t first = runs.offsets[run], last = first + static_cast<int64_t>(4 * runs.pairs);
    for (int64_t place = first; place < last; place += 4, panel += 2 * lanes)
      sums.add(d, rows, place, hn::LoadU(d, panel), hn::LoadU(d, panel + lanes));
  }
  sums.store(d, out);
}

void tile_runs(const std::byte* const* rows, size_t row_count, const IntegerRuns& runs,
               const int32_t* panel, int32_t* out) {
  static_assert(kRows == 6);
  switch (row_count) {
    case 1: return tile_runs_of<1>(rows, runs, panel, out);
    case 2: return tile_runs_of<2>(rows, runs, panel, out);
    case 3: return tile_runs_of<3>(rows, runs, panel, out);
    case 4: return tile_runs_of<4>(rows, runs, panel, out);
    case 5: return tile_runs_of<5>(rows, runs, panel, out);
    default: return tile_runs_of<6>(rows, runs, panel, out);
  }
}

void tile(const int32_t* rows, size_t row_stride, size_t row_count, const int32_t* panel,
          size_t pairs, int32_t* out) {
  const std::byte* starts[kRows];
  for (size_t r = 0; r < row_count; ++r)
    starts[r] = reinterpret_cast<const std::byte*>(rows + r * row_stride);
  const int64_t start = 0;
  tile_runs(starts, row_count, {&start, 1, pairs}, panel, out);
}

// Rows that leave registers for taking the zero points off.
constexpr size_t kUnpackedRows = 4;

template <size_t kCount, class T>
void tile_unpacked_of(const int32_t* given, size_t row_stride, const T* from, size_t stride,
                      size_t inner, const int32_t* zero_points, int32_t* out) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  const std::byte* rows[kCount];
  unrolled<kCount>([&](auto r) HWY_ATTR {
    rows[r] = reinterpret_cast<const std::byte*>(given + r * row_stride);
  });
  const auto zero0 = hn::LoadU(d, zero_points), zero1 = hn::LoadU(d, zero_points + lanes);
  Accumulators<kCount> sums(d);
  int64_t place = 0;
  for (; inner > 1; inner -= 2, from += 2 * stride, place += 4)
    sums.add(d, rows, place,
             pairs_of(d, hn::Sub(load_wide(d, from), zero0),
                      hn::Sub(load_wide(d, from + stride), zero0)),
             pairs_of(d, hn::Sub(load_wide(d, from + lanes), zero1),
                      hn::Sub(load_wide(d, from + stride + lanes), zero1)));
  if (inner > 0)
    sums.add(d, rows, place, pairs_of(d, hn::Sub(load_wide(d, from), zero0), hn::Zero(d)),
             pairs_of(d, hn::Sub(load_wide(d, from + lanes), zero1), hn::Zero(d)));
  sums.store(d, out);
}

template <class T>
void tile_unpacked_by_count(const int32_t* rows, size_t row_stride, size_t row_count, const T* from,
                            size_t stride, size_t inner, const int32_t* zero_points, int32_t* out) {
  for (; row_count > 0; rows += kUnpackedRows * row_stride) {
    switch (row_count) {
      case 1: return tile_unpacked_of<1>(rows, row_stride, from, stride, inner, zero_points, out);
      case 2: return tile_unpacked_of<2>(rows, row_stride, from, stride, inner, zero_points, out);
      case 3: return tile_unpacked_of<3>(rows, row_stride, from, stride, inner, zero_points, out);
      default: tile_unpacked_of<4>(rows, row_stride, from, stride, inner, zero_points, out);
    }
    row_count -= kUnpackedRows;
    out += kUnpackedRows * 2 * hn::Lanes(Wide());
  }
}

void tile_unpacked(const int32_t* rows, size_t row_stride, size_t row_count, const void* from,
                   DType type, size_t stride, size_t inner, const int32_t* zero_points,
                   int32_t* out) {
  if (type == DType::i8)
    tile_unpacked_by_count(rows, row_stride, row_count, static_cast<const int8_t*>(from), stride,
                           inner, zero_points, out);
  else
    tile_unpacked_by_count(rows, row_stride, row_count, static_cast<const uint8_t*>(from), stride,
                           inner, zero_points, out);
}

HWY_INLINE int32_t wrapping_sum(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// integer_rules::quantized() on vectors: the same operations in the same order.
template <class T, bool kBiases>
void requantize_as(const int32_t* sums, size_t count, const Requantization& how, T* to) {
  const Wide d;
  const hn::Rebind<float, Wide> df;
  const hn::Rebind<T, Wide> narrow;
  const size_t lanes = hn::Lanes(d);
  const auto low =
      hn::Set(df, static_cast<float>(integer_rules::lowest(how.type) - how.zero_point));
  const auto high =
      hn::Set(df, static_cast<float>(integer_rules::highest(how.type) - how.zero_point));
  const auto zero = hn::Set(d, how.zero_point);
  auto bias = hn::Set(d, how.bias);
  const auto all = hn::Set(df, *how.scale);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto scale = how.one_scale ? all : hn::LoadU(df, how.scale + i);
    if constexpr (kBiases) bias = hn::LoadU(d, how.biases + i);
    const auto x = hn::Mul(hn::ConvertTo(df, hn::Add(hn::LoadU(d, sums + i), bias)), scale);
    const auto above = hn::IfThenElse(hn::Gt(x, low), x, low);
    const auto clamped = hn::IfThenElse(hn::Lt(above, high), above, high);
    hn::StoreU(hn::DemoteTo(narrow, hn::Add(hn::NearestInt(clamped), zero)), narrow, to + i);
  }
  for (; i < count; ++i) {
    const int32_t sum = wrapping_sum(sums[i], kBiases ? how.biases[i] : how.bias);
    to[i] = static_cast<T>(integer_rules::quantized(
        static_cast<float>(sum) * how.scale[how.one_scale ? 0 : i], how.zero_point, how.type));
  }
}

template <class T>
void requantize_to(const int32_t* sums, size_t count, const Requantization& how, T* to) {
  if (how.biases)
    requantize_as<T, true>(sums, count, how, to);
  else
    requantize_as<T, false>(sums, count, how, to);
}

void requantize(const int32_t* sums, size_t count, const Requantization& how, void* to) {
  if (how.type == DType::i8)
    requantize_to(sums, count, how, static_cast<int8_t*>(to));
  else
    requantize_to(sums, count, how, static_cast<uint8_t*>(to));
}

// The biases and scales of two vectors of columns stay in registers while the rows pass.
template <class T>
void requantize_rows_as(const int32_t* sums, size_t stride, size_t rows, size_t count,
                        const Requantization& how, T* to, size_t to_stride) {
  const Wide d;
  const hn::Rebind<float, Wide> df;
  const hn::Rebind<T, Wide> narrow;
  const size_t lanes = hn::Lanes(d);
  const auto low =
      hn::Set(df, static_cast<float>(integer_rules::lowest(how.type) - how.zero_point));
  const auto high =
      hn::Set(df, static_cast<float>(integer_rules::highest(how.type) - how.zero_point));
  const auto zero = hn::Set(d, how.zero_point);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto scale = hn::LoadU(df, how.scale + i);
    const auto bias = hn::LoadU(d, how.biases + i);
    for (size_t r = 0; r < rows; ++r) {
      const auto sum = hn::Add(hn::LoadU(d, sums + r * stride + i), bias);
      const auto x = hn::Mul(hn::ConvertTo(df, sum), scale);
      const auto above = hn::IfThenElse(hn::Gt(x, low), x, low);
      const auto clamped = hn::IfThenElse(hn::Lt(above, high), above, high);
      hn::StoreU(hn::DemoteTo(narrow, hn::Add(hn::NearestInt(clamped), zero)), narrow,
                 to + r * to_stride + i);
    }
  }
  for (; i < count; ++i)
    for (size_t r = 0; r < rows; ++r) {
      const int32_t sum = wrapping_sum(sums[r * stride + i], how.biases[i]);
      to[r * to_stride + i] = static_cast<T>(integer_rules::quantized(
          static_cast<float>(sum) * how.scale[i], how.zero_point, how.type));
    }
}

void requantize_rows(const int32_t* sums, size_t stride, size_t rows, size_t count,
                     const Requantization& how, void* to, size_t to_stride) {
  if (how.type == DType::i8)
    requantize_rows_as(sums, stride, rows, count, how, static_cast<int8_t*>(to), to_stride);
  else
    requantize_rows_as(sums, stride, rows, count, how, static_cast<uint8_t*>(to), to_stride);
}

void to_floats(const int32_t* sums, size_t count, const int32_t* biases, const float* scale,
               const float* add, float* to) {
  const Wide d;
  const hn::Rebind<float, Wide> df;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto sum = hn::Add(hn::LoadU(d, sums + i), hn::LoadU(d, biases + i));
    auto x = hn::Mul(hn::ConvertTo(df, sum), hn::LoadU(df, scale + i));
    if (add) x = hn::Add(x, hn::LoadU(df, add + i));
    hn::StoreU(x, df, to + i);
  }
  for (; i < count; ++i) {
    const float x = static_cast<float>(wrapping_sum(sums[i], biases[i])) * scale[i];
    to[i] = add ? x + add[i] : x;
  }
}

IntegerLoops find_integer_loops() {
  static_assert(2 * hn::MaxLanes(Wide()) <= kMaxIntegerPanel && kRows <= kMaxIntegerRows);
  return {
      2 * hn::Lanes(Wide()), kRows,      pack_row,        pack_panel, widen,    interleave, tile,
      tile_unpacked,         requantize, requantize_rows, to_floats,  tile_runs};
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {
HWY_EXPORT(find_integer_loops);
}  // namespace

const IntegerLoops& integer_loops() {
  static const IntegerLoops loops = HWY_DYNAMIC_DISPATCH(find_integer_loops)();
  return loops;
}

}  // namespace tenon::cpu
#endif
