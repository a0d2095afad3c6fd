// SgdStep and AdamStep for f32: one pass over parameters, gradients and state. Outputs may be the
// inputs themselves: each element is read before it is written.
#include <cmath>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/training/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/optimizer.cpp"
#include "backends/cpu/simd.h"

#ifndef TENON_CPU_OPTIMIZER_TYPES
#define TENON_CPU_OPTIMIZER_TYPES
namespace tenon::cpu {
namespace {

struct SgdStepArgs {
  const float *param, *grad, *buffer;  // no buffer: no momentum
  float *new_param, *new_buffer;       // new_buffer may be null
  float lr, momentum, fresh, decay;    // fresh: how much of the gradient enters the buffer
  bool first, nesterov;                // the first step takes the gradient itself for its buffer
};
struct AdamStepArgs {
  const float *param, *grad, *exp_avg, *exp_avg_sq;
  float *new_param, *new_avg, *new_avg_sq;  // the last two may be null
  float beta1, rest1, beta2, rest2;         // rest: 1 - beta
  float size, inv_root, eps;
  float shrink;  // what is left of a parameter that decays by itself
  float decay;   // what of a parameter is added to its gradient
};
struct StepLoops {
  void (*sgd)(const SgdStepArgs& args, int64_t begin, int64_t end) = nullptr;
  void (*adam)(const AdamStepArgs& args, int64_t begin, int64_t end) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using D = Tag<float>;
using V = hn::Vec<D>;

HWY_INLINE V read(const float* from, size_t n) {
  const D d;
  return n >= hn::Lanes(d) ? hn::LoadU(d, from) : load_part(d, from, n);
}
HWY_INLINE void write(V v, float* to, size_t n) {
  const D d;
  if (n >= hn::Lanes(d))
    hn::StoreU(v, d, to);
  else
    store_part(v, d, to, n);
}

void sgd_loop(const SgdStepArgs& given, int64_t begin, int64_t end) {
  const SgdStepArgs args = given;
  const D d;
  const V lr = hn::Set(d, args.lr);
  const V momentum = hn::Set(d, args.momentum);
  const V fresh = hn::Set(d, args.fresh);
  const V decay = hn::Set(d, args.decay);
  for (int64_t i = begin; i < end; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto n = static_cast<size_t>(end - i);
    const V param = read(args.param + i, n);
    V step = hn::MulAdd(param, decay, read(args.grad + i, n));
    if (args.buffer) {
      V buffer = step;
      if (!args.first)
        buffer = hn::MulAdd(momentum, read(args.buffer + i, n), hn::Mul(step, fresh));
      step = args.nesterov ? hn::MulAdd(momentum, buffer, step) : buffer;
      if (args.new_buffer) write(buffer, args.new_buffer + i, n);
    }
    write(hn::NegMulAdd(lr, step, param), args.new_param + i, n);
  }
}

void adam_loop(const AdamStepArgs& given, int64_t begin, int64_t end) {
  const AdamStepArgs args = given;
  const D d;
  const V beta1 = hn::Set(d, args.beta1), rest1 = hn::Set(d, args.rest1);
  const V beta2 = hn::Set(d, args.beta2), rest2 = hn::Set(d, args.rest2);
  const V size = hn::Set(d, args.size), inv_root = hn::Set(d, args.inv_root);
  const V eps = hn::Set(d, args.eps), shrink = hn::Set(d, args.shrink);
  const V decay = hn::Set(d, args.decay);
  for (int64_t i = begin; i < end; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto n = static_cast<size_t>(end - i);
    const V param = read(args.param + i, n);
    const V grad = hn::MulAdd(param, decay, read(args.grad + i, n));
    const V avg = hn::MulAdd(beta1, read(args.exp_avg + i, n), hn::Mul(rest1, grad));
    const V avg_sq =
        hn::MulAdd(beta2, read(args.exp_avg_sq + i, n), hn::Mul(hn::Mul(rest2, grad), grad));
    const V denominator = hn::MulAdd(hn::Sqrt(avg_sq), inv_root, eps);
    const V moved = hn::Sub(hn::Mul(param, shrink), hn::Div(hn::Mul(size, avg), denominator));
    if (args.new_avg) write(avg, args.new_avg + i, n);
    if (args.new_avg_sq) write(avg_sq, args.new_avg_sq + i, n);
    write(moved, args.new_param + i, n);
  }
}

StepLoops find_steps() { return {sgd_loop, adam_loop}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_steps);

constexpr int64_t kGrain = 16384;  // elements worth a thread of their own

struct Sgd final : Kernel {
  StepLoops loops = HWY_DYNAMIC_DISPATCH(find_steps)();
  int64_t count;
  double momentum, dampening, decay;
  bool nesterov, wants_buffer;

  void run(const RunContext& ctx) const override {
    const SgdStepArgs args{
        .param = ctx.input<float>(2),
        .grad = ctx.input<float>(3),
        .buffer = momentum != 0 ? ctx.input<float>(4) : nullptr,
        .new_param = ctx.output<float>(0),
        .new_buffer = wants_buffer ? ctx.output<float>(1) : nullptr,
        .lr = *ctx.input<float>(0),
        .momentum = static_cast<float>(momentum),
        .fresh = static_cast<float>(1 - dampening),
        .decay = static_cast<float>(decay),
        .first = *ctx.input<int64_t>(1) == 0,
        .nesterov = nesterov,
    };
    parallel_for(0, count, kGrain,
                 [&](int64_t begin, int64_t end) { loops.sgd(args, begin, end); });
  }
};

struct Adam final : Kernel {
  StepLoops loops = HWY_DYNAMIC_DISPATCH(find_steps)();
  int64_t count;
  double beta1, beta2, eps, decay;
  bool decoupled, wants_avg, wants_avg_sq;

  void run(const RunContext& ctx) const override {
    const double lr = *ctx.input<float>(0);
    const auto step = static_cast<double>(*ctx.input<int64_t>(1));
    const AdamStepArgs args{
        .param = ctx.input<float>(2),
        .grad = ctx.input<float>(3),
        .exp_avg = ctx.input<float>(4),
        .exp_avg_sq = ctx.input<float>(5),
        .new_param = ctx.output<float>(0),
        .new_avg = wants_avg ? ctx.output<float>(1) : nullptr,
        .new_avg_sq = wants_avg_sq ? ctx.output<float>(2) : nullptr,
        .beta1 = static_cast<float>(beta1),
        .rest1 = static_cast<float>(1 - beta1),
        .beta2 = static_cast<float>(beta2),
        .rest2 = static_cast<float>(1 - beta2),
        .size = static_cast<float>(lr / (1 - std::pow(beta1, step))),
        .inv_root = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, step))),
        .eps = static_cast<float>(eps),
        .shrink = static_cast<float>(decoupled ? 1 - lr * decay : 1),
        .decay = static_cast<float>(decoupled ? 0 : decay),
    };
    parallel_for(0, count, kGrain,
                 [&](int64_t begin, int64_t end) { loops.adam(args, begin, end); });
  }
};

Prepared prepare_sgd(const PrepareContext& ctx) {
  const TensorSpec& param = ctx.inputs[2];
  if (param.dtype != DType::f32)
    return refuse(fmt::format("only f32; param is {}", name(param.dtype)));
  auto kernel = std::make_unique<Sgd>();
  kernel->count = param.numel();
  kernel->momentum = ctx.f("momentum");
  kernel->dampening = ctx.f("dampening");
  kernel->decay = ctx.f("weight_decay");
  kernel->nesterov = ctx.i("nesterov") != 0;
  kernel->wants_buffer = ctx.wants_output(1);
  return kernel;
}

Prepared prepare_adam(const PrepareContext& ctx) {
  const TensorSpec& param = ctx.inputs[2];
  if (param.dtype != DType::f32)
    return refuse(fmt::format("only f32; param is {}", name(param.dtype)));
  auto kernel = std::make_unique<Adam>();
  kernel->count = param.numel();
  kernel->beta1 = ctx.f("beta1");
  kernel->beta2 = ctx.f("beta2");
  kernel->eps = ctx.f("eps");
  kernel->decay = ctx.f("weight_decay");
  kernel->decoupled = ctx.i("decoupled") != 0;
  kernel->wants_avg = ctx.wants_output(1);
  kernel->wants_avg_sq = ctx.wants_output(2);
  return kernel;
}

}  // namespace

constinit const KernelList optimizer{
    {&op::SgdStep, "cpu.sgd_step", prepare_sgd},
    {&op::AdamStep, "cpu.adam_step", prepare_adam},
};

}  // namespace tenon::cpu
#endif
