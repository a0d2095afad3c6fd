// Writing rows of a cache over: the cache is copied once, then the rows.
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"
#include "ops/shape/tensor_scatter.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrainBytes = 1 << 18;

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype == DType::string) return refuse("strings are not copied as bytes");
  const auto bytes = static_cast<int64_t>(size_of(x.dtype));
  return make_kernel([plan = TensorScatterPlan(ctx, x.shape, ctx.inputs[1].shape), bytes,
                      total = x.numel() * bytes](const RunContext& run) {
    const auto* past = run.input<std::byte>(0);
    const auto* update = run.input<std::byte>(1);
    auto* out = run.output<std::byte>(0);
    parallel_for(0, total, kGrainBytes, [&](int64_t begin, int64_t end) {
      std::memcpy(out + begin, past + begin, static_cast<size_t>(end - begin));
    });
    plan.each_row(run.input<int64_t>(2), [&](int64_t to, int64_t from) {
      std::memcpy(out + to * bytes, update + from * bytes, static_cast<size_t>(plan.inner * bytes));
    });
  });
}

}  // namespace

constinit const KernelList tensor_scatter{
    {&op::TensorScatter, "cpu.tensor_scatter", prepare},
};

}  // namespace tenon::cpu
