// What the element-wise operators of ops/math and ops/logic share: shape rules that also follow the
// elements of small integer tensors, and samples.
#pragma once

#include "ops/infer.h"
#include "ops/samples.h"

namespace tenon::op::elementwise {

// Elements are followed in i32 and i64, the types of sizes, and as truth values; a result that the
// type does not hold is not known.

// Every element of input 0 through `fn`, where the elements are known.
void same_shape(InferContext& ctx, Dim (*fn)(const Dim&));
// The broadcast of two inputs, through `fn` where the elements of both are known.
void broadcast(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&));

// The broadcast of one or more inputs.
void variadic(InferContext& ctx);
// As above, folded through `fn` where the elements are known.
void variadic(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&));

// Element `i` of values that are broadcast along one axis.
inline const Dim& at(const std::vector<Dim>& values, size_t i) {
  return values[values.size() == 1 ? 0 : i];
}
// The common length of values that were broadcast, when no input has more than one axis.
std::optional<size_t> known_count(const InferContext& ctx);

// One input with values in [low, high]: several ranks, an empty one, a wrong type.
void unary_samples(Samples& s, double low, double high, const Attrs& attrs = {});
// As above, on both sides of a kink of the function but not at it; across it without gradients.
void kinked_samples(Samples& s, double kink, const Attrs& attrs = {});
// Two inputs of one type, broadcast in every way; wrong calls are of the type `bad`.
void binary_samples(Samples& s, double low, double high, const Attrs& attrs = {}, bool grad = true,
                    DType bad = DType::f32);

}  // namespace tenon::op::elementwise
