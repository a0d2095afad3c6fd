// ArgMax and ArgMin of f32 along the last axis. A NaN is the extremum, as NumPy has it.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/reduce_loops.h"
#include "base/threads.h"
#include "ops/reduce/catalog.h"

namespace tenon::cpu {

namespace {

struct ArgKernel final : Kernel {
  ReduceLoops loops;
  FindValueFn find = find_value();
  bool last_index;
  int64_t rows, length;

  void run(const RunContext& ctx) const override {
    parallel_for(0, rows, std::max<int64_t>(1, 32768 / length), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        ctx.output<int64_t>(0)[row] = index(ctx.input<float>(0) + row * length);
    });
  }

  int64_t index(const float* x) const {
    // The extremum of each run, and then where in the first (or last) best run it is.
    float best = 0;
    int64_t best_at = -1;
    for (int64_t at = 0; at < length; at += kReduceRun) {
      const auto value = static_cast<float>(loops.run(x + at, run_length(at), 0).f);
      if (best_at < 0 || better(value, best)) {
        best = value;
        best_at = at;
      }
    }
    return best_at + static_cast<int64_t>(find(x + best_at, run_length(best_at), best, last_index));
  }

  size_t run_length(int64_t at) const {
    return static_cast<size_t>(std::min<int64_t>(kReduceRun, length - at));
  }
  bool better(float value, float best) const {
    if (best != best) return false;
    if (value != value) return true;
    if (value == best) return last_index;
    return is_max ? value > best : value < best;
  }

  bool is_max;
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype != DType::f32) return refuse(fmt::format("only f32; data is {}", name(x.dtype)));
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  if (axis + 1 != x.rank())
    return refuse(fmt::format("only along the last axis, not axis {} of {}", axis, x.rank()));
  auto kernel = std::make_unique<ArgKernel>();
  kernel->is_max = &ctx.op == &op::ArgMax;
  kernel->loops = reduce_loops(kernel->is_max ? Fold::max : Fold::min, DType::f32);
  kernel->last_index = ctx.i("select_last_index") != 0;
  kernel->length = x.shape[axis];
  kernel->rows = kernel->length == 0 ? 0 : x.numel() / kernel->length;
  return kernel;
}

}  // namespace

constinit const KernelList arg_max{
    {&op::ArgMax, "cpu.arg_max", prepare},
    {&op::ArgMin, "cpu.arg_min", prepare},
};

}  // namespace tenon::cpu
