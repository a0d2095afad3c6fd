// Conv, ConvTranspose and the gradients of Conv by oneDNN. Images run channels-last: what comes in
// another order is reordered, what goes out stays channels-last for the next operator. Weights take
// whatever layout the primitive likes.
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/through_f32.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;

std::unique_ptr<OneDnnKernel> new_kernel() { return std::make_unique<OneDnnKernel>(); }

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// oneDNN's view of a geometry.
struct Layouts {
  memory::dims strides, dilations, pads_begin, pads_end;
  memory::desc image, maps, weights_any;  // channels-last
  memory::desc weights;                   // as ONNX has them, row-major
  memory::data_type type;

  Layouts(const Geometry& g, DType dtype) : type(onednn_type(dtype)) {
    const Windows& w = g.windows;
    strides = dims_of(w.strides);
    pads_begin = dims_of(w.pads_begin);
    pads_end = dims_of(w.pads_end);
    for (int64_t dilation : w.dilations) dilations.push_back(dilation - 1);
    image = channels_last_desc(g.batch, g.channels, w.input);
    maps = channels_last_desc(g.batch, g.maps, w.output);
    memory::dims sizes;
    if (g.groups > 1)
      sizes = {g.groups, g.group_maps(), g.group_channels()};
    else
      sizes = {g.maps, g.channels};
    for (int64_t size : w.kernel) sizes.push_back(size);
    weights_any = memory::desc(sizes, type, memory::format_tag::any);
    weights = memory::desc(sizes, type, row_major(sizes));
  }

  static memory::dims row_major(const memory::dims& sizes) {
    memory::dims strides(sizes.size(), 1);
    for (size_t i = sizes.size() - 1; i-- > 0;)
      strides[i] = strides[i + 1] * std::max<int64_t>(sizes[i + 1], 1);
    return strides;
  }
  memory::desc channels_last_desc(int64_t batch, int64_t channels, const Shape& spatial) const {
    Shape shape{batch, channels};
    for (int64_t size : spatial) shape.push_back(size);
    return {dims_of(shape), type, dims_of(channels_last(shape))};
  }
};

// Why oneDNN is not asked; empty when it is.
std::string refusal(const PrepareContext& ctx, const Geometry& g) {
  if (ctx.inputs[0].dtype != DType::f32)
    return fmt::format("only f32; x is {}", name(ctx.inputs[0].dtype));
  if (g.windows.rank() > 3)
    return fmt::format("only 1 to 3 spatial axes; x has {}", g.windows.rank());
  for (const TensorSpec& spec : ctx.inputs)
    if (spec.present() && spec.numel() == 0) return "nothing to compute";
  if (ctx.outputs[0].numel() == 0) return "nothing to compute";
  for (size_t axis = 0; axis < g.windows.rank(); ++axis)
    if (g.windows.pads_begin[axis] < 0 || g.windows.pads_end[axis] < 0) return "negative padding";
  return "";
}

Prepared prepare_conv(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const Layouts l(g, DType::f32);
    memory::desc bias;
    if (ctx.has_input(2)) bias = memory::desc({g.maps}, l.type, memory::format_tag::a);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, l.image,
        l.weights_any, bias, l.maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
    const dnnl::convolution_forward::primitive_desc pd(desc, user_scratchpad(), onednn_engine());
    auto kernel = new_kernel();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), pd.src_desc())},
        {DNNL_ARG_WEIGHTS, kernel->as(kernel->input(1, l.weights), pd.weights_desc())},
        {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}};
    if (ctx.has_input(2)) args.emplace_back(DNNL_ARG_BIAS, kernel->input(2, bias));
    kernel->add(dnnl::convolution_forward(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

dnnl::convolution_forward::primitive_desc forward_hint(const Layouts& l) {
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, l.image,
      l.weights_any, l.maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
  return {desc, user_scratchpad(), onednn_engine()};
}

Prepared prepare_input_grad(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_input_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const Layouts l(g, DType::f32);
    const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, l.image,
                                                     l.weights_any, l.maps, l.strides, l.dilations,
                                                     l.pads_begin, l.pads_end);
    const dnnl::convolution_backward_data::primitive_desc pd(desc, user_scratchpad(),
                                                             onednn_engine(), forward_hint(l));
    auto kernel = new_kernel();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_DIFF_DST,
         kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), pd.diff_dst_desc())},
        {DNNL_ARG_WEIGHTS, kernel->as(kernel->input(1, l.weights), pd.weights_desc())},
        {DNNL_ARG_DIFF_SRC, kernel->output(0, pd.diff_src_desc())}};
    kernel->add(dnnl::convolution_backward_data(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

Prepared prepare_weight_grad(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_weight_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const Layouts l(g, DType::f32);
    const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct,
                                                        l.image, l.weights_any, l.maps, l.strides,
                                                        l.dilations, l.pads_begin, l.pads_end);
    const dnnl::convolution_backward_weights::primitive_desc pd(desc, user_scratchpad(),
                                                                onednn_engine(), forward_hint(l));
    auto kernel = new_kernel();
    const auto source = kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), pd.src_desc());
    const auto maps = kernel->as(kernel->input(1, desc_of(ctx.inputs[1])), pd.diff_dst_desc());
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
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const Layouts l(g, DType::f32);
    const size_t lead = g.groups > 1 ? 1 : 0;
    memory::dims sizes = l.weights.dims(), strides = Layouts::row_major(sizes);
    std::swap(sizes[lead], sizes[lead + 1]);
    std::swap(strides[lead], strides[lead + 1]);
    const memory::desc given(sizes, l.type, strides);
    const memory::desc any(sizes, l.type, memory::format_tag::any);
    memory::desc bias;
    if (ctx.has_input(2)) bias = memory::desc({g.channels}, l.type, memory::format_tag::a);
    const dnnl::deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, l.maps, any,
        bias, l.image, l.strides, l.dilations, l.pads_begin, l.pads_end);
    const dnnl::deconvolution_forward::primitive_desc pd(desc, user_scratchpad(), onednn_engine());
    auto kernel = new_kernel();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), pd.src_desc())},
        {DNNL_ARG_WEIGHTS, kernel->as(kernel->input(1, given), pd.weights_desc())},
        {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}};
    if (ctx.has_input(2)) args.emplace_back(DNNL_ARG_BIAS, kernel->input(2, bias));
    kernel->add(dnnl::deconvolution_forward(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

// Weights must be row-major; images may have any strides. The runtime knows one rule a kernel, so a
// strided weight is refused and comes back row-major through the second entry.
template <Prepared (*prepare)(const PrepareContext&)>
Prepared dense_weights(const PrepareContext& ctx) {
  for (size_t i = 1; i < ctx.inputs.size(); ++i)
    if (ctx.inputs[i].present() && !ctx.inputs[i].contiguous)
      return refuse("the weights are strided");
  return prepare(ctx);
}

}  // namespace

constinit const KernelList onednn_conv{
    {&op::Conv, "cpu.onednn_conv", dense_weights<prepare_conv>, Strides::any},
    {&op::Conv, "cpu.onednn_conv_dense", prepare_conv},
    {&op::Conv, "cpu.onednn_conv_half", through_f32<dense_weights<prepare_conv>>, Strides::any},
    {&op::Conv, "cpu.onednn_conv_half_dense", through_f32<prepare_conv>},
    {&op::ConvTranspose, "cpu.onednn_conv_transpose", dense_weights<prepare_transpose>,
     Strides::any},
    {&op::ConvTranspose, "cpu.onednn_conv_transpose_dense", prepare_transpose},
    {&op::ConvTranspose, "cpu.onednn_conv_transpose_half", through_f32<prepare_transpose>},
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad", dense_weights<prepare_input_grad>,
     Strides::any},
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad_dense", prepare_input_grad},
    {&op::ConvInputGrad, "cpu.onednn_conv_input_grad_half", through_f32<prepare_input_grad>},
    {&op::ConvWeightGrad, "cpu.onednn_conv_weight_grad", prepare_weight_grad, Strides::any},
    {&op::ConvWeightGrad, "cpu.onednn_conv_weight_grad_half", through_f32<prepare_weight_grad>},
};

}  // namespace tenon::cpu
