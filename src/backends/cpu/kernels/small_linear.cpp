// Small products with constant weights, before oneDNN's: its first product of a process compiles
// all its loops, which takes milliseconds, and every call has a fixed cost.
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/packed_linear.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::cpu {

namespace {

// Multiply-adds: some 10 us of one core.
constexpr int64_t kSmall = int64_t{1} << 16;

template <Prepared (*prepare)(const PrepareContext&)>
Prepared if_small(const PrepareContext& ctx) {
  const TensorSpec& weights = ctx.inputs[1];
  if (!ctx.is_constant(1) || weights.rank() != 2) return refuse("no constant matrix of weights");
  // x has as many elements as rows * k; the weights have k * columns.
  const int64_t rows = ctx.outputs[0].numel() / std::max<int64_t>(ctx.outputs[0].shape.back(), 1);
  if (weights.numel() > kSmall || rows * weights.numel() > kSmall)
    return refuse(fmt::format("more than {} multiply-adds", kSmall));
  return prepare(ctx);
}

}  // namespace

constinit const KernelList small_linear{
    {&op::FusedLinear, "cpu.small_linear", if_small<prepare_packed_linear>},
    {&op::MatMul, "cpu.small_mat_mul", if_small<prepare_packed_mat_mul>},
    {&op::Gemm, "cpu.small_gemm", if_small<prepare_packed_gemm>},
};

}  // namespace tenon::cpu
