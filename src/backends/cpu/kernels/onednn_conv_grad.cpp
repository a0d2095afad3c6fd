// The gradients of Conv by oneDNN.
#include "backends/cpu/conv_layouts.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/through_f32.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;

dnnl::convolution_forward::primitive_desc forward_hint(const ConvLayouts& l) {
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, l.image,
      l.weights_any, l.maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
  return {desc, user_scratchpad(), onednn_engine()};
}

Prepared prepare_input_grad(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_input_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = conv_refusal(ctx, g, DType::f32); !why.empty())
    return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, DType::f32);
    const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, l.image,
                                                     l.weights_any, l.maps, l.strides, l.dilations,
                                                     l.pads_begin, l.pads_end);
    const dnnl::convolution_backward_data::primitive_desc pd(desc, user_scratchpad(),
                                                             onednn_engine(), forward_hint(l));
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_DIFF_DST, kernel->as(kernel->input(0, l.of(ctx.inputs[0])), pd.diff_dst_desc())},
        {DNNL_ARG_WEIGHTS, kernel->as(kernel->input(1, l.weights), pd.weights_desc())},
        {DNNL_ARG_DIFF_SRC, kernel->output(0, pd.diff_src_desc())}};
    kernel->add(dnnl::convolution_backward_data(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

Prepared prepare_weight_grad(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_weight_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = conv_refusal(ctx, g, DType::f32); !why.empty())
    return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, DType::f32);
    const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct,
                                                        l.image, l.weights_any, l.maps, l.strides,
                                                        l.dilations, l.pads_begin, l.pads_end);
    const dnnl::convolution_backward_weights::primitive_desc pd(desc, user_scratchpad(),
                                                                onednn_engine(), forward_hint(l));
    auto kernel = std::make_unique<OneDnnKernel>();
    const auto source = kernel->as(kernel->input(0, l.of(ctx.inputs[0])), pd.src_desc());
    const auto maps = kernel->as(kernel->input(1, l.of(ctx.inputs[1])), pd.diff_dst_desc());
    const auto result = kernel->output(0, l.weights);
    const bool direct = pd.diff_weights_desc() == l.weights;
    const auto weights = direct ? result : kernel->temporary(pd.diff_weights_desc());
    kernel->add(
        dnnl::convolution_backward_weights(pd), pd.scratchpad_desc(),
        {{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, maps}, {DNNL_ARG_DIFF_WEIGHTS, weights}});
    if (!direct) kernel->reorder(weights, result);
    return kernel;
  });
}

}  // namespace

constinit const KernelList onednn_conv_grad{
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad", dense_weights<prepare_input_grad>,
     Strides::any},
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad_dense", strided_weights<prepare_input_grad>},
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad_half", through_f32<prepare_input_grad>},
    {&op::ConvWeightGrad, "cpu.onednn_conv_weight_grad", prepare_weight_grad, Strides::any},
    {&op::ConvWeightGrad, "cpu.onednn_conv_weight_grad_half", through_f32<prepare_weight_grad>},
};

}  // namespace tenon::cpu
