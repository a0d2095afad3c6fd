// BatchNormalization and its gradient by oneDNN, in the layout x comes in.
#include <algorithm>
#include <array>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/through_f32.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using dnnl::memory;
using dnnl::normalization_flags;

std::string refusal(const PrepareContext& ctx) {
  for (const TensorSpec& spec : ctx.inputs) {
    if (!spec.present()) continue;
    if (spec.dtype != DType::f32) return fmt::format("only f32; an input is {}", name(spec.dtype));
    if (spec.numel() == 0) return "nothing to compute";
  }
  const size_t rank = ctx.inputs[0].rank();
  return rank < 3 || rank > 5 ? fmt::format("only 1 to 3 spatial axes; x has rank {}", rank) : "";
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

memory::desc image_desc(const Shape& shape) {
  return desc_of(DType::f32, shape, channels_last(shape));
}
memory::desc channels_desc(int64_t channels) {
  return {{channels}, memory::data_type::f32, memory::format_tag::a};
}

dnnl::batch_normalization_forward::primitive_desc forward_desc(const PrepareContext& ctx,
                                                               const Shape& shape,
                                                               dnnl::prop_kind kind,
                                                               normalization_flags flags) {
  return {dnnl::batch_normalization_forward::desc(kind, image_desc(shape),
                                                  static_cast<float>(ctx.f("epsilon")), flags),
          user_scratchpad(), onednn_engine()};
}

normalization_flags flags_of(bool training) {
  const auto affine = normalization_flags::use_scale | normalization_flags::use_shift;
  return training ? affine : affine | normalization_flags::use_global_stats;
}

// Moves the running statistics by those of the batch, which the primitive leaves in the scratch.
class Training final : public Kernel {
 public:
  Training(std::unique_ptr<OneDnnKernel> normalize, int64_t channels, double momentum)
      : normalize_(std::move(normalize)),
        channels_(channels),
        momentum_(static_cast<float>(momentum)) {
    statistics_at_ = (normalize_->scratch_bytes + 63) / 64 * 64;
    scratch_bytes = statistics_at_ + static_cast<size_t>(channels) * 2 * sizeof(float);
  }
  // Ports 1 and 2 of the inner kernel's outputs are the batch's mean and variance.
  void run(const RunContext& ctx) const override {
    auto* mean = reinterpret_cast<float*>(static_cast<std::byte*>(ctx.scratch) + statistics_at_);
    float* variance = mean + channels_;
    void* outputs[] = {ctx.out[0], mean, variance};
    RunContext inner = ctx;
    inner.out = outputs;
    normalize_->run(inner);
    for (size_t port = 1; port <= 2; ++port) {
      auto* running = ctx.output<float>(port);
      if (!running) continue;
      const auto* before = ctx.input<float>(port + 2);
      const float* batch = port == 1 ? mean : variance;
      for (int64_t c = 0; c < channels_; ++c)
        running[c] = before[c] * momentum_ + batch[c] * (1 - momentum_);
    }
  }

 private:
  std::unique_ptr<OneDnnKernel> normalize_;
  int64_t channels_;
  float momentum_;
  size_t statistics_at_;
};

Prepared prepare_forward(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  const TensorSpec& x = ctx.inputs[0];
  const bool training = ctx.i("training_mode") != 0;
  return with_onednn([&]() -> Prepared {
    const auto pd = forward_desc(
        ctx, x.shape,
        training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference,
        flags_of(training));
    const memory::desc channels = channels_desc(x.shape[1]);
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    kernel->add(
        dnnl::batch_normalization_forward(pd), pd.scratchpad_desc(),
        {{DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(x)), pd.src_desc())},
         {DNNL_ARG_SCALE, kernel->input(1, channels)},
         {DNNL_ARG_SHIFT, kernel->input(2, channels)},
         {DNNL_ARG_MEAN, training ? kernel->output(1, channels) : kernel->input(3, channels)},
         {DNNL_ARG_VARIANCE, training ? kernel->output(2, channels) : kernel->input(4, channels)},
         {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}});
    if (!training) return kernel;
    return std::make_unique<Training>(std::move(kernel), x.shape[1], ctx.f("momentum"));
  });
}

Prepared prepare_grad(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  const TensorSpec& x = ctx.inputs[1];
  const bool training = ctx.i("training_mode") != 0;
  if (!training && (!ctx.has_input(3) || !ctx.has_input(4)))
    return refuse("mean and var are not given");
  return with_onednn([&]() -> Prepared {
    const auto flags = flags_of(training);
    const auto fd = forward_desc(ctx, x.shape, dnnl::prop_kind::forward_training, flags);
    const dnnl::batch_normalization_backward::primitive_desc bd(
        dnnl::batch_normalization_backward::desc(dnnl::prop_kind::backward, image_desc(x.shape),
                                                 image_desc(x.shape),
                                                 static_cast<float>(ctx.f("epsilon")), flags),
        user_scratchpad(), onednn_engine(), fd);
    const memory::desc channels = channels_desc(x.shape[1]);
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    const auto source = kernel->as(kernel->input(1, desc_of(x)), fd.src_desc());
    const auto scale = kernel->input(2, channels);
    const auto mean = training ? kernel->temporary(channels) : kernel->input(3, channels);
    const auto variance = training ? kernel->temporary(channels) : kernel->input(4, channels);
    if (training)  // the batch's statistics, once more; the scale also stands in for the unused
                   // shift
      kernel->add(dnnl::batch_normalization_forward(fd), fd.scratchpad_desc(),
                  {{DNNL_ARG_SRC, source},
                   {DNNL_ARG_SCALE, scale},
                   {DNNL_ARG_SHIFT, scale},
                   {DNNL_ARG_MEAN, mean},
                   {DNNL_ARG_VARIANCE, variance},
                   {DNNL_ARG_DST, kernel->temporary(fd.dst_desc())}});
    const auto result = [&](size_t port) {
      return ctx.wants_output(port) ? kernel->output(port, channels) : kernel->temporary(channels);
    };
    kernel->add(dnnl::batch_normalization_backward(bd), bd.scratchpad_desc(),
                {{DNNL_ARG_SRC, source},
                 {DNNL_ARG_DIFF_DST,
                  kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), bd.diff_dst_desc())},
                 {DNNL_ARG_MEAN, mean},
                 {DNNL_ARG_VARIANCE, variance},
                 {DNNL_ARG_SCALE, scale},
                 {DNNL_ARG_SHIFT, scale},  // asked for, not read
                 {DNNL_ARG_DIFF_SRC, kernel->output(0, bd.diff_src_desc())},
                 {DNNL_ARG_DIFF_SCALE, result(1)},
                 {DNNL_ARG_DIFF_SHIFT, result(2)}});
    return kernel;
  });
}

// Only x and dY may be strided.
template <Prepared (*prepare)(const PrepareContext&), size_t images>
Prepared dense_vectors(const PrepareContext& ctx) {
  for (size_t i = images; i < ctx.inputs.size(); ++i)
    if (ctx.inputs[i].present() && !ctx.inputs[i].contiguous) return refuse("a vector is strided");
  return prepare(ctx);
}

}  // namespace

constinit const KernelList onednn_batch_normalization{
    {&op::BatchNormalization, "cpu.onednn_batch_norm", dense_vectors<prepare_forward, 1>,
     Strides::any},
    {&op::BatchNormalization, "cpu.onednn_batch_norm_dense", prepare_forward},
    {&op::BatchNormalization, "cpu.onednn_batch_norm_half", through_f32<prepare_forward>},
    {&op::BatchNormalizationGrad, "cpu.onednn_batch_norm_grad", dense_vectors<prepare_grad, 2>,
     Strides::any},
    {&op::BatchNormalizationGrad, "cpu.onednn_batch_norm_grad_dense", prepare_grad},
    {&op::BatchNormalizationGrad, "cpu.onednn_batch_norm_grad_half", through_f32<prepare_grad>},
};

}  // namespace tenon::cpu
