// The driver of elementwise kernels. A kernel file supplies loops over contiguous elements; the
// driver finds the cheapest way to feed them whatever is broadcast, strided or of 16 bits, keeps a
// dense order that all inputs share (channels-last), and splits the work between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/kernel.h"

namespace tenon::cpu {

// Numbers an operator's attributes give: alpha, beta.
struct ElementAttrs {
  float a = 0;
  float b = 0;
};

// Computes n >= 1 elements. in[i] points at n elements, or, where bit i of `scalars` is set, at one
// that all use; null for absent inputs. `out` may be equal to an input.
using ElementFn = void (*)(const void* const* in, void* out, size_t n, unsigned scalars,
                           const ElementAttrs& attrs);

struct ElementLoop {
  ElementFn fn = nullptr;
  // What fn reads and writes. A tensor of f16 or bf16 is converted where f32 stands here.
  DType in[3] = {DType::f32, DType::f32, DType::f32};
  DType out = DType::f32;
  // Elements worth a thread of their own.
  int64_t grain = 32768;
};
inline constexpr int64_t kCheapGrain = 32768;  // additions, comparisons
inline constexpr int64_t kCostlyGrain = 4096;  // exponentials

// At most three inputs, broadcast to output 0.
Prepared prepare_elementwise(const PrepareContext& ctx, const ElementLoop& loop,
                             const ElementAttrs& attrs = {});

// The loop of an operator for inputs and output of one type; null where there is none.
using FindLoop = ElementFn (*)(const OpDef& op, DType type);
// As prepare_elementwise, for operators whose inputs and output have one type: takes the loop that
// `find` has for it (f32's for f16 and bf16), or refuses, naming the types there are.
Prepared prepare_same_type(const PrepareContext& ctx, FindLoop find, int64_t grain,
                           const ElementAttrs& attrs = {});
// The refusal for an input type that has no loop: "only f32, f64; A is i16".
Refusal refuse_type(const PrepareContext& ctx, FindLoop find, size_t input = 0);

// Any number of inputs, folded from the left by a binary loop. `last`, if given, is applied to the
// result as last(result, attrs.a) (Mean: a division by the count).
Prepared prepare_fold(const PrepareContext& ctx, const ElementLoop& loop, ElementFn last = nullptr,
                      const ElementAttrs& attrs = {});

// -- For kernels that run the loops of others --------------------------------------------------

struct ElementCall {
  ElementLoop loop;
  ElementAttrs attrs;
};
// What the kernel of a call computes with, where that is one loop. Types are those loops know: f32
// stands for f16 and bf16; an absent input is `undefined`.
std::optional<ElementCall> element_call(const Call& call, std::span<const DType> inputs,
                                        DType output);

// The order in which elements are computed.
struct ElementLayout {
  Shape dims;                  // of the outputs, in memory order
  std::vector<Shape> strides;  // of each input, likewise; all 0 for absent ones
};
// Gives the outputs, which have one shape, the dense order that all inputs share, or leaves them
// row-major; and brings all inputs into it.
ElementLayout lay_out(const PrepareContext& ctx);

// Of an operand that is walked with these strides: its elements lie far apart, and are too many to
// stay in the caches (transpositions), so that a copy in order pays.
bool is_scattered(const Shape& dims, const Shape& strides, int64_t element_size);

}  // namespace tenon::cpu
