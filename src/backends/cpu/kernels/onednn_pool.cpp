// Pooling by oneDNN, channels-last like the convolutions around it.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/through_f32.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"

namespace tenon::cpu {

namespace {

using dnnl::algorithm;
using dnnl::memory;

// Averages of bytes would be rounded before anyone sees them.
constexpr TypeSet kMaxTypes = types(DType::f32, DType::i8, DType::u8);

std::string refusal(const PrepareContext& ctx, const Windows& w, TypeSet takes = kFloat32) {
  if (!takes.has(ctx.inputs[0].dtype))
    return fmt::format("only {}; x is {}", takes.str(), name(ctx.inputs[0].dtype));
  if (w.rank() > 3) return fmt::format("only 1 to 3 spatial axes; x has {}", w.rank());
  for (const TensorSpec& spec : ctx.inputs)
    if (spec.present() && spec.numel() == 0) return "nothing to compute";
  if (ctx.wants_output(1)) return "it gives no indices";
  // Its generated code grows with the window, whatever of it lies inside the input.
  constexpr int64_t kWide = 256, kMost = 65535;
  for (size_t axis = 0; axis < w.rank(); ++axis) {
    if (w.kernel[axis] > std::max(kWide, w.input[axis]))
      return fmt::format("a window of {} over an axis of {}", w.kernel[axis], w.input[axis]);
    for (int64_t size :
         {w.kernel[axis], w.strides[axis], w.dilations[axis], w.pads_begin[axis], w.pads_end[axis]})
      if (size > kMost)
        return fmt::format("windows, steps and pads up to {}; one is {}", kMost, size);
  }
  return "";
}

// The pooling of [batch, channels, w.input] in oneDNN's terms.
struct Pooling {
  memory::dims kernel, strides, dilations, begin, end;
  memory::desc image, maps;
  bool past_padding = false;  // ceil_mode: a last window reaches past the padding

  Pooling(int64_t batch, int64_t channels, const Windows& w, DType type = DType::f32) {
    kernel = dims_of(w.kernel);
    strides = dims_of(w.strides);
    begin = dims_of(w.pads_begin);
    Shape in{batch, channels}, out{batch, channels};
    for (size_t axis = 0; axis < w.rank(); ++axis) {
      dilations.push_back(w.dilations[axis] - 1);
      in.push_back(w.input[axis]);
      out.push_back(w.output[axis]);
      const int64_t reach = w.start(axis, w.output[axis] - 1) + w.extent(axis) - w.input[axis];
      past_padding = past_padding || reach > w.pads_end[axis];
      end.push_back(std::max(reach, w.pads_end[axis]));
    }
    image = desc_of(type, in, channels_last(in));
    maps = desc_of(type, out, channels_last(out));
  }

  dnnl::pooling_v2_forward::primitive_desc forward(dnnl::prop_kind kind, algorithm how) const {
    return {dnnl::pooling_v2_forward::desc(kind, how, image, maps, strides, kernel, dilations,
                                           begin, end),
            attr(), onednn_engine()};
  }
  dnnl::pooling_v2_backward::primitive_desc backward(
      algorithm how, const dnnl::pooling_v2_forward::primitive_desc& hint) const {
    return {
        dnnl::pooling_v2_backward::desc(how, image, maps, strides, kernel, dilations, begin, end),
        attr(), onednn_engine(), hint};
  }
  static dnnl::primitive_attr attr() {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attr;
  }
};

algorithm average(const Call& call) {
  return call.i("count_include_pad") ? algorithm::pooling_avg_include_padding
                                     : algorithm::pooling_avg_exclude_padding;
}

Prepared forward(const PrepareContext& ctx, algorithm how) {
  const TensorSpec& x = ctx.inputs[0];
  const Windows w = pool_rules::windows(ctx, x.shape);
  const TypeSet takes = how == algorithm::pooling_max ? kMaxTypes : kFloat32;
  if (std::string why = refusal(ctx, w, takes); !why.empty()) return refuse(std::move(why));
  const Pooling pooling(x.shape[0], x.shape[1], w, x.dtype);
  if (pooling.past_padding && how == algorithm::pooling_avg_include_padding)
    return refuse("a window reaches past the padding, which its average must not count");
  return with_onednn([&]() -> Prepared {
    const auto pd = pooling.forward(dnnl::prop_kind::forward_inference, how);
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    kernel->add(dnnl::pooling_v2_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(x)), pd.src_desc())},
                 {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}});
    return kernel;
  });
}

Prepared prepare_max(const PrepareContext& ctx) { return forward(ctx, algorithm::pooling_max); }
Prepared prepare_average(const PrepareContext& ctx) { return forward(ctx, average(ctx)); }

// oneDNN's gradient of a maximum needs what the forward pass remembers, so that runs again.
Prepared prepare_max_grad(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[1];
  const Windows w = pool_rules::windows(ctx, x.shape);
  if (std::string why = refusal(ctx, w); !why.empty()) return refuse(std::move(why));
  const Pooling pooling(x.shape[0], x.shape[1], w);
  return with_onednn([&]() -> Prepared {
    const auto fd = pooling.forward(dnnl::prop_kind::forward_training, algorithm::pooling_max);
    const auto bd = pooling.backward(algorithm::pooling_max, fd);
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    const auto workspace = kernel->temporary(fd.workspace_desc());
    kernel->add(dnnl::pooling_v2_forward(fd), fd.scratchpad_desc(),
                {{DNNL_ARG_SRC, kernel->as(kernel->input(1, desc_of(x)), fd.src_desc())},
                 {DNNL_ARG_DST, kernel->temporary(fd.dst_desc())},
                 {DNNL_ARG_WORKSPACE, workspace}});
    kernel->add(dnnl::pooling_v2_backward(bd), bd.scratchpad_desc(),
                {{DNNL_ARG_DIFF_DST,
                  kernel->as(kernel->input(0, desc_of(ctx.inputs[0])), bd.diff_dst_desc())},
                 {DNNL_ARG_WORKSPACE, workspace},
                 {DNNL_ARG_DIFF_SRC, kernel->output(0, bd.diff_src_desc())}});
    return kernel;
  });
}

Prepared prepare_average_grad(const PrepareContext& ctx) {
  const TensorSpec& dy = ctx.inputs[0];
  const Shape& image = ctx.outputs[0].shape;
  const Windows w = pool_rules::windows(ctx, image);
  if (std::string why = refusal(ctx, w); !why.empty()) return refuse(std::move(why));
  const Pooling pooling(image[0], image[1], w);
  const algorithm how = average(ctx);
  if (pooling.past_padding && how == algorithm::pooling_avg_include_padding)
    return refuse("a window reaches past the padding, which its average must not count");
  return with_onednn([&]() -> Prepared {
    const auto bd = pooling.backward(how, pooling.forward(dnnl::prop_kind::forward_training, how));
    auto kernel = std::make_unique<OneDnnKernel>();
    set_channels_last(ctx.outputs[0]);
    kernel->add(dnnl::pooling_v2_backward(bd), bd.scratchpad_desc(),
                {{DNNL_ARG_DIFF_DST, kernel->as(kernel->input(0, desc_of(dy)), bd.diff_dst_desc())},
                 {DNNL_ARG_DIFF_SRC, kernel->output(0, bd.diff_src_desc())}});
    return kernel;
  });
}

Prepared prepare_global_average(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.rank() < 3) return refuse("there are no spatial axes");
  Windows w;
  w.kernel = w.input = spatial_shape(x.shape);
  w.strides = w.dilations = w.output = Shape(w.kernel.rank(), 1);
  w.pads_begin = w.pads_end = Shape(w.kernel.rank(), 0);
  if (std::string why = refusal(ctx, w); !why.empty()) return refuse(std::move(why));
  const Pooling pooling(x.shape[0], x.shape[1], w);
  return with_onednn([&]() -> Prepared {
    const auto pd =
        pooling.forward(dnnl::prop_kind::forward_inference, algorithm::pooling_avg_exclude_padding);
    auto kernel = std::make_unique<OneDnnKernel>();
    kernel->add(dnnl::pooling_v2_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, kernel->as(kernel->input(0, desc_of(x)), pd.src_desc())},
                 {DNNL_ARG_DST, kernel->output(0, pd.dst_desc())}});
    return kernel;
  });
}

}  // namespace

constinit const KernelList onednn_pool{
    {&op::MaxPool, "cpu.onednn_max_pool", prepare_max, Strides::any},
    {&op::MaxPool, "cpu.onednn_max_pool_half", through_f32<prepare_max>, Strides::any},
    {&op::MaxPool, "cpu.onednn_max_pool_half_dense", through_f32<prepare_max>},
    {&op::MaxPoolGrad, "cpu.onednn_max_pool_grad", prepare_max_grad, Strides::any},
    {&op::MaxPoolGrad, "cpu.onednn_max_pool_grad_half", through_f32<prepare_max_grad>,
     Strides::any},
    {&op::MaxPoolGrad, "cpu.onednn_max_pool_grad_half_dense", through_f32<prepare_max_grad>},
    {&op::AveragePool, "cpu.onednn_average_pool", prepare_average, Strides::any},
    {&op::AveragePool, "cpu.onednn_average_pool_half", through_f32<prepare_average>, Strides::any},
    {&op::AveragePool, "cpu.onednn_average_pool_half_dense", through_f32<prepare_average>},
    {&op::AveragePoolGrad, "cpu.onednn_average_pool_grad", prepare_average_grad, Strides::any},
    {&op::AveragePoolGrad, "cpu.onednn_average_pool_grad_half", through_f32<prepare_average_grad>,
     Strides::any},
    {&op::AveragePoolGrad, "cpu.onednn_average_pool_grad_half_dense",
     through_f32<prepare_average_grad>},
    {&op::GlobalAveragePool, "cpu.onednn_global_average_pool", prepare_global_average,
     Strides::any},
    {&op::GlobalAveragePool, "cpu.onednn_global_average_pool_half",
     through_f32<prepare_global_average>, Strides::any},
    {&op::GlobalAveragePool, "cpu.onednn_global_average_pool_half_dense",
     through_f32<prepare_global_average>},
};

}  // namespace tenon::cpu
