// Dropout.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/dropout_mask.h"

namespace tenon::reference {

namespace {

struct DropoutKernel final : Kernel {
  explicit DropoutKernel(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype),
        count(ctx.inputs[0].numel()),
        ratio_type(ctx.has_input(1) ? ctx.inputs[1].dtype : DType::undefined),
        has_mode(ctx.has_input(2)),
        wants_mask(ctx.wants_output(1)),
        own_seed(ctx.has("seed")),
        seed(own_seed ? ctx.i("seed") : 0) {
    random_counters = dropout_counters(count);
  }

  void run(const RunContext& ctx) const override {
    const double ratio =
        dropout_ratio(ratio_type == DType::undefined ? 0.5 : In<double>(ratio_type, ctx.in[1])[0]);
    const bool training = has_mode && *ctx.input<bool>(2) && ratio > 0;
    const Generator::State state = dropout_state(ctx.random, own_seed, seed);
    const In<double> x(type, ctx.in[0]);
    const Out<double> y(type, ctx.out[0]);
    for (int64_t i = 0; i < count; ++i) {
      const auto block = static_cast<uint64_t>(i) / 4;
      const bool keep =
          !training || dropout_keeps(dropout_bits(state, block)[static_cast<size_t>(i % 4)], ratio);
      y.set(i, !keep ? 0 : training ? x[i] / (1 - ratio) : x[i]);
      if (wants_mask) ctx.output<bool>(1)[i] = keep;
    }
  }

  DType type;
  int64_t count;
  DType ratio_type;
  bool has_mode, wants_mask, own_seed;
  int64_t seed;
};

Prepared prepare_dropout(const PrepareContext& ctx) { return std::make_unique<DropoutKernel>(ctx); }

}  // namespace

constinit const KernelList dropout{
    {&op::Dropout, "reference.dropout", prepare_dropout},
};

}  // namespace tenon::reference
