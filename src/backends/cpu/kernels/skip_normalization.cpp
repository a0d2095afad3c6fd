// RMSNormalization, and the normalisations of a residual connection's sum, row by row: the sum of a
// row is normalised while the first-level cache holds it.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/row_kernel.h"
#include "base/threads.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/skip_normalization.cpp"
#include "backends/cpu/norm_loops_inl.h"

#ifndef TENON_CPU_SKIP_NORMALIZATION_TYPES
#define TENON_CPU_SKIP_NORMALIZATION_TYPES
namespace tenon::cpu {
namespace {

struct SkipNormLoops {
  // out = x + skip + bias over n elements; bias may be null.
  void (*add)(const float* x, const float* skip, const float* bias, float* out, size_t n) = nullptr;
  // out = (x - mean) * inv_std * scale + beta; beta may be null; not centred: the mean counts as 0.
  Moments (*normalize)(const float* x, const float* scale, const float* beta, float* out, size_t n,
                       double epsilon, bool centred) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct Sum {
  HWY_INLINE V operator()(V x, V y) const { return hn::Add(x, y); }
};

void add_rows(const float* x, const float* skip, const float* bias, float* out, size_t n) {
  row_map(x, skip, out, n, Sum{});
  if (bias) row_map(out, bias, out, n, Sum{});
}

Moments normalize_row(const float* x, const float* scale, const float* beta, float* out, size_t n,
                      double epsilon, bool centred) {
  const Moments m = moments(x, n, epsilon, centred);
  const V mean = hn::Set(D(), m.mean), inv_std = hn::Set(D(), m.inv_std);
  if (beta)
    normalize<true>(x, scale, beta, out, n, mean, inv_std);
  else
    normalize<false>(x, scale, nullptr, out, n, mean, inv_std);
  return m;
}

SkipNormLoops find_skip_norm() { return {add_rows, normalize_row}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_skip_norm);

// Ports of the vectors; -1: the operator has none.
struct Ports {
  int skip = -1, gamma = -1, beta = -1, bias = -1;
};

struct SkipNormalization final : Kernel {
  SkipNormLoops loops;
  Ports ports;
  DType type;
  bool centred;
  int64_t rows, length, skip_rows;
  double epsilon;

  void run(const RunContext& ctx) const override {
    const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(length, 1));
    parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) { run_rows(ctx, begin, end); });
  }

  void run_rows(const RunContext& ctx, int64_t begin, int64_t end) const {
    const auto n = static_cast<size_t>(length);
    WidenedRow x(type, n), skip(type, n), y(type, n), sum(type, n);
    WidenedRow gamma_row(type, n), beta_row(type, n), bias_row(type, n);
    const auto vector = [&](int port, WidenedRow& row) -> const float* {
      return port >= 0 && ctx.in[port] ? row.read(ctx.in[port], 0, n) : nullptr;
    };
    const float* gamma = vector(ports.gamma, gamma_row);
    const float* beta = vector(ports.beta, beta_row);
    const float* bias = vector(ports.bias, bias_row);
    std::vector<float> own(ports.skip >= 0 && !ctx.out[3] ? n : 0);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * length;
      const float* from = x.read(ctx.in[0], at, n);
      if (ports.skip >= 0) {
        float* total = ctx.out[3] ? sum.place(ctx.out[3], at) : own.data();
        loops.add(from, skip.read(ctx.in[ports.skip], row % skip_rows * length, n), bias, total, n);
        from = total;
      }
      const Moments m =
          loops.normalize(from, gamma, beta, y.place(ctx.out[0], at), n, epsilon, centred);
      y.write(ctx.out[0], at, n);
      if (ports.skip < 0) continue;
      if (ctx.out[3]) sum.write(ctx.out[3], at, n);
      if (ctx.out[1]) ctx.output<float>(1)[row] = m.mean;
      if (ctx.out[2]) ctx.output<float>(2)[row] = m.inv_std;
    }
  }
};

Prepared prepare(const PrepareContext& ctx, const Ports& ports, bool centred, size_t first) {
  const TensorSpec& x = ctx.inputs[0];
  for (const TensorSpec& spec : ctx.inputs)
    if (spec.present() && (spec.dtype != x.dtype || spec.dtype == DType::f64))
      return refuse(fmt::format("only f16, bf16 or f32 throughout; an input is {} and X is {}",
                                name(spec.dtype), name(x.dtype)));
  int64_t length = 1;
  for (size_t axis = first; axis < x.rank(); ++axis) length *= x.shape[axis];
  const TensorSpec& gamma = ctx.inputs[static_cast<size_t>(ports.gamma)];
  bool whole = length > 0 && gamma.numel() == length;
  for (size_t i = 1; whole && i <= std::min(gamma.rank(), x.rank() - first); ++i)
    whole = gamma.shape[gamma.rank() - i] == x.shape[x.rank() - i];
  if (!whole)
    return refuse(fmt::format("only a scale of the normalised shape; X has shape {}, the scale {}",
                              x.shape.str(), gamma.shape.str()));
  auto kernel = std::make_unique<SkipNormalization>();
  kernel->loops = HWY_DYNAMIC_DISPATCH(find_skip_norm)();
  kernel->ports = ports;
  kernel->type = x.dtype;
  kernel->centred = centred;
  kernel->length = length;
  kernel->rows = x.numel() / length;
  kernel->skip_rows = ports.skip >= 0 ? std::max<int64_t>(1, ctx.inputs[1].numel() / length) : 1;
  kernel->epsilon = ctx.f("epsilon");
  // A row of Y is written when its sum is elsewhere.
  kernel->in_place = ports.skip >= 0 ? 3 : 1;
  return kernel;
}

Prepared prepare_rms(const PrepareContext& ctx) {
  const int64_t first = normalize_axis(ctx.i("axis"), ctx.inputs[0].rank(), ctx.op.name);
  return prepare(ctx, {.gamma = 1}, false, static_cast<size_t>(first));
}

Prepared prepare_skip_layer(const PrepareContext& ctx) {
  return prepare(ctx, {.skip = 1, .gamma = 2, .beta = 3, .bias = 4}, true,
                 ctx.inputs[0].rank() - 1);
}

Prepared prepare_skip_simplified(const PrepareContext& ctx) {
  return prepare(ctx, {.skip = 1, .gamma = 2, .bias = 3}, false, ctx.inputs[0].rank() - 1);
}

}  // namespace

constinit const KernelList skip_normalization{
    {&op::RMSNormalization, "cpu.rms_normalization", prepare_rms},
    {&op::SkipLayerNormalization, "cpu.skip_layer_normalization", prepare_skip_layer},
    {&op::SkipSimplifiedLayerNormalization, "cpu.skip_simplified_layer_normalization",
     prepare_skip_simplified},
};

}  // namespace tenon::cpu
#endif
