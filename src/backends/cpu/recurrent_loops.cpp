#include "backends/cpu/recurrent_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/recurrent_loops.cpp"
#include "backends/cpu/row_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using recurrent::Function;

// -- Products ---------------------------------------------------------------------------------
// A panel is two vectors wide. Accumulators are single variables because vectors of some
// instruction sets have no arrays.

HWY_INLINE void add_to(V v, float* y, size_t n) { store_some(hn::Add(load_some(y, n), v), y, n); }
// The first n of the two vectors of a panel.
HWY_INLINE void add_panel(V v0, V v1, float* y, size_t n) {
  const size_t lanes = hn::Lanes(D());
  add_to(v0, y, n);
  if (n > lanes) add_to(v1, y + lanes, n - lanes);
}

HWY_INLINE void one_row(const float* a, const float* p, float* y, size_t k, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d), width = 2 * lanes;
  V c0 = hn::Zero(d), c1 = c0, e0 = c0, e1 = c0, f0 = c0, f1 = c0, g0 = c0, g1 = c0;
  size_t i = 0;
  for (; i + 4 <= k; i += 4, p += 4 * width) {
    const V a0 = hn::Set(d, a[i]), a1 = hn::Set(d, a[i + 1]);
    const V a2 = hn::Set(d, a[i + 2]), a3 = hn::Set(d, a[i + 3]);
    c0 = hn::MulAdd(a0, hn::LoadU(d, p), c0);
    c1 = hn::MulAdd(a0, hn::LoadU(d, p + lanes), c1);
    e0 = hn::MulAdd(a1, hn::LoadU(d, p + width), e0);
    e1 = hn::MulAdd(a1, hn::LoadU(d, p + width + lanes), e1);
    f0 = hn::MulAdd(a2, hn::LoadU(d, p + 2 * width), f0);
    f1 = hn::MulAdd(a2, hn::LoadU(d, p + 2 * width + lanes), f1);
    g0 = hn::MulAdd(a3, hn::LoadU(d, p + 3 * width), g0);
    g1 = hn::MulAdd(a3, hn::LoadU(d, p + 3 * width + lanes), g1);
  }
  for (; i < k; ++i, p += width) {
    const V a0 = hn::Set(d, a[i]);
    c0 = hn::MulAdd(a0, hn::LoadU(d, p), c0);
    c1 = hn::MulAdd(a0, hn::LoadU(d, p + lanes), c1);
  }
  add_panel(hn::Add(hn::Add(c0, e0), hn::Add(f0, g0)), hn::Add(hn::Add(c1, e1), hn::Add(f1, g1)), y,
            n);
}

HWY_INLINE void four_rows(const float* a, size_t a_stride, const float* p, float* y,
                          size_t y_stride, size_t k, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float *b = a + a_stride, *c = b + a_stride, *e = c + a_stride;
  V a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, e0 = a0, e1 = a0;
  for (size_t i = 0; i < k; ++i, p += 2 * lanes) {
    const V m0 = hn::LoadU(d, p), m1 = hn::LoadU(d, p + lanes);
    const V va = hn::Set(d, a[i]), vb = hn::Set(d, b[i]), vc = hn::Set(d, c[i]),
            ve = hn::Set(d, e[i]);
    a0 = hn::MulAdd(va, m0, a0);
    a1 = hn::MulAdd(va, m1, a1);
    b0 = hn::MulAdd(vb, m0, b0);
    b1 = hn::MulAdd(vb, m1, b1);
    c0 = hn::MulAdd(vc, m0, c0);
    c1 = hn::MulAdd(vc, m1, c1);
    e0 = hn::MulAdd(ve, m0, e0);
    e1 = hn::MulAdd(ve, m1, e1);
  }
  add_panel(a0, a1, y, n);
  add_panel(b0, b1, y + y_stride, n);
  add_panel(c0, c1, y + 2 * y_stride, n);
  add_panel(e0, e1, y + 3 * y_stride, n);
}

void multiply(const float* a, size_t a_stride, const float* packed, float* y, size_t y_stride,
              size_t rows, size_t k, size_t columns, size_t first, size_t last) {
  const size_t width = 2 * hn::Lanes(D());
  for (size_t panel = first; panel < last; ++panel) {
    const float* p = packed + panel * width * k;
    const size_t at = panel * width, n = columns - at;
    size_t row = 0;
    for (; row + 4 <= rows; row += 4)
      four_rows(a + row * a_stride, a_stride, p, y + row * y_stride + at, y_stride, k, n);
    for (; row < rows; ++row) one_row(a + row * a_stride, p, y + row * y_stride + at, k, n);
  }
}

void pack(const float* m, size_t stride, size_t k, size_t columns, bool transposed, float* packed) {
  const size_t width = 2 * hn::Lanes(D());
  for (size_t at = 0; at < columns; at += width) {
    const size_t n = HWY_MIN(width, columns - at);
    if (transposed) {
      for (size_t i = 0; i < k; ++i) {
        std::memcpy(packed + i * width, m + i * stride + at, n * sizeof(float));
        for (size_t j = n; j < width; ++j) packed[i * width + j] = 0;
      }
    } else {
      const float* rows = m + at * stride;
      for (size_t i = 0; i < k; ++i) {
        float* to = packed + i * width;
        for (size_t j = 0; j < n; ++j) to[j] = rows[j * stride + i];
        for (size_t j = n; j < width; ++j) to[j] = 0;
      }
    }
    packed += width * k;
  }
}

HWY_INLINE float sum_of(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

void dots(const float* a, const float* m, float* y, size_t k, size_t columns) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t j = 0;
  for (; j + 4 <= columns; j += 4, m += 4 * k) {
    const float *m1 = m + k, *m2 = m1 + k, *m3 = m2 + k;
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < k; i += lanes) {
      const size_t n = k - i;
      const V v = load_some(a + i, n);
      s0 = hn::MulAdd(v, load_some(m + i, n), s0);
      s1 = hn::MulAdd(v, load_some(m1 + i, n), s1);
      s2 = hn::MulAdd(v, load_some(m2 + i, n), s2);
      s3 = hn::MulAdd(v, load_some(m3 + i, n), s3);
    }
    y[j] += sum_of(s0);
    y[j + 1] += sum_of(s1);
    y[j + 2] += sum_of(s2);
    y[j + 3] += sum_of(s3);
  }
  for (; j < columns; ++j, m += k) {
    V s = hn::Zero(d);
    for (size_t i = 0; i < k; i += lanes)
      s = hn::MulAdd(load_some(a + i, k - i), load_some(m + i, k - i), s);
    y[j] += sum_of(s);
  }
}

// -- Activations ------------------------------------------------------------------------------
struct Affine {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return hn::MulAdd(alpha, x, beta); }
  HWY_INLINE V slope(V) const { return alpha; }
};
struct Elu {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const {
    const V below = hn::Mul(alpha, expm1_nonpositive(D(), at_most(D(), x, 0)));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(D())), x, below);
  }
};
struct HardSigmoid {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const {
    return at_least(D(), at_most(D(), hn::MulAdd(alpha, x, beta), 1), 0);
  }
  HWY_INLINE V slope(V y) const {
    const auto inside = hn::And(hn::Gt(y, hn::Zero(D())), hn::Lt(y, hn::Set(D(), 1.0F)));
    return hn::IfThenElseZero(inside, alpha);
  }
};
struct LeakyRelu {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const {
    return hn::IfThenElse(hn::Ge(x, hn::Zero(D())), x, hn::Mul(alpha, x));
  }
};
struct Relu {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return at_least(D(), x, 0); }
  HWY_INLINE V slope(V y) const {
    return hn::IfThenElseZero(hn::Gt(y, hn::Zero(D())), hn::Set(D(), 1.0F));
  }
};
struct ScaledTanh {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return hn::Mul(alpha, tanh(D(), hn::Mul(beta, x))); }
};
struct Sigmoid {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return sigmoid(D(), x); }
  HWY_INLINE V slope(V y) const { return hn::NegMulAdd(y, y, y); }
};
struct Softplus {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const {
    const V rest = log1p_unit(D(), exp_nonpositive(D(), hn::Neg(hn::Abs(x))));
    return hn::Add(at_least(D(), x, 0), rest);
  }
};
struct Softsign {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return hn::Div(x, hn::Add(hn::Set(D(), 1.0F), hn::Abs(x))); }
  HWY_INLINE V slope(V y) const {
    const V rest = hn::Sub(hn::Set(D(), 1.0F), hn::Abs(y));
    return hn::Mul(rest, rest);
  }
};
struct Tanh {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return tanh(D(), x); }
  HWY_INLINE V slope(V y) const { return hn::NegMulAdd(y, y, hn::Set(D(), 1.0F)); }
};
struct ThresholdedRelu {
  V alpha, beta;
  HWY_INLINE V operator()(V x) const { return hn::IfThenElseZero(hn::Gt(x, alpha), x); }
};

template <class F>
void activate(float* x, const float* add, size_t n, float clip, float alpha, float beta) {
  const D d;
  const F f{hn::Set(d, alpha), hn::Set(d, beta)};
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    V v = load_some(x + i, n - i);
    if (add) v = hn::Add(v, load_some(add + i, n - i));
    store_some(f(at_least(d, at_most(d, v, clip), -clip)), x + i, n - i);
  }
}

template <class F>
void slope(const float* y, float* dy, size_t n, float alpha, float beta) {
  const D d;
  const F f{hn::Set(d, alpha), hn::Set(d, beta)};
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const V s = f.slope(load_some(y + i, n - i));
    store_some(hn::Mul(load_some(dy + i, n - i), s), dy + i, n - i);
  }
}

ActivateFn activate_of(Function function) {
  switch (function) {
    case Function::affine: return activate<Affine>;
    case Function::elu: return activate<Elu>;
    case Function::hard_sigmoid: return activate<HardSigmoid>;
    case Function::leaky_relu: return activate<LeakyRelu>;
    case Function::relu: return activate<Relu>;
    case Function::scaled_tanh: return activate<ScaledTanh>;
    case Function::sigmoid: return activate<Sigmoid>;
    case Function::softplus: return activate<Softplus>;
    case Function::softsign: return activate<Softsign>;
    case Function::tanh: return activate<Tanh>;
    case Function::thresholded_relu: return activate<ThresholdedRelu>;
  }
  return nullptr;
}

SlopeFn slope_of(Function function) {
  switch (function) {
    case Function::affine: return slope<Affine>;
    case Function::hard_sigmoid: return slope<HardSigmoid>;
    case Function::relu: return slope<Relu>;
    case Function::sigmoid: return slope<Sigmoid>;
    case Function::softsign: return slope<Softsign>;
    case Function::tanh: return slope<Tanh>;
    default: return nullptr;
  }
}

// -- Gates ------------------------------------------------------------------------------------
void add(float* x, const float* a, size_t n) {
  for (size_t i = 0; i < n; i += hn::Lanes(D())) add_to(load_some(a + i, n - i), x + i, n - i);
}

void add_product(float* x, const float* a, const float* b, size_t n) {
  for (size_t i = 0; i < n; i += hn::Lanes(D())) {
    const size_t rest = n - i;
    const V v = hn::MulAdd(load_some(a + i, rest), load_some(b + i, rest), load_some(x + i, rest));
    store_some(v, x + i, rest);
  }
}

void product(float* x, const float* a, const float* b, size_t n) {
  for (size_t i = 0; i < n; i += hn::Lanes(D())) {
    const size_t rest = n - i;
    store_some(hn::Mul(load_some(a + i, rest), load_some(b + i, rest)), x + i, rest);
  }
}

void complement(float* x, const float* a, size_t n) {
  const V one = hn::Set(D(), 1.0F);
  for (size_t i = 0; i < n; i += hn::Lanes(D()))
    store_some(hn::Sub(one, load_some(a + i, n - i)), x + i, n - i);
}

void remember(float* c, const float* f, const float* i, const float* g, size_t n) {
  for (size_t k = 0; k < n; k += hn::Lanes(D())) {
    const size_t rest = n - k;
    const V kept = hn::Mul(load_some(f + k, rest), load_some(c + k, rest));
    store_some(hn::MulAdd(load_some(i + k, rest), load_some(g + k, rest), kept), c + k, rest);
  }
}

void blend(float* h, const float* z, const float* fresh, size_t n) {
  for (size_t i = 0; i < n; i += hn::Lanes(D())) {
    const size_t rest = n - i;
    const V f = load_some(fresh + i, rest);
    const V change = hn::Sub(load_some(h + i, rest), f);
    store_some(hn::MulAdd(load_some(z + i, rest), change, f), h + i, rest);
  }
}

RecurrentLoops find_recurrent_loops() {
  return {2 * hn::Lanes(D()), pack,    multiply,   dots,     activate_of, slope_of, add,
          add_product,        product, complement, remember, blend};
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {
HWY_EXPORT(find_recurrent_loops);
}

RecurrentLoops recurrent_loops() { return HWY_DYNAMIC_DISPATCH(find_recurrent_loops)(); }

}  // namespace tenon::cpu
#endif
