// Winograd transforms and products on vectors of channels.
#include "backends/cpu/winograd_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/winograd_loops.cpp"
#include <hwy/cache_control.h>

#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using Wide = hn::CappedTag<float, kWinogradChunk>;
using V = hn::Vec<Wide>;

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
constexpr size_t kRows = 6;  // 16 registers
#else
constexpr size_t kRows = kMaxWinogradRows;
#endif

// F(4, 3) with the points 0, +-3/4, +-3/2 and infinity. The paper has 0, +-1, +-2; these, the same
// scaled by 3/4, are exact in binary too and leave a quarter of the error.
struct Outputs4 {
  static constexpr size_t kOutputs = 4, kInputs = 6;
  static constexpr float kA = 0.75F, kB = 1.5F, kA2 = kA * kA, kB2 = kB * kB;

  static HWY_INLINE void input(Wide d, const V (&x)[6], V (&y)[6]) {
    const V a = hn::Set(d, kA), b = hn::Set(d, kB);
    const V a2 = hn::Set(d, kA2), b2 = hn::Set(d, kB2);
    const V sum = hn::Set(d, kA2 + kB2), product = hn::Set(d, kA2 * kB2);
    const V even_a = hn::NegMulAdd(b2, x[2], x[4]), odd_a = hn::NegMulAdd(b2, x[1], x[3]);
    const V even_b = hn::NegMulAdd(a2, x[2], x[4]), odd_b = hn::NegMulAdd(a2, x[1], x[3]);
    y[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
    y[1] = hn::MulAdd(a, odd_a, even_a);
    y[2] = hn::NegMulAdd(a, odd_a, even_a);
    y[3] = hn::MulAdd(b, odd_b, even_b);
    y[4] = hn::NegMulAdd(b, odd_b, even_b);
    y[5] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
  }
  static HWY_INLINE void output(Wide d, const V (&x)[6], V (&y)[4]) {
    const V sum_a = hn::Add(x[1], x[2]), difference_a = hn::Sub(x[1], x[2]);
    const V sum_b = hn::Add(x[3], x[4]), difference_b = hn::Sub(x[3], x[4]);
    y[0] = hn::Add(hn::Add(x[0], sum_a), sum_b);
    y[1] = hn::MulAdd(hn::Set(d, kA), difference_a, hn::Mul(hn::Set(d, kB), difference_b));
    y[2] = hn::MulAdd(hn::Set(d, kA2), sum_a, hn::Mul(hn::Set(d, kB2), sum_b));
    y[3] = hn::MulAdd(hn::Set(d, kA * kA2), difference_a,
                      hn::MulAdd(hn::Set(d, kB * kB2), difference_b, x[5]));
  }
};

// F(2, 3) with the points 0, +-1 and infinity, as in the paper.
struct Outputs2 {
  static constexpr size_t kOutputs = 2, kInputs = 4;

  static HWY_INLINE void input(Wide, const V (&x)[4], V (&y)[4]) {
    y[0] = hn::Sub(x[0], x[2]);
    y[1] = hn::Add(x[1], x[2]);
    y[2] = hn::Sub(x[2], x[1]);
    y[3] = hn::Sub(x[3], x[1]);
  }
  static HWY_INLINE void output(Wide, const V (&x)[4], V (&y)[2]) {
    y[0] = hn::Add(hn::Add(x[0], x[1]), x[2]);
    y[1] = hn::Add(hn::Sub(x[1], x[2]), x[3]);
  }
};

// `count` channels, at most a vector of them.
template <class F, bool kPart>
HWY_INLINE void input_vector(const float* const* pixels, size_t channel, size_t count, float* to,
                             size_t element_step) {
  constexpr size_t n = F::kInputs;
  const Wide d;
  V half[n][n];  // columns transformed
  for (size_t column = 0; column < n; ++column) {
    V x[n], y[n];
    for (size_t row = 0; row < n; ++row) {
      const float* from = pixels[row * n + column] + channel;
      x[row] = kPart ? load_part(d, from, count) : hn::LoadU(d, from);
    }
    F::input(d, x, y);
    for (size_t row = 0; row < n; ++row) half[row][column] = y[row];
  }
  for (size_t row = 0; row < n; ++row) {
    V y[n];
    F::input(d, half[row], y);
    for (size_t column = 0; column < n; ++column)
      hn::Store(y[column], d, to + (row * n + column) * element_step);
  }
}

template <class F>
void input(const float* const* pixels, size_t channels, float* to, size_t chunk_step,
           size_t element_step) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  for (size_t chunk = 0; chunk < channels; chunk += kWinogradChunk, to += chunk_step)
    for (size_t i = 0; i < kWinogradChunk; i += lanes) {
      const size_t channel = chunk + i;
      if (channel + lanes <= channels)
        input_vector<F, false>(pixels, channel, lanes, to + i, element_step);
      else if (channel < channels)
        input_vector<F, true>(pixels, channel, channels - channel, to + i, element_step);
    }
}

// Sums of kCount tiles with two vectors of output channels.
template <size_t kCount>
struct Sums {
  V first, second;
  Sums<kCount - 1> others;

  HWY_INLINE explicit Sums(Wide d) : first(hn::Zero(d)), second(hn::Zero(d)), others(d) {}
  HWY_INLINE void load(Wide d, const float* HWY_RESTRICT from) {
    const size_t lanes = hn::Lanes(d);
    first = hn::Load(d, from);
    second = hn::Load(d, from + lanes);
    others.load(d, from + 2 * lanes);
  }
  HWY_INLINE void add(Wide d, const float* HWY_RESTRICT tiles, V b0, V b1) {
    const V x = hn::Set(d, *tiles);
    first = hn::MulAdd(x, b0, first);
    second = hn::MulAdd(x, b1, second);
    others.add(d, tiles + kWinogradChunk, b0, b1);
  }
  HWY_INLINE void store(Wide d, float* HWY_RESTRICT to) const {
    const size_t lanes = hn::Lanes(d);
    hn::Store(first, d, to);
    hn::Store(second, d, to + lanes);
    others.store(d, to + 2 * lanes);
  }
};
template <>
struct Sums<0> {
  HWY_INLINE explicit Sums(Wide) {}
  HWY_INLINE void load(Wide, const float*) {}
  HWY_INLINE void add(Wide, const float*, V, V) {}
  HWY_INLINE void store(Wide, float*) const {}
};

template <size_t kCount>
HWY_NOINLINE void product_of(const float* HWY_RESTRICT tiles, const float* HWY_RESTRICT weights,
                             size_t channels, float* HWY_RESTRICT to, const float* ahead,
                             size_t ahead_step, bool add) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  Sums<kCount> sums(d);
  if (add) sums.load(d, to);
  for (size_t chunk = 0; chunk < channels; chunk += kWinogradChunk) {
    const size_t depth = HWY_MIN(kWinogradChunk, channels - chunk);
    for (size_t k = 0; k < depth; ++k, weights += 2 * lanes, ahead += ahead_step) {
      hwy::Prefetch(ahead);
      if (lanes == kWinogradChunk) hwy::Prefetch(ahead + kWinogradChunk);
      sums.add(d, tiles + k, hn::Load(d, weights), hn::Load(d, weights + lanes));
    }
    tiles += kCount * kWinogradChunk;
  }
  sums.store(d, to);
}

template <size_t kCount>
HWY_INLINE void product_of_count(const float* tiles, size_t rows, const float* weights,
                                 size_t channels, float* to, const float* ahead, size_t ahead_step,
                                 bool add) {
  if (rows == kCount)
    return product_of<kCount>(tiles, weights, channels, to, ahead, ahead_step, add);
  if constexpr (kCount > 1)
    product_of_count<kCount - 1>(tiles, rows, weights, channels, to, ahead, ahead_step, add);
}
void product(const float* tiles, size_t rows, const float* weights, size_t channels, float* to,
             const float* ahead, size_t ahead_step, bool add) {
  product_of_count<kRows>(tiles, rows, weights, channels, to, ahead, ahead_step, add);
}

// One vector of output channels, `count` of them to be stored.
template <class F, bool kPart>
HWY_INLINE void output_vector(const WinogradTarget& t, const ConvClamp& how, size_t channel,
                              size_t count) {
  constexpr size_t n = F::kInputs, m = F::kOutputs;
  const Wide d;
  const float* sums = t.sums + channel;
  V half[m][n];
  for (size_t column = 0; column < n; ++column) {
    V x[n], y[m];
    for (size_t row = 0; row < n; ++row)
      x[row] = hn::Load(d, sums + (row * n + column) * t.element_step);
    F::output(d, x, y);
    for (size_t row = 0; row < m; ++row) half[row][column] = y[row];
  }
  V bias = hn::Zero(d);
  if (t.bias) bias = kPart ? load_part(d, t.bias + channel, count) : hn::LoadU(d, t.bias + channel);
  const V slope = hn::Set(d, how.slope), low = hn::Set(d, how.low), high = hn::Set(d, how.high);
  for (size_t row = 0; row < m; ++row) {
    if (row >= t.rows) break;
    V y[m];
    F::output(d, half[row], y);
    const size_t at = row * t.row_step + channel;
    for (size_t column = 0; column < m; ++column) {
      if (column >= t.columns) break;
      V v = hn::Add(y[column], bias);
      const size_t place = at + column * t.pixel_step;
      if (t.residual)
        v = hn::Add(
            v, kPart ? load_part(d, t.residual + place, count) : hn::LoadU(d, t.residual + place));
      if (how.leaky) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(v, slope), v);
      if (how.at_least) v = hn::IfThenElse(hn::Lt(v, low), low, v);
      if (how.at_most) v = hn::IfThenElse(hn::Gt(v, high), high, v);
      if constexpr (kPart)
        store_part(v, d, t.y + place, count);
      else
        hn::StoreU(v, d, t.y + place);
    }
  }
}

template <class F>
void output(const WinogradTarget& t, const ConvClamp& how) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= t.channels; i += lanes) output_vector<F, false>(t, how, i, lanes);
  if (i < t.channels) output_vector<F, true>(t, how, i, t.channels - i);
}

template <class F>
WinogradLoops loops_of() {
  return {2 * hn::Lanes(Wide()), kRows, input<F>, product, output<F>};
}

WinogradLoops find_winograd_loops(int64_t outputs) {
  return outputs == 2 ? loops_of<Outputs2>() : loops_of<Outputs4>();
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {
HWY_EXPORT(find_winograd_loops);
}  // namespace

const double* winograd_kernel_transform(int64_t outputs) {
  static constexpr double two[] = {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1};
  // With a = 3/4 and b = 3/2: a row of [1, +-a, a^2] / (2 a^2 (a^2 - b^2)) for the points +-a.
  static constexpr double a = 0.75, b = 1.5, a2 = a * a, b2 = b * b;
  static constexpr double of_a = 1 / (2 * a2 * (a2 - b2)), of_b = 1 / (2 * b2 * (b2 - a2));
  static constexpr double four[] = {1 / (a2 * b2),
                                    0,
                                    0,  //
                                    of_a,
                                    a * of_a,
                                    a2 * of_a,  //
                                    of_a,
                                    -a * of_a,
                                    a2 * of_a,  //
                                    of_b,
                                    b * of_b,
                                    b2 * of_b,  //
                                    of_b,
                                    -b * of_b,
                                    b2 * of_b,  //
                                    0,
                                    0,
                                    1};
  return outputs == 2 ? two : four;
}

WinogradLoops winograd_loops(int64_t outputs) {
  return HWY_DYNAMIC_DISPATCH(find_winograd_loops)(outputs);
}

}  // namespace tenon::cpu
#endif
