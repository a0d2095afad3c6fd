// LinearAttention.
#include "ops/nn/linear_attention.h"

#include <cmath>

#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/nn/catalog.h"

namespace tenon::reference {

namespace {

using linear_attention::Sizes;
using Vector = std::vector<double>;

struct LinearAttentionKernel final : Kernel {
  explicit LinearAttentionKernel(const PrepareContext& ctx) {
    for (size_t i = 0; i < ctx.inputs.size(); ++i) specs[i] = ctx.inputs[i];
    const auto shape_of = [&](size_t i) { return specs[i].present() ? &specs[i].shape : nullptr; };
    sizes = linear_attention::sizes_of(ctx, specs[0].shape, specs[2].shape,
                                       shape_of(linear_attention::kDecay),
                                       shape_of(linear_attention::kBeta));
    if (ctx.wants_output(1)) state_type = ctx.outputs[1].dtype;
  }

  Vector input(const RunContext& ctx, size_t i) const {
    return specs[i].present() ? widened(specs[i].dtype, ctx.in[i], specs[i].numel()) : Vector();
  }

  void run(const RunContext& ctx) const override {
    const Sizes& s = sizes;
    const Vector q = input(ctx, 0), k = input(ctx, 1), v = input(ctx, 2), past = input(ctx, 3),
                 decay = input(ctx, 4), beta = input(ctx, 5), erase = input(ctx, 6);
    Vector y(static_cast<size_t>(s.batch * s.steps * s.heads * s.shares * s.values));
    Vector state(static_cast<size_t>(s.batch * s.heads * s.keys * s.values));
    if (!past.empty()) state = past;
    for (int64_t n = 0; n < s.batch; ++n)
      for (int64_t head = 0; head < s.heads; ++head) {
        double* memory = state.data() + (n * s.heads + head) * s.keys * s.values;
        for (int64_t t = 0; t < s.steps; ++t) {
          const int64_t row = (n * s.steps + t) * s.heads + head;
          const double* key = k.data() + row * s.keys;
          for (int64_t i = 0; !decay.empty() && i < s.keys; ++i) {
            const double by =
                std::exp(decay[static_cast<size_t>(row * s.decay_width + i % s.decay_width)]);
            for (int64_t j = 0; j < s.values; ++j) memory[i * s.values + j] *= by;
          }
          for (int64_t j = 0; j < s.values; ++j) {
            double write = v[static_cast<size_t>(row * s.values + j)];
            if (!beta.empty()) {
              double found = 0;
              for (int64_t i = 0; i < s.keys; ++i) {
                const double gate =
                    erase.empty() ? 1 : erase[static_cast<size_t>(row * s.keys + i)];
                found += memory[i * s.values + j] * key[i] * gate;
              }
              const int64_t at = s.beta_heads == 1 ? n * s.steps + t : row;
              write = beta[static_cast<size_t>(at)] * (write - found);
            }
            for (int64_t i = 0; i < s.keys; ++i) memory[i * s.values + j] += key[i] * write;
          }
          for (int64_t g = 0; g < s.shares; ++g)
            for (int64_t j = 0; j < s.values; ++j) {
              double sum = 0;
              for (int64_t i = 0; i < s.keys; ++i)
                sum += q[static_cast<size_t>((row * s.shares + g) * s.keys + i)] *
                       memory[i * s.values + j];
              y[static_cast<size_t>((row * s.shares + g) * s.values + j)] = s.scale * sum;
            }
        }
      }
    store_all(specs[0].dtype, ctx.out[0], y);
    if (state_type != DType::undefined) store_all(state_type, ctx.out[1], state);
  }

  Sizes sizes;
  TensorSpec specs[7];
  DType state_type = DType::undefined;
};

Prepared prepare_linear_attention(const PrepareContext& ctx) {
  return std::make_unique<LinearAttentionKernel>(ctx);
}

}  // namespace

constinit const KernelList linear_attention{
    {&op::LinearAttention, "reference.linear_attention", prepare_linear_attention},
};

}  // namespace tenon::reference
