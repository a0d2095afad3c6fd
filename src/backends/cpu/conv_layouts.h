// A convolution as oneDNN is asked for it: images channels-last, weights in whatever layout the
// primitive likes. Shared by Conv, ConvTranspose and their gradients.
#pragma once

#include <string>

#include "backends/cpu/onednn.h"
#include "ops/nn/conv_rules.h"

namespace tenon::cpu {

struct ConvLayouts {
  dnnl::memory::dims strides, dilations, pads_begin, pads_end;
  dnnl::memory::desc image, maps, weights_any;  // channels-last
  dnnl::memory::desc weights;                   // as ONNX has them, row-major
  dnnl::memory::data_type type;
  // A depthwise convolution over one axis is asked for as one over two axes, of which the first has
  // size 1: oneDNN has code of its own for the latter only.
  bool lifted = false;
  // Images one pixel wide are asked for as one pixel high, which oneDNN's code, made for rows, does
  // in a quarter of the time; in memory they are the same.
  bool turned = false;

  ConvLayouts(conv_rules::Geometry g, DType dtype);

  // A tensor of the call of the rank of an image, as it lies in memory.
  dnnl::memory::desc of(const TensorSpec& spec) const;
  // Of `channels` elements; zero where there is no bias.
  dnnl::memory::desc bias(bool present, int64_t channels) const;
};

dnnl::memory::dims row_major_strides(const dnnl::memory::dims& sizes);
dnnl::primitive_attr user_scratchpad();

// Why oneDNN is not asked for a convolution of this type; empty when it is.
std::string conv_refusal(const PrepareContext& ctx, const conv_rules::Geometry& g, DType type);

// For entries of Strides::any: images may have any strides, weights and bias must be row-major. The
// runtime knows one rule a kernel, so strided weights are refused and come back row-major through
// an entry of Strides::contiguous.
template <Prepared (*prepare)(const PrepareContext&)>
Prepared dense_weights(const PrepareContext& ctx) {
  for (size_t i = 1; i < ctx.inputs.size() && i < 3; ++i)
    if (ctx.inputs[i].present() && !ctx.inputs[i].contiguous)
      return refuse("the weights are strided");
  return prepare(ctx);
}
// For that entry of Strides::contiguous: constant weights are row-major, so that it would only copy
// images in vain.
template <Prepared (*prepare)(const PrepareContext&)>
Prepared strided_weights(const PrepareContext& ctx) {
  if (ctx.is_constant(1) && (!ctx.has_input(2) || ctx.is_constant(2)))
    return refuse("the weights are constant, so row-major already");
  return prepare(ctx);
}

}  // namespace tenon::cpu
