// The table of conversions of runs: every pair of real types is one small loop here, storage types
// are a loop to or from one of them; whoever copies strided elements gathers them into runs first.
#include "tensor/convert.h"

#include <algorithm>
#include <array>
#include <complex>
#include <cstring>
#include <tuple>
#include <utility>

namespace tenon {
namespace {

// A bool as it lies in memory: any byte but 0 is true, as borrowed memory need not hold 0 and 1.
struct Flag {
  uint8_t byte;
};

template <class To, class From>
To convert_element(From value) {
  if constexpr (std::is_same_v<From, Flag>)
    return convert_element<To>(value.byte != 0);
  else if constexpr (std::is_same_v<To, Flag>)
    return {static_cast<uint8_t>(convert<bool>(value))};
  else
    return convert<To>(value);
}

template <class From, class To>
void run(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const From*>(from);
  auto* y = static_cast<To*>(to);
  for (int64_t i = 0; i < count; ++i) y[i] = convert_element<To>(x[i]);
}

template <class From, class To>
void run_complex(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const From*>(from);
  auto* y = static_cast<To*>(to);
  for (int64_t i = 0; i < count; ++i) y[i] = To(x[i]);
}

using Real = std::tuple<float, uint8_t, int8_t, uint16_t, int16_t, int32_t, int64_t, Flag, f16,
                        double, uint32_t, uint64_t, bf16>;
constexpr size_t kReals = std::tuple_size_v<Real>;

template <class T>
constexpr DType type_of = dtype_of<T>;
template <>
constexpr DType type_of<Flag> = DType::boolean;

// The types that are computed with come first; storage types and containers have no rows.
constexpr size_t kRows = static_cast<size_t>(DType::bf16) + 1;
using Table = std::array<std::array<ConvertRun::Step, kRows>, kRows>;

template <size_t... Pair>
constexpr Table make_table(std::index_sequence<Pair...>) {
  Table table{};
  ((table[static_cast<size_t>(type_of<std::tuple_element_t<Pair / kReals, Real>>)]
         [static_cast<size_t>(type_of<std::tuple_element_t<Pair % kReals, Real>>)] =
             run<std::tuple_element_t<Pair / kReals, Real>,
                 std::tuple_element_t<Pair % kReals, Real>>),
   ...);
  constexpr auto kC64 = static_cast<size_t>(DType::c64);
  constexpr auto kC128 = static_cast<size_t>(DType::c128);
  using C64 = std::complex<float>;
  using C128 = std::complex<double>;
  table[kC64][kC64] = run_complex<C64, C64>;
  table[kC64][kC128] = run_complex<C64, C128>;
  table[kC128][kC64] = run_complex<C128, C64>;
  table[kC128][kC128] = run_complex<C128, C128>;
  return table;
}

constexpr Table kTable = make_table(std::make_index_sequence<kReals * kReals>());

ConvertRun::Step plain(DType from, DType to) {
  const auto row = static_cast<size_t>(from), column = static_cast<size_t>(to);
  return row < kRows && column < kRows ? kTable[row][column] : nullptr;
}

// To the f32 that rounds to the same narrow float as the number itself does (narrow_to_odd()).
template <class From>
void run_to_odd(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const From*>(from);
  auto* y = static_cast<float*>(to);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_integral_v<From>)
      y[i] = detail::narrow_to_odd_integer(x[i]);
    else
      y[i] = detail::narrow_to_odd(x[i]);
  }
}

ConvertRun::Step to_odd(DType from) {
  switch (from) {
    case DType::f64: return run_to_odd<double>;
    case DType::i32: return run_to_odd<int32_t>;
    case DType::i64: return run_to_odd<int64_t>;
    case DType::u32: return run_to_odd<uint32_t>;
    case DType::u64: return run_to_odd<uint64_t>;
    default: return plain(from, DType::f32);
  }
}

void copy_bytes(const void* from, void* to, int64_t count) {
  if (count > 0) std::memcpy(to, from, static_cast<size_t>(count));
}

}  // namespace

void ConvertRun::add(Step step) {
  *std::find(std::begin(steps_), std::end(steps_), nullptr) = step;
}

void ConvertRun::run_steps(const void* from, void* to, int64_t count) const {
  constexpr int64_t kChunk = 256;
  constexpr size_t kWidest = 8;
  alignas(64) std::byte middle[2][kChunk * kWidest];
  for (int64_t at = 0; at < count; at += kChunk) {
    const int64_t n = std::min(kChunk, count - at);
    const void* x = static_cast<const std::byte*>(from) + at * from_bytes_;
    for (size_t s = 0; s < kSteps && steps_[s]; ++s) {
      const bool last = s + 1 == kSteps || !steps_[s + 1];
      void* y = last ? static_cast<std::byte*>(to) + at * to_bytes_ : middle[s % 2];
      steps_[s](x, y, n);
      x = y;
    }
  }
}

ConvertRun convert_run(DType from, DType to, const NarrowRule& rule) {
  const bool decodes = kStored.has(from), encodes = kStored.has(to);
  if (!decodes && !encodes) return plain(from, to);
  if (from == to) return ConvertRun::Step{copy_bytes};
  // What stands between the codes and the other type.
  DType at = from;
  if (decodes) at = kNarrowFloats.has(from) ? DType::f32 : DType::i8;
  const DType end = !encodes ? to : kNarrowFloats.has(to) ? DType::f32 : DType::i64;
  const ConvertRun::Step between = encodes && end == DType::f32 ? to_odd(at) : plain(at, end);
  if (!between) return {};
  ConvertRun run;
  run.from_bytes_ = static_cast<uint8_t>(size_of(from));
  run.to_bytes_ = static_cast<uint8_t>(size_of(to));
  if (decodes) run.add(decoder(from));
  if (at != end) run.add(between);
  if (encodes) run.add(encoder(to, rule));
  return run;
}

}  // namespace tenon
