// How scales and zero points lie along the tensor they belong to: one for all of it, one for each
// index of an axis, or one for each block of `block_size` along an axis.
#pragma once

#include "ops/infer.h"
#include "tensor/shape.h"

namespace tenon::op::quant {

// Types of quantised elements.
inline constexpr TypeSet kQuantized =
    types(DType::i8, DType::u8, DType::i16, DType::u16) | (kStored - types(DType::f8e8m0));

// Those of them that QuantizeLinear and DequantizeLinear had in an opset, up to 21.
constexpr TypeSet quantized_in(int opset) {
  TypeSet set = types(DType::i8, DType::u8);
  if (opset >= 19) set = set | kFloat8;
  if (opset >= 21) set = set | types(DType::i16, DType::u16, DType::u4, DType::i4);
  return set;
}
// And of the numbers they took and made.
constexpr TypeSet real_in(int opset) {
  return opset >= 19 ? types(DType::f32, DType::f16, DType::bf16) : types(DType::f32);
}
// Fails (unsupported) unless `set` has the type of an input of a node being exported.
void check_exportable(const OnnxNode& node, std::string_view what, DType type, TypeSet set);

enum class Granularity : uint8_t { tensor, axis, block };
// Of a call with attributes axis and block_size; `scale` are the sizes of the scale.
Granularity granularity_of(const Call& call, const Dims& scale);
// The axis; 0 for tensors of one axis, whatever the attribute is.
size_t axis_of(const Call& call, size_t rank);

// Fails (usage) unless the scale (input 1) fits the tensor (input 0), and the zero point (input 2),
// where there is one, the scale.
void check_scales(const InferContext& ctx);

// Of element (o, a, i) of a tensor seen as [outer, axis, inner], the scale is at
//   o * outer_step + a / block * axis_step + i * inner_step.
struct ScaleLayout {
  Granularity granularity = Granularity::tensor;
  int64_t outer = 1, axis = 1, inner = 1;
  int64_t block = 1, blocks = 1;  // blocks along the axis
  int64_t outer_step = 0, axis_step = 0, inner_step = 0;
};
ScaleLayout scale_layout(const Call& call, const tenon::Shape& shape, const tenon::Shape& scale);

}  // namespace tenon::op::quant
