// SgdStep and AdamStep. Outputs may be the inputs themselves: each element is read before it is
// written.
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/training/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare_sgd(const PrepareContext& ctx) {
  return make_kernel([type = ctx.inputs[2].dtype, count = ctx.inputs[2].numel(),
                      momentum = ctx.f("momentum"), dampening = ctx.f("dampening"),
                      decay = ctx.f("weight_decay"), nesterov = ctx.i("nesterov") != 0,
                      wants_buffer = ctx.wants_output(1)](const RunContext& run) {
    const double lr = *run.input<float>(0);
    const bool is_first = *run.input<int64_t>(1) == 0;
    const In<double> param(type, run.in[2]), grad(type, run.in[3]);
    for (int64_t i = 0; i < count; ++i) {
      double step = grad[i] + decay * param[i];
      if (momentum != 0) {
        const double before = In<double>(type, run.in[4])[i];
        const double buffer = is_first ? step : momentum * before + (1 - dampening) * step;
        step = nesterov ? step + momentum * buffer : buffer;
        if (wants_buffer) Out<double>(type, run.out[1]).set(i, buffer);
      }
      Out<double>(type, run.out[0]).set(i, param[i] - lr * step);
    }
  });
}

Prepared prepare_adam(const PrepareContext& ctx) {
  return make_kernel([type = ctx.inputs[2].dtype, count = ctx.inputs[2].numel(),
                      beta1 = ctx.f("beta1"), beta2 = ctx.f("beta2"), eps = ctx.f("eps"),
                      decay = ctx.f("weight_decay"), decoupled = ctx.i("decoupled") != 0,
                      wants_avg = ctx.wants_output(1),
                      wants_avg_sq = ctx.wants_output(2)](const RunContext& run) {
    const double lr = *run.input<float>(0);
    const auto step = static_cast<double>(*run.input<int64_t>(1));
    const double size = lr / (1 - std::pow(beta1, step)),
                 root = std::sqrt(1 - std::pow(beta2, step));
    const In<double> param(type, run.in[2]), grad(type, run.in[3]), exp_avg(type, run.in[4]),
        exp_avg_sq(type, run.in[5]);
    for (int64_t i = 0; i < count; ++i) {
      const double p = decoupled ? param[i] * (1 - lr * decay) : param[i];
      const double g = decoupled ? grad[i] : grad[i] + decay * param[i];
      const double m = beta1 * exp_avg[i] + (1 - beta1) * g;
      const double v = beta2 * exp_avg_sq[i] + (1 - beta2) * g * g;
      if (wants_avg) Out<double>(type, run.out[1]).set(i, m);
      if (wants_avg_sq) Out<double>(type, run.out[2]).set(i, v);
      Out<double>(type, run.out[0]).set(i, p - size * m / (std::sqrt(v) / root + eps));
    }
  });
}

}  // namespace

constinit const KernelList optimizer{
    {&op::SgdStep, "reference.sgd_step", prepare_sgd},
    {&op::AdamStep, "reference.adam_step", prepare_adam},
};

}  // namespace tenon::reference
