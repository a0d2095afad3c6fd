// Conv and FusedConv in one group as loops of Tenon's own, with weights packed while preparing:
// for channels or maps that do not fill vectors, for few maps, for small windows. What comes in
// another order is made channels-last first. Few maps go out row-major, more channels-last.
#include <optional>

#include "backends/cpu/conv_finish.h"
#include "backends/cpu/direct_conv.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;

constexpr size_t kImage = 0, kWeights = 1, kBias = 2, kResidual = 3;

// Windows that reach outside are slow where pixels have so few channels, and copying those is
// quick.
constexpr int64_t kFewChannels = 4;

// An image channels-last, its padding around it as zeros.
class PaddedImage {
 public:
  PaddedImage(const TensorSpec& spec, const DirectConvShape& padded, int64_t top, int64_t left,
              size_t& scratch_bytes)
      : floats_(spec.shape[0] * padded.height * padded.width * padded.channels),
        at_(scratch_bytes),
        begin_((top * padded.width + left) * padded.channels),
        copy_(spec.shape, spec.dtype, spec.strides, spec.dtype, strides(spec, padded)),
        filled_(spec.numel() == floats_) {
    scratch_bytes += (static_cast<size_t>(floats_) * sizeof(float) + 63) / 64 * 64;
  }
  const float* get(const RunContext& ctx) const {
    auto* to = reinterpret_cast<float*>(static_cast<std::byte*>(ctx.scratch) + at_);
    if (!filled_) std::fill_n(to, floats_, 0.0F);
    copy_.run(ctx.in[kImage], to + begin_);
    return to;
  }

 private:
  static Shape strides(const TensorSpec& spec, const DirectConvShape& padded) {
    Shape steps = channels_last({spec.shape[0], padded.channels, padded.height, padded.width});
    if (spec.rank() == 3) steps.erase(2);
    return steps;
  }

  int64_t floats_;
  size_t at_;
  int64_t begin_;
  StridedCopy copy_;
  bool filled_;
};

class DirectConvKernel final : public Kernel {
 public:
  DirectConvKernel(const PrepareContext& ctx, const DirectConv& conv, Tensor weights,
                   const ConvFinish& finish, const TensorSpec& y)
      : conv_(conv), weights_(std::move(weights)), finish_(finish) {
    scratch_bytes = conv_.scratch_bytes();
    has_bias_ = ctx.has_input(kBias);
    if (!ctx.has_input(kResidual)) return;
    residual_.emplace(ctx.inputs[kResidual], kResidual, y.strides, scratch_bytes);
    if (!residual_->is_copied() && conv_.writes_in_order()) in_place = 1U << kResidual;
  }
  void pad(const TensorSpec& x, const DirectConvShape& padded, int64_t top, int64_t left) {
    padded_.emplace(x, padded, top, left, scratch_bytes);
  }

  void run(const RunContext& ctx) const override {
    conv_.run({padded_ ? padded_->get(ctx) : ctx.input<float>(kImage), weights_.data<float>(),
               has_bias_ ? ctx.input<float>(kBias) : nullptr,
               residual_ ? residual_->get(ctx) : nullptr, ctx.output<float>(0)},
              finish_, ctx.scratch);
  }

 private:
  DirectConv conv_;
  Tensor weights_;
  ConvFinish finish_;
  std::optional<PaddedImage> padded_;
  std::optional<ReorderedInput> residual_;
  bool has_bias_ = false;
};

std::string refusal(const PrepareContext& ctx, const Geometry& g) {
  const Windows& w = g.windows;
  if (ctx.inputs[kImage].dtype != DType::f32)
    return fmt::format("only f32; x is {}", name(ctx.inputs[kImage].dtype));
  if (g.groups != 1) return fmt::format("only one group, not {}", g.groups);
  if (w.rank() > 2) return fmt::format("only 1 or 2 spatial axes; x has {}", w.rank());
  if (ctx.outputs[0].numel() == 0 || ctx.inputs[kImage].numel() == 0) return "nothing to compute";
  for (size_t axis = 0; axis < w.rank(); ++axis)
    if (w.pads_begin[axis] < 0 || w.pads_end[axis] < 0) return "negative padding";
  if (!ctx.is_constant(kWeights)) return "the weights may change, and packing them is slow";
  for (const size_t port : {kWeights, kBias})
    if (ctx.has_input(port) && !ctx.inputs[port].contiguous) return "weights or bias are strided";
  return "";
}

DirectConvShape shape_of(const Geometry& g) {
  const Windows& w = g.windows;
  const auto at = [&](const Shape& sizes, size_t axis, int64_t missing) {
    return w.rank() == 2 ? sizes[axis] : axis == 0 ? missing : sizes[0];
  };
  return {.batch = g.batch,
          .channels = g.channels,
          .maps = g.maps,
          .height = at(w.input, 0, 1),
          .width = at(w.input, 1, 1),
          .out_height = at(w.output, 0, 1),
          .out_width = at(w.output, 1, 1),
          .kernel_height = at(w.kernel, 0, 1),
          .kernel_width = at(w.kernel, 1, 1),
          .stride_y = at(w.strides, 0, 1),
          .stride_x = at(w.strides, 1, 1),
          .dilation_y = at(w.dilations, 0, 1),
          .dilation_x = at(w.dilations, 1, 1),
          .pad_top = at(w.pads_begin, 0, 0),
          .pad_left = at(w.pads_begin, 1, 0)};
}

// What the windows touch of the image and its padding.
DirectConvShape padded(DirectConvShape s) {
  const auto reach = [](int64_t out, int64_t stride, int64_t kernel, int64_t dilation) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1;
  };
  s.height = std::max(s.pad_top + s.height,
                      reach(s.out_height, s.stride_y, s.kernel_height, s.dilation_y));
  s.width =
      std::max(s.pad_left + s.width, reach(s.out_width, s.stride_x, s.kernel_width, s.dilation_x));
  s.pad_top = s.pad_left = 0;
  return s;
}

Prepared prepare(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[kImage].shape, ctx.inputs[kWeights].shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  const std::optional<ConvFinish> finish = conv_finish(ctx);
  if (!finish) return refuse(fmt::format("no loop for activation {}", ctx.s("activation")));
  const TensorSpec& x = ctx.inputs[kImage];
  const DirectConvShape given = shape_of(g), whole = padded(given);
  const bool has_padding = whole.height > given.height || whole.width > given.width;
  const bool copies =
      !lies_at(x, channels_last(x.shape)) || (has_padding && given.channels <= kFewChannels);
  const DirectConv conv(copies ? whole : given);
  const TensorSpec& w = ctx.inputs[kWeights];
  Tensor weights = ctx.packed->get(
      w.constant,
      fmt::format("direct {}{} {}", conv.has_few_maps() ? "few " : "", conv.lanes(), w.shape.str()),
      [&] {
        Tensor packed = Tensor::empty({conv.packed_floats()}, DType::f32);
        conv.pack(static_cast<const float*>(w.constant), packed.data<float>());
        return packed;
      },
      {DType::f32, conv.packed_floats()});
  if (!conv.has_few_maps()) set_channels_last(ctx.outputs[0]);
  auto kernel =
      std::make_unique<DirectConvKernel>(ctx, conv, std::move(weights), *finish, ctx.outputs[0]);
  if (copies) kernel->pad(x, whole, given.pad_top, given.pad_left);
  return kernel;
}

}  // namespace

constinit const KernelList direct_conv{
    {&op::Conv, "cpu.direct_conv", prepare, Strides::any, true},
    {&op::FusedConv, "cpu.direct_fused_conv", prepare, Strides::any, true},
};

}  // namespace tenon::cpu
