// What a graph says of quantised values: which are QuantizeLinear's or DequantizeLinear's, with
// constant scales and zero points.
#pragma once

#include <optional>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::graph {

// How 8-bit elements stand for numbers of f32: (x - zero) * scale.
struct Quantization {
  ValueId scale = kNoValue, zero = kNoValue;  // constants; an absent zero point is 0
  DType type = DType::undefined;              // of the elements
  std::optional<int64_t> axis = {};           // one scale for each index of it; else one for all
  float one_scale = 0;                        // where there is one for all
  int64_t one_zero = 0;

  bool per_tensor() const { return !axis; }
  // One scale for all, and the same one.
  bool same_as(const Quantization& other) const {
    return per_tensor() && other.per_tensor() && type == other.type &&
           one_scale == other.one_scale && one_zero == other.one_zero;
  }
};

// Of a QuantizeLinear (of the element type it makes) or DequantizeLinear; nothing where it is
// neither, has blocks, another type than i8, u8 or (dequantised only) i32, or computes in other
// floats than f32.
std::optional<Quantization> quantization_of(const Rewriter& r, const Node& node);

struct Dequantized {
  ValueId x = kNoValue;  // the quantised elements
  Quantization how;
};
// Of a value that a DequantizeLinear makes.
std::optional<Dequantized> dequantized(const Rewriter& r, ValueId value);
// The value as 8-bit elements that are a constant, computed here where a QuantizeLinear makes them
// from constants.
std::optional<Dequantized> dequantized_constant(Rewriter& r, ValueId value);
// The numbers of an f32 constant, or of a dequantised one.
std::optional<Tensor> real_constant(const Rewriter& r, ValueId value);

// Whether the outputs of the node hold elements of input 0 and nothing else but zeros, or the
// largest ones of them (MaxPool): it does the same to quantised elements.
bool moves_elements(const Graph& graph, const Node& node);

// The zero point as an input: a made constant where it is absent.
ValueId zero_point(Rewriter& r, const Quantization& how);
// A number quantised as QuantizeLinear would; one scale for all.
int64_t quantized(double value, const Quantization& how);
int64_t lowest(DType type);
int64_t highest(DType type);

}  // namespace tenon::graph
