// The table of conversions of runs: every pair of real types is one small loop here; whoever copies
// strided elements gathers them into runs first.
#include "tensor/convert.h"

#include <array>
#include <complex>
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

using Table = std::array<std::array<ConvertRun, kDTypeCount>, kDTypeCount>;

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

}  // namespace

ConvertRun convert_run(DType from, DType to) {
  return kTable[static_cast<size_t>(from)][static_cast<size_t>(to)];
}

}  // namespace tenon
