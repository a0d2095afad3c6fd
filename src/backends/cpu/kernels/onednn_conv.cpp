// Conv and FusedConv by oneDNN. Images run channels-last: what comes in another order is reordered,
// what goes out stays channels-last for the next operator.
#include <string_view>

#include "backends/cpu/conv_layouts.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn_activation.h"
#include "backends/cpu/through_f32.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;
using Primitive = dnnl::convolution_forward::primitive_desc;

// How what FusedConv adds to a convolution is done. oneDNN's Winograd knows the sum with what the
// result holds before, which is a copy more; the other convolutions read the addend as they go.
enum class Residual : uint8_t { none, addend, sum };

// FusedConv's other parts: activation(Conv + Z).
struct Tail {
  bool fused = false, residual = false;
  std::string_view activation;
  std::span<const double> parameters;

  explicit Tail(const PrepareContext& ctx)
      : fused(&ctx.op == &op::FusedConv), residual(fused && ctx.has_input(3)) {
    if (!fused) return;
    activation = ctx.s("activation");
    parameters = ctx.floats("activation_params");
  }

  // False where oneDNN does not have the activation.
  bool attributes(Residual how, const memory::desc& addend, dnnl::primitive_attr& attr) const {
    dnnl::post_ops ops;
    if (how == Residual::addend) ops.append_binary(dnnl::algorithm::binary_add, addend);
    if (how == Residual::sum) ops.append_sum(1.0F);
    if (!append_activation(ops, activation, parameters)) return false;
    attr = user_scratchpad();
    attr.set_post_ops(ops);
    return true;
  }
};

bool is_plain_loops(const Primitive& pd) {
  return std::string_view(pd.impl_info_str()).starts_with("ref");
}

// One convolution, its primitive chosen.
std::unique_ptr<Kernel> finish(const PrepareContext& ctx, const ConvLayouts& l, const Primitive& pd,
                               const memory::desc& bias, Residual how) {
  auto kernel = std::make_unique<OneDnnKernel>();
  set_channels_last(ctx.outputs[0]);
  const auto result = kernel->output(0, l.maps);
  const bool direct = pd.dst_desc() == l.maps;
  const auto y = direct ? result : kernel->temporary(pd.dst_desc());
  OneDnnKernel::Arguments args{
      {DNNL_ARG_SRC, kernel->as(kernel->input(0, l.of(ctx.inputs[0])), pd.src_desc())},
      {DNNL_ARG_WEIGHTS, kernel->packed(ctx, 1, l.weights, pd.weights_desc())},
      {DNNL_ARG_DST, y}};
  if (ctx.has_input(2)) args.emplace_back(DNNL_ARG_BIAS, kernel->packed(ctx, 2, bias, bias));
  if (how != Residual::none) {
    const auto z = kernel->input(3, l.of(ctx.inputs[3]));
    if (how == Residual::addend)
      args.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                        kernel->as(z, pd.dst_desc()));
    else
      kernel->reorder(z, y);
  }
  kernel->add(dnnl::convolution_forward(pd), pd.scratchpad_desc(), std::move(args));
  if (!direct) kernel->reorder(y, result);
  return kernel;
}

template <DType type>
Prepared prepare_direct(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (type == DType::bf16 && !has_bf16_products())
    return refuse("the processor has no products of bf16");
  if (std::string why = conv_refusal(ctx, g, type); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, type);
    const Tail tail(ctx);
    const memory::desc bias = l.bias(ctx.has_input(2), g.maps);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, l.image,
        l.weights_any, bias, l.maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
    const Residual how = tail.residual ? Residual::addend : Residual::none;
    dnnl::primitive_attr attr;
    if (!tail.attributes(how, l.maps, attr))
      return refuse(fmt::format("oneDNN has no activation {}", tail.activation));
    const Primitive pd(desc, attr, onednn_engine());
    if (!tail.fused || !is_plain_loops(pd)) return finish(ctx, l, pd, bias, how);
    if (tail.residual && tail.attributes(Residual::sum, l.maps, attr)) {
      const Primitive with_sum(desc, attr, onednn_engine());
      if (!is_plain_loops(with_sum)) return finish(ctx, l, with_sum, bias, Residual::sum);
    }
    return refuse("oneDNN has only plain loops for it");
  });
}

// In the layouts that oneDNN likes best, between two reorders: where channels do not fill vectors,
// channels-last is no good for its code.
Prepared prepare_blocked(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = conv_refusal(ctx, g, DType::f32); !why.empty())
    return refuse(std::move(why));
  constexpr int64_t kVector = 8;
  if (!ctx.is_constant(1)) return refuse("the weights may change, and packing them is slow");
  if (g.groups != 1 || (g.channels % kVector == 0 && g.maps % kVector == 0))
    return refuse("the channels fill vectors, so channels-last is as good");
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, DType::f32);
    const Tail tail(ctx);
    if (tail.residual) return refuse("Z would be reordered too");
    const memory::desc bias = l.bias(ctx.has_input(2), g.maps);
    const memory::desc image(l.image.dims(), l.type, memory::format_tag::any);
    const memory::desc maps(l.maps.dims(), l.type, memory::format_tag::any);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, image,
        l.weights_any, bias, maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
    dnnl::primitive_attr attr;
    if (!tail.attributes(Residual::none, maps, attr))
      return refuse(fmt::format("oneDNN has no activation {}", tail.activation));
    const Primitive pd(desc, attr, onednn_engine());
    if (is_plain_loops(pd)) return refuse("oneDNN has only plain loops for it");
    return finish(ctx, l, pd, bias, Residual::none);
  });
}

// 3x3 windows with stride 1: fewer multiplications, more additions, an error of about 1e-5 of the
// largest output. oneDNN has it for AVX-512.
Prepared prepare_winograd(const PrepareContext& ctx) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  if (std::string why = conv_refusal(ctx, g, DType::f32); !why.empty())
    return refuse(std::move(why));
  if (!ctx.is_constant(1)) return refuse("the weights may change, and transforming them is slow");
  const Windows& w = g.windows;
  if (g.groups != 1 || w.kernel != Shape{3, 3} || w.strides != Shape{1, 1} ||
      w.dilations != Shape{1, 1})
    return refuse("only windows of 3x3 with stride 1 in one group");
  return with_onednn([&]() -> Prepared {
    const ConvLayouts l(g, DType::f32);
    const Tail tail(ctx);
    const memory::desc bias = l.bias(ctx.has_input(2), g.maps);
    const memory::desc image(l.image.dims(), l.type, memory::format_tag::any);
    const memory::desc maps(l.maps.dims(), l.type, memory::format_tag::any);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_winograd, image,
        l.weights_any, bias, maps, l.strides, l.dilations, l.pads_begin, l.pads_end);
    const Residual how = tail.residual ? Residual::sum : Residual::none;
    dnnl::primitive_attr attr;
    if (!tail.attributes(how, maps, attr))
      return refuse(fmt::format("oneDNN has no activation {}", tail.activation));
    return finish(ctx, l, Primitive(desc, attr, onednn_engine()), bias, how);
  });
}

}  // namespace

constinit const KernelList onednn_conv{
    {&op::Conv, "cpu.onednn_conv", dense_weights<prepare_direct<DType::f32>>, Strides::any},
    {&op::Conv, "cpu.onednn_conv_dense", strided_weights<prepare_direct<DType::f32>>},
    {&op::Conv, "cpu.onednn_conv_blocked", dense_weights<prepare_blocked>, Strides::any, true},
    {&op::Conv, "cpu.onednn_conv_winograd", dense_weights<prepare_winograd>, Strides::any, true},
    {&op::Conv, "cpu.onednn_conv_bf16", dense_weights<prepare_direct<DType::bf16>>, Strides::any},
    {&op::Conv, "cpu.onednn_conv_half", through_f32<dense_weights<prepare_direct<DType::f32>>>,
     Strides::any},
    {&op::Conv, "cpu.onednn_conv_half_dense",
     through_f32<strided_weights<prepare_direct<DType::f32>>>},
    {&op::FusedConv, "cpu.onednn_fused_conv", dense_weights<prepare_direct<DType::f32>>,
     Strides::any},
    {&op::FusedConv, "cpu.onednn_fused_conv_dense", strided_weights<prepare_direct<DType::f32>>},
    {&op::FusedConv, "cpu.onednn_fused_conv_blocked", dense_weights<prepare_blocked>, Strides::any,
     true},
    {&op::FusedConv, "cpu.onednn_fused_conv_winograd", dense_weights<prepare_winograd>,
     Strides::any, true},
    {&op::FusedConv, "cpu.onednn_fused_conv_bf16", dense_weights<prepare_direct<DType::bf16>>,
     Strides::any},
    {&op::FusedConv, "cpu.onednn_fused_conv_half",
     through_f32<dense_weights<prepare_direct<DType::f32>>>, Strides::any},
    {&op::FusedConv, "cpu.onednn_fused_conv_half_dense",
     through_f32<strided_weights<prepare_direct<DType::f32>>>},
};

}  // namespace tenon::cpu
