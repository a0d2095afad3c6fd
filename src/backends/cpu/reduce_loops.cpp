// Loops of reductions for f32 by vectors, for f64 and integers by plain loops.
#include "backends/cpu/reduce_loops.h"

#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/reduce_loops.cpp"
#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Each fold of f32: what an element becomes, how two results combine, and the neutral result.
struct SumFold {
  static constexpr float kNeutral = 0;
  template <class D, class V>
  static HWY_INLINE V map(D, V x, V) {
    return x;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V a, V b) {
    return hn::Add(a, b);
  }
  template <class D, class V>
  static HWY_INLINE float total(D d, V acc) {
    return hn::GetLane(hn::SumOfLanes(d, acc));
  }
};
struct AbsFold : SumFold {
  template <class D, class V>
  static HWY_INLINE V map(D, V x, V) {
    return hn::Abs(x);
  }
};
struct SquareFold : SumFold {
  template <class D, class V>
  static HWY_INLINE V map(D, V x, V) {
    return hn::Mul(x, x);
  }
};
struct ExpFold : SumFold {  // the shift is the maximum, so x - shift <= 0
  template <class D, class V>
  static HWY_INLINE V map(D d, V x, V shift) {
    return exp_nonpositive(d, hn::Sub(x, shift));
  }
};
struct MaxFold {  // NaN wins: vector maxima of x86 give the second operand where either is NaN
  static constexpr float kNeutral = -kInfinity;
  template <class D, class V>
  static HWY_INLINE V map(D, V x, V) {
    return x;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V acc, V x) {
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Max(x, acc));
  }
  template <class D, class V>
  static HWY_INLINE float total(D d, V acc) {
    if (!hn::AllFalse(d, hn::IsNaN(acc))) return std::numeric_limits<float>::quiet_NaN();
    return hn::GetLane(hn::MaxOfLanes(d, acc));
  }
};
struct MinFold {
  static constexpr float kNeutral = kInfinity;
  template <class D, class V>
  static HWY_INLINE V map(D, V x, V) {
    return x;
  }
  template <class D, class V>
  static HWY_INLINE V combine(D, V acc, V x) {
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Min(x, acc));
  }
  template <class D, class V>
  static HWY_INLINE float total(D d, V acc) {
    if (!hn::AllFalse(d, hn::IsNaN(acc))) return std::numeric_limits<float>::quiet_NaN();
    return hn::GetLane(hn::MinOfLanes(d, acc));
  }
};

template <class F>
Wide run_f32(const void* data, size_t n, double shift) {
  const Tag<float> d;
  using V = hn::Vec<Tag<float>>;
  const size_t lanes = hn::Lanes(d);
  const float* x = static_cast<const float*>(data);
  const V offset = hn::Set(d, static_cast<float>(shift));
  V a = hn::Set(d, F::kNeutral);
  V b = a, c = a, e = a;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = F::combine(d, a, F::map(d, hn::LoadU(d, x + i), offset));
    b = F::combine(d, b, F::map(d, hn::LoadU(d, x + i + lanes), offset));
    c = F::combine(d, c, F::map(d, hn::LoadU(d, x + i + 2 * lanes), offset));
    e = F::combine(d, e, F::map(d, hn::LoadU(d, x + i + 3 * lanes), offset));
  }
  for (; i + lanes <= n; i += lanes) a = F::combine(d, a, F::map(d, hn::LoadU(d, x + i), offset));
  if (i < n) {
    const V rest = F::map(d, load_part(d, x + i, n - i), offset);
    b = F::combine(d, b, hn::IfThenElse(hn::FirstN(d, n - i), rest, hn::Set(d, F::kNeutral)));
  }
  const V all = F::combine(d, F::combine(d, a, b), F::combine(d, c, e));
  return {.f = static_cast<double>(F::total(d, all))};
}

template <class F, bool kShifted = false>
void columns_f32(const void* data, int64_t stride, size_t rows, size_t columns, const double* shift,
                 void* result) {
  const Tag<float> d;
  using V = hn::Vec<Tag<float>>;
  const size_t lanes = hn::Lanes(d);
  const float* x = static_cast<const float*>(data);
  float* acc = static_cast<float*>(result);
  for (size_t r = 0; r < rows; r += 4, x += 4 * stride) {
    const size_t height = rows - r < 4 ? rows - r : 4;
    for (size_t c = 0; c < columns; c += lanes) {
      const size_t width = columns - c < lanes ? columns - c : lanes;
      const bool whole = width == lanes;
      V offset = hn::Zero(d);
      if constexpr (kShifted) {
        HWY_ALIGN float shifts[hn::MaxLanes(d)] = {};
        for (size_t k = 0; k < width; ++k) shifts[k] = static_cast<float>(shift[c + k]);
        offset = hn::Load(d, shifts);
      }
      V sum = whole ? hn::LoadU(d, acc + c) : load_part(d, acc + c, width);
      const float* at = x + c;
      if (height == 4 && whole) {
        const V x0 = F::map(d, hn::LoadU(d, at), offset);
        const V x1 = F::map(d, hn::LoadU(d, at + stride), offset);
        const V x2 = F::map(d, hn::LoadU(d, at + 2 * stride), offset);
        const V x3 = F::map(d, hn::LoadU(d, at + 3 * stride), offset);
        sum = F::combine(d, sum, F::combine(d, F::combine(d, x0, x1), F::combine(d, x2, x3)));
      } else {
        for (size_t k = 0; k < height; ++k, at += stride) {
          const V row = whole ? hn::LoadU(d, at) : load_part(d, at, width);
          sum = F::combine(d, sum, F::map(d, row, offset));
        }
      }
      if (whole)
        hn::StoreU(sum, d, acc + c);
      else
        store_part(sum, d, acc + c, width);
    }
  }
}

// Plain loops, which the compiler vectorises. Floats accumulate in double, integers wrap in T.
template <Fold kFold, class W, class T>
HWY_INLINE W combine_plain(W acc, T value) {
  const W x = static_cast<W>(value);
  if constexpr (kFold == Fold::sum) {
    if constexpr (std::is_integral_v<W>)
      return static_cast<W>(static_cast<uint64_t>(acc) + static_cast<uint64_t>(x));
    else
      return acc + x;
  } else if constexpr (kFold == Fold::sum_abs) {
    return acc + (x < 0 ? -x : x);
  } else if constexpr (kFold == Fold::sum_square) {
    return acc + x * x;
  } else if constexpr (kFold == Fold::prod) {
    if constexpr (std::is_integral_v<W>)
      return static_cast<W>(static_cast<uint64_t>(acc) * static_cast<uint64_t>(x));
    else
      return acc * x;
  } else if constexpr (kFold == Fold::max) {
    return x > acc || x != x ? x : acc;
  } else {
    return x < acc || x != x ? x : acc;
  }
}

template <Fold kFold, class W>
constexpr W neutral_plain() {
  using Limits = std::numeric_limits<W>;
  if constexpr (kFold == Fold::prod) return 1;
  if constexpr (kFold == Fold::max)
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  if constexpr (kFold == Fold::min)
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  return 0;
}

template <Fold kFold, class T>
Wide run_plain(const void* data, size_t n, double) {
  using W = std::conditional_t<std::is_integral_v<T>, int64_t, double>;
  const T* x = static_cast<const T*>(data);
  // Independent accumulators, in a fixed order.
  W acc[8];
  for (W& each : acc) each = neutral_plain<kFold, W>();
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t k = 0; k < 8; ++k) acc[k] = combine_plain<kFold, W, T>(acc[k], x[i + k]);
  for (; i < n; ++i) acc[0] = combine_plain<kFold, W, T>(acc[0], x[i]);
  constexpr Fold kAgain = kFold == Fold::sum_abs || kFold == Fold::sum_square ? Fold::sum : kFold;
  for (size_t k = 1; k < 8; ++k) acc[0] = combine_plain<kAgain, W, W>(acc[0], acc[k]);
  if constexpr (std::is_integral_v<T>)
    return {.i = acc[0]};
  else
    return {.f = acc[0]};
}

template <Fold kFold, class T>
void columns_plain(const void* data, int64_t stride, size_t rows, size_t columns, const double*,
                   void* result) {
  const T* x = static_cast<const T*>(data);
  T* acc = static_cast<T*>(result);
  for (size_t r = 0; r < rows; ++r, x += stride)
    for (size_t c = 0; c < columns; ++c) acc[c] = combine_plain<kFold, T, T>(acc[c], x[c]);
}

template <class F, bool kShifted = false>
constexpr ReduceLoops f32_loops() {
  return {run_f32<F>, columns_f32<F, kShifted>};
}
template <Fold kFold, class T>
constexpr ReduceLoops plain_loops() {
  return {run_plain<kFold, T>, columns_plain<kFold, T>};
}

template <class T>
ReduceLoops integer_loops(Fold fold) {
  switch (fold) {
    case Fold::sum: return plain_loops<Fold::sum, T>();
    case Fold::max: return plain_loops<Fold::max, T>();
    case Fold::min: return plain_loops<Fold::min, T>();
    case Fold::prod: return plain_loops<Fold::prod, T>();
    default: return {};
  }
}

ReduceLoops find_reduce_loops(Fold fold, DType type) {
  if (type == DType::i32) return integer_loops<int32_t>(fold);
  if (type == DType::i64) return integer_loops<int64_t>(fold);
  if (type == DType::f64) {
    switch (fold) {
      case Fold::sum_abs: return plain_loops<Fold::sum_abs, double>();
      case Fold::sum_square: return plain_loops<Fold::sum_square, double>();
      default: return integer_loops<double>(fold);
    }
  }
  if (type != DType::f32) return {};
  switch (fold) {
    case Fold::sum: return f32_loops<SumFold>();
    case Fold::sum_abs: return f32_loops<AbsFold>();
    case Fold::sum_square: return f32_loops<SquareFold>();
    case Fold::sum_exp: return f32_loops<ExpFold, true>();
    // Products leave the range of f32 on the way: in double.
    case Fold::prod: return {run_plain<Fold::prod, float>, nullptr};
    case Fold::max: return f32_loops<MaxFold>();
    case Fold::min: return f32_loops<MinFold>();
  }
  return {};
}

size_t find_first_value(const float* x, size_t n, float best) {
  const Tag<float> d;
  const size_t lanes = hn::Lanes(d);
  const auto wanted = hn::Set(d, best);
  const bool nan = best != best;
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    const auto found = nan ? hn::IsNaN(v) : hn::Eq(v, wanted);
    const intptr_t lane = hn::FindFirstTrue(d, found);
    if (lane >= 0) return i + static_cast<size_t>(lane);
  }
  for (; i < n; ++i)
    if (nan ? x[i] != x[i] : x[i] == best) return i;
  return 0;
}

size_t find_value_in(const float* x, size_t n, float best, bool last) {
  if (!last || best != best) return find_first_value(x, n, best);
  for (size_t i = n; i-- > 0;)
    if (x[i] == best) return i;
  return 0;
}

FindValueFn choose_find_value() { return find_value_in; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

HWY_EXPORT(find_reduce_loops);
HWY_EXPORT(choose_find_value);

ReduceLoops reduce_loops(Fold fold, DType type) {
  return HWY_DYNAMIC_DISPATCH(find_reduce_loops)(fold, type);
}
FindValueFn find_value() { return HWY_DYNAMIC_DISPATCH(choose_find_value)(); }

}  // namespace tenon::cpu
#endif
