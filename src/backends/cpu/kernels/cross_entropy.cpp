// SoftmaxCrossEntropyLoss and its gradient for f32 scores [N, C], without a detour over all
// probabilities. Losses are added in double, in the order of the samples.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/cross_entropy.cpp"
#include "backends/cpu/row_loops_inl.h"

#ifndef TENON_CPU_CROSS_ENTROPY_TYPES
#define TENON_CPU_CROSS_ENTROPY_TYPES
namespace tenon::cpu {
namespace {

struct CrossEntropyLoops {
  // log(sum(e^x)) of a row; out, if given, becomes the row's log-probabilities.
  double (*log_sum_exp)(const float* x, float* out, size_t n) = nullptr;
  // out = factor * softmax(x)
  void (*scaled_softmax)(const float* x, float* out, size_t n, float factor) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct MinusBoth {
  V a, b;
  HWY_INLINE V operator()(V x, V) const { return hn::Sub(hn::Sub(x, a), b); }
};
struct Times {
  V by;
  HWY_INLINE V operator()(V x, V) const { return hn::Mul(x, by); }
};

double log_sum_exp(const float* x, float* out, size_t n) {
  const D d;
  const float max = row_max(x, n);
  const double log_sum =
      std::log(row_sum<false>(x, x, nullptr, n, ExpOfDifference{hn::Set(d, max)}));
  if (out)
    row_map(x, x, out, n, MinusBoth{hn::Set(d, max), hn::Set(d, static_cast<float>(log_sum))});
  return static_cast<double>(max) + log_sum;
}

void scaled_softmax(const float* x, float* out, size_t n, float factor) {
  const D d;
  const double sum = row_sum<true>(x, x, out, n, ExpOfDifference{hn::Set(d, row_max(x, n))});
  row_map(out, out, out, n,
          Times{hn::Set(d, static_cast<float>(static_cast<double>(factor) / sum))});
}

CrossEntropyLoops find_cross_entropy() { return {log_sum_exp, scaled_softmax}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_cross_entropy);

enum class Reduction : uint8_t { none, mean, sum };

struct CrossEntropy : Kernel {
  CrossEntropyLoops loops;
  std::string_view op_name;
  DType label_type = DType::i64;
  int64_t rows = 0, classes = 0;
  bool ignores = false;
  int64_t ignored = 0;
  Reduction reduction = Reduction::mean;

  // The class of a row; -1 where it is ignored.
  int64_t label(const void* labels, int64_t row) const {
    const int64_t value = label_type == DType::i32 ? static_cast<const int32_t*>(labels)[row]
                                                   : static_cast<const int64_t*>(labels)[row];
    if (ignores && value == ignored) return -1;
    TENON_CHECK(value >= 0 && value < classes, usage,
                "{}: label {} of sample {} is outside the {} classes; use 0 to {}", op_name, value,
                row, classes, classes - 1);
    return value;
  }
  static double weight(const float* weights, int64_t label) {
    if (label < 0) return 0;
    return weights ? static_cast<double>(weights[label]) : 1;
  }
  double total_weight(const void* labels, const float* weights) const {
    double total = 0;
    for (int64_t row = 0; row < rows; ++row) total += weight(weights, label(labels, row));
    return total;
  }
  int64_t grain() const { return std::max<int64_t>(1, 8192 / std::max<int64_t>(classes, 1)); }
};

struct Loss final : CrossEntropy {
  bool has_weights, wants_log_prob;

  void run(const RunContext& ctx) const override {
    const float* weights = has_weights ? ctx.input<float>(2) : nullptr;
    auto* losses = static_cast<double*>(ctx.scratch);
    parallel_for(0, rows, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* x = ctx.input<float>(0) + row * classes;
        float* out = wants_log_prob ? ctx.output<float>(1) + row * classes : nullptr;
        const int64_t at = label(ctx.in[1], row);
        if (at < 0 && !out) {
          losses[row] = 0;
          continue;
        }
        // Before the log-probabilities, which may be written over the scores.
        const double score = at < 0 ? 0 : static_cast<double>(x[at]);
        const double log_sum = loops.log_sum_exp(x, out, static_cast<size_t>(classes));
        losses[row] = at < 0 ? 0 : (log_sum - score) * weight(weights, at);
      }
    });
    auto* output = ctx.output<float>(0);
    if (reduction == Reduction::none) {
      for (int64_t row = 0; row < rows; ++row) output[row] = static_cast<float>(losses[row]);
      return;
    }
    double total = 0;
    for (int64_t row = 0; row < rows; ++row) total += losses[row];
    if (reduction == Reduction::mean) total /= total_weight(ctx.in[1], weights);
    *output = static_cast<float>(total);
  }
};

struct LossGrad final : CrossEntropy {
  bool has_weights;

  void run(const RunContext& ctx) const override {
    const float* dloss = ctx.input<float>(0);
    const float* weights = has_weights ? ctx.input<float>(3) : nullptr;
    const double divisor = reduction == Reduction::mean ? total_weight(ctx.in[2], weights) : 1;
    parallel_for(0, rows, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* x = ctx.input<float>(1) + row * classes;
        float* dx = ctx.output<float>(0) + row * classes;
        const int64_t at = label(ctx.in[2], row);
        if (at < 0) {
          std::fill_n(dx, classes, 0.0F);
          continue;
        }
        const auto upstream = static_cast<double>(dloss[reduction == Reduction::none ? row : 0]);
        const auto factor = static_cast<float>(upstream * weight(weights, at) / divisor);
        loops.scaled_softmax(x, dx, static_cast<size_t>(classes), factor);
        dx[at] -= factor;
      }
    });
  }
};

// What loss and gradient have in common; `scores` is the scores' input, the labels follow.
std::string set_up(const PrepareContext& ctx, size_t scores, CrossEntropy& kernel) {
  const TensorSpec& x = ctx.inputs[scores];
  if (x.dtype != DType::f32) return fmt::format("only f32; scores are {}", name(x.dtype));
  for (size_t axis = 2; axis < x.rank(); ++axis)
    if (x.shape[axis] != 1) return fmt::format("only scores [N, C]; they are {}", x.shape.str());
  kernel.loops = HWY_DYNAMIC_DISPATCH(find_cross_entropy)();
  kernel.op_name = ctx.op.name;
  kernel.label_type = ctx.inputs[scores + 1].dtype;
  kernel.rows = x.shape[0];
  kernel.classes = x.shape[1];
  kernel.ignores = ctx.has("ignore_index");
  if (kernel.ignores) kernel.ignored = ctx.i("ignore_index");
  const std::string_view reduction = ctx.s("reduction");
  kernel.reduction = reduction == "none"   ? Reduction::none
                     : reduction == "mean" ? Reduction::mean
                                           : Reduction::sum;
  return {};
}

Prepared prepare_loss(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Loss>();
  if (std::string why = set_up(ctx, 0, *kernel); !why.empty()) return refuse(std::move(why));
  kernel->has_weights = ctx.has_input(2);
  kernel->wants_log_prob = ctx.wants_output(1);
  kernel->scratch_bytes = static_cast<size_t>(kernel->rows) * sizeof(double);
  return kernel;
}

Prepared prepare_grad(const PrepareContext& ctx) {
  auto kernel = std::make_unique<LossGrad>();
  if (std::string why = set_up(ctx, 1, *kernel); !why.empty()) return refuse(std::move(why));
  kernel->has_weights = ctx.has_input(3);
  return kernel;
}

}  // namespace

constinit const KernelList cross_entropy{
    {&op::SoftmaxCrossEntropyLoss, "cpu.softmax_cross_entropy", prepare_loss},
    {&op::SoftmaxCrossEntropyLossGrad, "cpu.softmax_cross_entropy_grad", prepare_grad},
};

}  // namespace tenon::cpu
#endif
