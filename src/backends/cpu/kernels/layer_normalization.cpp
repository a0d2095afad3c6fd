// LayerNormalization and its gradient for f32 rows, in passes over a row that the caches hold. Mean
// and variance are sums in double every 1024 elements; the variance is that of the centred row.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/row_kernel.h"
#include "base/threads.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/layer_normalization.cpp"
#include "backends/cpu/norm_loops_inl.h"

#ifndef TENON_CPU_LAYER_NORMALIZATION_TYPES
#define TENON_CPU_LAYER_NORMALIZATION_TYPES
namespace tenon::cpu {
namespace {

struct LayerNormLoops {
  // out = (x - mean) * inv_std * scale + bias over n elements; bias may be null.
  Moments (*forward)(const float* x, const float* scale, const float* bias, float* out, size_t n,
                     double epsilon) = nullptr;
  // dx, and what the row adds to dscale and dbias, which are both given or both null.
  void (*backward)(const float* dy, const float* x, const float* scale, float* dx, float* dscale,
                   float* dbias, size_t n, double epsilon) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

Moments forward(const float* x, const float* scale, const float* bias, float* out, size_t n,
                double epsilon) {
  const Moments m = moments(x, n, epsilon);
  const V mean = hn::Set(D(), m.mean);
  const V inv_std = hn::Set(D(), m.inv_std);
  if (bias)
    normalize<true>(x, scale, bias, out, n, mean, inv_std);
  else
    normalize<false>(x, scale, bias, out, n, mean, inv_std);
  return m;
}

// What one vector of a row adds: to the sums of g = dy*scale and g*x_hat, and to dscale and dbias.
// Lanes past the end have dy = 0 and add nothing.
template <bool kParams>
HWY_INLINE void backward_sums(const float* dy, const float* x, const float* scale, float* dscale,
                              float* dbias, size_t n, V mean, V inv_std, V& sum_g, V& sum_gx) {
  const V dyi = load_some(dy, n);
  const V x_hat = hn::Mul(hn::Sub(load_some(x, n), mean), inv_std);
  const V g = hn::Mul(dyi, load_some(scale, n));
  sum_g = hn::Add(sum_g, g);
  sum_gx = hn::MulAdd(g, x_hat, sum_gx);
  if constexpr (kParams) {
    store_some(hn::MulAdd(dyi, x_hat, load_some(dscale, n)), dscale, n);
    store_some(hn::Add(dyi, load_some(dbias, n)), dbias, n);
  }
}

// With x_hat the normalised row, dx = inv_std*(g - mean(g) - x_hat*mean(g*x_hat)).
template <bool kParams>
HWY_INLINE void backward_row(const float* dy, const float* x, const float* scale, float* dx,
                             float* dscale, float* dbias, size_t n, double epsilon) {
  const D d;
  const Moments m = moments(x, n, epsilon);
  const V mean = hn::Set(d, m.mean);
  const V inv_std = hn::Set(d, m.inv_std);
  const size_t lanes = hn::Lanes(d);
  double sum_g = 0, sum_gx = 0;
  for (size_t begin = 0; begin < n; begin += kRun) {
    const size_t end = HWY_MIN(n, begin + kRun);
    V g0 = hn::Zero(d), gx0 = g0, g1 = g0, gx1 = g0;
    size_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const size_t k = i + lanes;
      backward_sums<kParams>(dy + i, x + i, scale + i, dscale + i, dbias + i, lanes, mean, inv_std,
                             g0, gx0);
      backward_sums<kParams>(dy + k, x + k, scale + k, dscale + k, dbias + k, lanes, mean, inv_std,
                             g1, gx1);
    }
    for (; i < end; i += lanes)
      backward_sums<kParams>(dy + i, x + i, scale + i, dscale + i, dbias + i, end - i, mean,
                             inv_std, g0, gx0);
    sum_g += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(g0, g1))));
    sum_gx += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(gx0, gx1))));
  }
  const V mean_g = hn::Set(d, static_cast<float>(sum_g / static_cast<double>(n)));
  const V mean_gx = hn::Set(d, static_cast<float>(sum_gx / static_cast<double>(n)));
  for (size_t i = 0; i < n; i += lanes) {
    const size_t rest = n - i;
    const V x_hat = hn::Mul(hn::Sub(load_some(x + i, rest), mean), inv_std);
    const V g = hn::Mul(load_some(dy + i, rest), load_some(scale + i, rest));
    const V inner = hn::NegMulAdd(x_hat, mean_gx, hn::Sub(g, mean_g));
    store_some(hn::Mul(inv_std, inner), dx + i, rest);
  }
}

void backward(const float* dy, const float* x, const float* scale, float* dx, float* dscale,
              float* dbias, size_t n, double epsilon) {
  if (dscale)
    backward_row<true>(dy, x, scale, dx, dscale, dbias, n, epsilon);
  else
    backward_row<false>(dy, x, scale, dx, dx, dx, n, epsilon);
}

LayerNormLoops find_layer_norm() { return {forward, backward}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_layer_norm);

int64_t rows_a_thread(int64_t length) {
  return std::max<int64_t>(1, 8192 / std::max<int64_t>(length, 1));
}

struct Forward final : Kernel {
  LayerNormLoops loops;
  DType type, statistics;
  bool has_bias;
  int64_t rows, length;
  double epsilon;

  void run(const RunContext& ctx) const override {
    if (type == DType::f32 && rows <= rows_a_thread(length)) {
      run_rows(ctx, 0, rows);
      return;
    }
    parallel_for(0, rows, rows_a_thread(length),
                 [&](int64_t begin, int64_t end) { run_rows(ctx, begin, end); });
  }

  void run_rows(const RunContext& ctx, int64_t begin, int64_t end) const {
    const auto n = static_cast<size_t>(length);
    WidenedRow x(type, n), scale(type, n), bias(type, n), y(type, n);
    const float* scales = scale.read(ctx.in[1], 0, n);
    const float* biases = has_bias ? bias.read(ctx.in[2], 0, n) : nullptr;
    const ConvertFn narrow = half_conversion(DType::f32, statistics);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * length;
      const Moments m = loops.forward(x.read(ctx.in[0], at, n), scales, biases,
                                      y.place(ctx.out[0], at), n, epsilon);
      y.write(ctx.out[0], at, n);
      for (size_t i = 1; i < 3; ++i) {
        if (!keeps[i - 1]) continue;
        const float value = i == 1 ? m.mean : m.inv_std;
        if (narrow)
          narrow(&value, ctx.output<bf16>(i) + row, 1);
        else
          ctx.output<float>(i)[row] = value;
      }
    }
  }

  bool keeps[2];  // Mean, InvStdDev
};

struct Backward final : Kernel {
  // Rows are added to dScale and dB in blocks whose number does not depend on the threads.
  static constexpr int64_t kMostBlocks = 64;

  LayerNormLoops loops;
  bool wants_scale, wants_bias;
  int64_t rows, length, block;
  double epsilon;

  int64_t blocks() const { return (rows + block - 1) / block; }

  void run(const RunContext& ctx) const override {
    const auto n = static_cast<size_t>(length);
    auto* partial = static_cast<float*>(ctx.scratch);  // of each block: dscale, then dbias
    parallel_for(0, blocks(), std::max<int64_t>(1, rows_a_thread(length) / block),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     float* dscale = wants_scale || wants_bias ? partial + i * 2 * length : nullptr;
                     float* dbias = dscale ? dscale + length : nullptr;
                     if (dscale) std::fill_n(dscale, 2 * length, 0.0F);
                     for (int64_t row = i * block; row < std::min(rows, (i + 1) * block); ++row) {
                       const int64_t at = row * length;
                       loops.backward(ctx.input<float>(0) + at, ctx.input<float>(1) + at,
                                      ctx.input<float>(2), ctx.output<float>(0) + at, dscale, dbias,
                                      n, epsilon);
                     }
                   }
                 });
    if (wants_scale) add_blocks(partial, ctx.output<float>(1));
    if (wants_bias) add_blocks(partial + length, ctx.output<float>(2));
  }

  void add_blocks(const float* partial, float* to) const {
    std::fill_n(to, length, 0.0F);
    for (int64_t i = 0; i < blocks(); ++i, partial += 2 * length)
      for (int64_t k = 0; k < length; ++k) to[k] += partial[k];
  }
};

// Length of a normalised row; 0 where `scale` does not have the very shape of one.
int64_t row_length(const PrepareContext& ctx, const TensorSpec& x, const TensorSpec& scale) {
  const auto first = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  int64_t length = 1;
  for (size_t axis = first; axis < x.rank(); ++axis) length *= x.shape[axis];
  if (scale.numel() != length) return 0;
  for (size_t i = 1; i <= std::min(scale.rank(), x.rank() - first); ++i)
    if (scale.shape[scale.rank() - i] != x.shape[x.rank() - i]) return 0;
  return length;
}

Refusal refuse_shape(const TensorSpec& x, const TensorSpec& scale) {
  return refuse(
      fmt::format("only a scale and a bias of the normalised shape; X has shape {}, one of them {}",
                  x.shape.str(), scale.shape.str()));
}

Prepared prepare_forward(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype == DType::f64) return refuse("only f16, bf16, f32; X is f64");
  auto kernel = std::make_unique<Forward>();
  kernel->length = row_length(ctx, x, ctx.inputs[1]);
  if (kernel->length == 0) return refuse_shape(x, ctx.inputs[1]);
  kernel->has_bias = ctx.has_input(2);
  if (kernel->has_bias && row_length(ctx, x, ctx.inputs[2]) == 0)
    return refuse_shape(x, ctx.inputs[2]);
  kernel->loops = HWY_DYNAMIC_DISPATCH(find_layer_norm)();
  kernel->type = x.dtype;
  kernel->statistics = ctx.i("stash_type") == 16 ? DType::bf16 : DType::f32;
  kernel->keeps[0] = ctx.wants_output(1);
  kernel->keeps[1] = ctx.wants_output(2);
  kernel->rows = x.numel() / kernel->length;
  kernel->epsilon = ctx.f("epsilon");
  kernel->in_place = 1;  // a row is written when its moments are known
  return kernel;
}

Prepared prepare_backward(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[1];
  if (x.dtype != DType::f32) return refuse(fmt::format("only f32; X is {}", name(x.dtype)));
  auto kernel = std::make_unique<Backward>();
  kernel->length = row_length(ctx, x, ctx.inputs[2]);
  if (kernel->length == 0) return refuse_shape(x, ctx.inputs[2]);
  kernel->loops = HWY_DYNAMIC_DISPATCH(find_layer_norm)();
  kernel->wants_scale = ctx.wants_output(1);
  kernel->wants_bias = ctx.wants_output(2);
  kernel->rows = x.numel() / kernel->length;
  kernel->block =
      std::max<int64_t>(4, (kernel->rows + Backward::kMostBlocks - 1) / Backward::kMostBlocks);
  kernel->epsilon = ctx.f("epsilon");
  kernel->scratch_bytes =
      static_cast<size_t>(kernel->blocks() * 2 * kernel->length) * sizeof(float);
  return kernel;
}

}  // namespace

constinit const KernelList layer_normalization{
    {&op::LayerNormalization, "cpu.layer_normalization", prepare_forward},
    {&op::LayerNormalizationGrad, "cpu.layer_normalization_grad", prepare_backward},
};

}  // namespace tenon::cpu
#endif
