// ConvTranspose by oneDNN.
#include "backends/cpu/conv_layouts.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/through_f32.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;

// oneDNN's weights of a deconvolution are [M, C] seen from the result: ONNX's with those two
// swapped.
Prepared prepare_transpose(const PrepareContext& ctx) {
  Geometry g = conv_rules::of_transpose(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  // Less than a stride of elements past the last window: oneDNN rounds down, so it need not be
  // told.
  for (size_t axis = 0; axis < g.windows.rank(); ++axis) {
    int64_t& past = g.windows.pads_end[axis];
    if (past < 0 && -past < g.windows.strides[axis]) past = 0;
  }
  if (std::string why = conv_refusal(ctx, g, DType::f32); !why.empty())
    return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, DType::f32);
    const size_t lead = g.groups > 1 ? 1 : 0;
    memory::dims sizes = l.weights.dims(), strides = row_major_strides(sizes);
    std::swap(sizes[lead], sizes[lead + 1]);
    std::swap(strides[lead], strides[lead + 1]);
    const memory::desc given(sizes, l.type, strides);
    const memory::desc any(sizes, l.type, memory::format_tag::any);
    const memory::desc bias = l.bias(ctx.has_input(2), g.channels);
    const dnnl::deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, l.maps, any,
        bias, l.image, l.strides, l.dilations, l.pads_begin, l.pads_end);
    const dnnl::deconvolution_forward::primitive_desc pd(desc, user_scratchpad(), onednn_engine());
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_SRC, kernel->as(kernel->input(0, l.of(ctx.inputs[0])), pd.src_desc())},
        {DNNL_ARG_WEIGHTS, kernel->packed(ctx, 1, given, pd.weights_desc())},
        {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}};
    if (ctx.has_input(2)) args.emplace_back(DNNL_ARG_BIAS, kernel->packed(ctx, 2, bias, bias));
    kernel->add(dnnl::deconvolution_forward(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

}  // namespace

constinit const KernelList onednn_conv_transpose{
    {&op::ConvTranspose, "cpu.onednn_conv_transpose", dense_weights<prepare_transpose>,
     Strides::any},
    {&op::ConvTranspose, "cpu.onednn_conv_transpose_dense", strided_weights<prepare_transpose>},
    {&op::ConvTranspose, "cpu.onednn_conv_transpose_half", through_f32<prepare_transpose>},
};

}  // namespace tenon::cpu
