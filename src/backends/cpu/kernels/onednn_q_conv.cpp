// QLinearConv by oneDNN, channels-last, in sessions whose scales and zero points are constant. The
// zero point of the result is added before rounding: at a tie the result may differ from the
// definition's by one.
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "backends/cpu/byte_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "ops/nn/conv_rules.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;

// Without VNNI two products of u8 and i8 share 16 bits, which weights of 7 bits do not overflow; i8
// images would halve the weights.
constexpr int kMostWithoutVnni = 64;

bool has_vnni() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
    case dnnl::cpu_isa::avx2_vnni: return true;
    default: return false;
  }
}

bool all_within(const int8_t* w, int64_t count, int most) {
  return std::all_of(w, w + count, [most](int8_t value) { return std::abs(int{value}) <= most; });
}

// Why oneDNN is not asked; empty when it is.
std::string refusal(const PrepareContext& ctx, const Geometry& g) {
  for (size_t i = 1; i < ctx.inputs.size(); ++i)
    if (ctx.has_input(i) && (!ctx.is_constant(i) || !ctx.inputs[i].contiguous))
      return fmt::format("{} is not a dense constant", ctx.op.inputs[i].name);
  if (ctx.outputs[0].numel() == 0 || ctx.inputs[0].numel() == 0) return "nothing to compute";
  if (g.windows.rank() > 3)
    return fmt::format("only 1 to 3 spatial axes; x has {}", g.windows.rank());
  const TensorSpec& w = ctx.inputs[3];
  if (w.dtype != DType::i8) return fmt::format("only weights of i8; w is {}", name(w.dtype));
  const ByteZeroPoints zeros{ctx.inputs[5].constant, w.dtype, ctx.inputs[5].numel()};
  if (!zeros.fit_quads(g.maps)) return "the weights have a zero point";
  if (has_vnni()) return "";
  if (ctx.inputs[0].dtype == DType::i8)
    return "without VNNI oneDNN halves the weights of i8 images";
  if (!all_within(static_cast<const int8_t*>(w.constant), w.numel(), kMostWithoutVnni))
    return fmt::format("without VNNI oneDNN is exact up to weights of {} only", kMostWithoutVnni);
  return "";
}

memory::desc channels_last_desc(const TensorSpec& spec) {
  return desc_of(spec.dtype, spec.shape, channels_last(spec.shape));
}

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec &x = ctx.inputs[0], &w = ctx.inputs[3];
  const Geometry g = conv_rules::of_conv(ctx, x.shape, w.shape);
  if (std::string why = refusal(ctx, g); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared {
    memory::dims sizes;
    if (g.groups > 1)
      sizes = {g.groups, g.group_maps(), g.group_channels()};
    else
      sizes = {g.maps, g.channels};
    for (int64_t size : g.windows.kernel) sizes.push_back(size);
    memory::dims steps(sizes.size(), 1);
    for (size_t i = sizes.size() - 1; i-- > 0;) steps[i] = steps[i + 1] * sizes[i + 1];
    const memory::desc given(sizes, memory::data_type::s8, steps);
    const memory::desc any(sizes, memory::data_type::s8, memory::format_tag::any);
    memory::desc bias;
    if (ctx.has_input(8))
      bias = memory::desc({g.maps}, memory::data_type::s32, memory::format_tag::a);
    memory::dims dilations;
    for (int64_t dilation : g.windows.dilations) dilations.push_back(dilation - 1);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
        channels_last_desc(x), any, bias, channels_last_desc(ctx.outputs[0]),
        dims_of(g.windows.strides), dilations, dims_of(g.windows.pads_begin),
        dims_of(g.windows.pads_end));

    const auto scalar = [&](size_t i) {
      return *static_cast<const float*>(ctx.inputs[i].constant);
    };
    const auto* w_scale = static_cast<const float*>(ctx.inputs[4].constant);
    const bool one = ctx.inputs[4].numel() == 1;
    std::vector<float> scales;
    for (int64_t m = 0; m < (one ? 1 : g.maps); ++m)
      scales.push_back(scalar(1) * w_scale[m] / scalar(6));
    const int32_t x_zero = byte_at(ctx.inputs[2].constant, x.dtype, 0);
    const int32_t y_zero = byte_at(ctx.inputs[7].constant, ctx.outputs[0].dtype, 0);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attr.set_output_scales(one ? 0 : 2, scales);
    if (x_zero != 0) attr.set_zero_points(DNNL_ARG_SRC, 0, {x_zero});
    if (y_zero != 0) attr.set_zero_points(DNNL_ARG_DST, 0, {y_zero});
    const dnnl::convolution_forward::primitive_desc pd(desc, attr, onednn_engine());
    if (std::string_view(pd.impl_info_str()).starts_with("ref"))
      return refuse("oneDNN has only its reference for it");

    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    OneDnnKernel::Arguments args{
        {DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(x)), pd.src_desc())},
        {DNNL_ARG_WEIGHTS, kernel->packed(ctx, 3, given, pd.weights_desc())},
        {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}};
    if (ctx.has_input(8)) args.emplace_back(DNNL_ARG_BIAS, kernel->input(8, bias));
    kernel->add(dnnl::convolution_forward(pd), pd.scratchpad_desc(), std::move(args));
    return kernel;
  });
}

}  // namespace

constinit const KernelList onednn_q_conv{
    {&op::QLinearConv, "cpu.onednn_q_linear_conv", prepare, Strides::any, true},
};

}  // namespace tenon::cpu
