// Conv and FusedConv with 3x3 windows and stride 1 by Winograd's algorithm: a quarter of the
// multiplications. Weights must be constant: they are transformed while preparing. What comes in
// another order is made channels-last first; what goes out is channels-last.
#include <optional>

#include "backends/cpu/conv_finish.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/through_f32.h"
#include "backends/cpu/winograd.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;

constexpr size_t kImage = 0, kWeights = 1, kBias = 2, kResidual = 3;

class WinogradConv final : public Kernel {
 public:
  WinogradConv(const PrepareContext& ctx, Winograd winograd, Tensor weights,
               const ConvFinish& finish)
      : winograd_(winograd), weights_(std::move(weights)), finish_(finish) {
    scratch_bytes = (winograd_.scratch_bytes() + 63) / 64 * 64;
    const TensorSpec& x = ctx.inputs[kImage];
    image_.emplace(x, kImage, channels_last(x.shape), scratch_bytes);
    has_bias_ = ctx.has_input(kBias);
    if (!ctx.has_input(kResidual)) return;
    const TensorSpec& z = ctx.inputs[kResidual];
    residual_.emplace(z, kResidual, channels_last(z.shape), scratch_bytes);
    if (!residual_->is_copied()) in_place = 1U << kResidual;
  }

  void run(const RunContext& ctx) const override {
    winograd_.run(
        {image_->get(ctx), weights_.data<float>(), has_bias_ ? ctx.input<float>(kBias) : nullptr,
         residual_ ? residual_->get(ctx) : nullptr, ctx.output<float>(0)},
        finish_, ctx.scratch);
  }

 private:
  Winograd winograd_;
  Tensor weights_;
  ConvFinish finish_;
  std::optional<ReorderedInput> image_, residual_;
  bool has_bias_ = false;
};

std::string refusal(const PrepareContext& ctx, const Geometry& g) {
  if (ctx.inputs[kImage].dtype != DType::f32)
    return fmt::format("only f32; x is {}", name(ctx.inputs[kImage].dtype));
  const Windows& w = g.windows;
  if (g.groups != 1 || w.kernel != Shape{3, 3} || w.strides != Shape{1, 1} ||
      w.dilations != Shape{1, 1})
    return "only windows of 3x3 with stride 1 in one group";
  if (ctx.outputs[0].numel() == 0 || ctx.inputs[kImage].numel() == 0) return "nothing to compute";
  if (!ctx.is_constant(kWeights)) return "the weights may change, and transforming them is slow";
  for (const size_t port : {kWeights, kBias})
    if (ctx.has_input(port) && !ctx.inputs[port].contiguous) return "weights or bias are strided";
  return "";
}

Prepared prepare(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[kImage].shape, ctx.inputs[kWeights].shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  const std::optional<ConvFinish> finish = conv_finish(ctx);
  if (!finish) return refuse(fmt::format("no loop for activation {}", ctx.s("activation")));
  const Windows& w = g.windows;
  const WinogradShape shape{.batch = g.batch,
                            .channels = g.channels,
                            .maps = g.maps,
                            .height = w.input[0],
                            .width = w.input[1],
                            .out_height = w.output[0],
                            .out_width = w.output[1],
                            .pad_top = w.pads_begin[0],
                            .pad_left = w.pads_begin[1]};
  const int threads = thread_count();
  const int64_t outputs = choose_winograd(shape, threads);
  if (outputs == 0) return refuse("a direct convolution should be quicker");
  const Winograd winograd(shape, outputs, threads);
  const TensorSpec& given = ctx.inputs[kWeights];
  Tensor weights = ctx.packed->get(
      given.constant,
      fmt::format("winograd {} {} {}", outputs, winograd.panel(), given.shape.str()),
      [&] {
        Tensor packed = Tensor::empty({winograd.packed_floats()}, DType::f32);
        winograd.pack(static_cast<const float*>(given.constant), packed.data<float>());
        return packed;
      },
      {DType::f32, winograd.packed_floats()});
  set_channels_last(ctx.outputs[0]);
  return std::make_unique<WinogradConv>(ctx, winograd, std::move(weights), *finish);
}

}  // namespace

constinit const KernelList winograd_conv{
    {&op::Conv, "cpu.winograd_conv", prepare, Strides::any, true},
    {&op::Conv, "cpu.winograd_conv_half", through_f32<prepare>, Strides::any, true},
    {&op::FusedConv, "cpu.winograd_fused_conv", prepare, Strides::any, true},
    {&op::FusedConv, "cpu.winograd_fused_conv_half", through_f32<prepare>, Strides::any, true},
};

}  // namespace tenon::cpu
