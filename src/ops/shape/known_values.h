// Integers known before running. A Reshape's target that was built from Shape, Gather and Concat
// stays symbolic because each operator on the way says what it did with the elements.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "ops/infer.h"

namespace tenon {

inline constexpr int64_t kMostKnownValues = 64;

// The concrete shape of output `o`, when it is so small that its elements may be known.
inline std::optional<Shape> small_output(const InferContext& ctx, size_t o) {
  if (o >= ctx.output_count() || !ctx.outputs()[o].ranked) return std::nullopt;
  std::optional<Shape> shape = to_shape(ctx.outputs()[o].dims);
  if (!shape || shape->numel() > kMostKnownValues) return std::nullopt;
  return shape;
}

// The elements of input `i` and their shape, when both are known.
struct KnownValues {
  Shape shape;
  std::vector<Dim> elements;  // row-major
};
inline std::optional<KnownValues> known_values(const InferContext& ctx, size_t i) {
  if (!ctx.has_input(i) || !ctx.values(i)) return std::nullopt;
  std::optional<Shape> shape = to_shape(ctx.dims(i));
  if (!shape || shape->numel() != static_cast<int64_t>(ctx.values(i)->size())) return std::nullopt;
  return KnownValues{*shape, *ctx.values(i)};
}

// Says what output `o`, whose shape is already given, holds: `element(index)` is a Dim for each
// place.
template <class Fn>
void say_values(InferContext& ctx, size_t o, Fn&& element) {
  const std::optional<Shape> shape = small_output(ctx, o);
  if (!shape) return;
  std::vector<Dim> values;
  const int64_t count = shape->numel();
  Shape index(shape->rank(), 0);
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(element(std::as_const(index)));
    for (size_t axis = shape->rank(); axis-- > 0;) {
      if (++index[axis] < (*shape)[axis]) break;
      index[axis] = 0;
    }
  }
  ctx.output_values(o, std::move(values));
}

// As say_values, for an operator that moves elements of input 0: `from(index)` is the index there.
template <class Fn>
void move_values(InferContext& ctx, size_t o, Fn&& from) {
  const std::optional<KnownValues> source = known_values(ctx, 0);
  if (!source) return;
  const Shape strides = source->shape.row_major_strides();
  say_values(ctx, o, [&](const Shape& index) {
    const Shape place = from(index);
    int64_t at = 0;
    for (size_t axis = 0; axis < place.rank(); ++axis) at += place[axis] * strides[axis];
    return source->elements[static_cast<size_t>(at)];
  });
}

// Input 0's elements in the same order under another shape.
inline void keep_values(InferContext& ctx) {
  if (const std::optional<KnownValues> source = known_values(ctx, 0))
    ctx.output_values(0, source->elements);
}

}  // namespace tenon
