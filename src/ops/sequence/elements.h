// What operators on sequences share.
#pragma once

#include <cstdint>

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::sequences {

// What is known of the elements of input `i`; of undefined type when nothing is.
inline TensorType element_of(const InferContext& ctx, size_t i) {
  return ctx.input(i).element ? *ctx.input(i).element : TensorType();
}

// The position that a scalar input names, negative ones counted from the end; fails (usage) outside
// of [0, count), with `end_too` outside of [0, count].
inline int64_t position(const ExpandContext& ctx, const Tensor& at, int64_t count, bool end_too) {
  const auto given = at.item<int64_t>();
  const int64_t place = given < 0 ? given + count : given;
  TENON_CHECK(place >= 0 && (place < count || (end_too && place == count)), usage,
              "{}: position {} is outside a sequence of {} elements; use {} to {}", ctx.op.name,
              given, count, -count, end_too ? count : count - 1);
  return place;
}

inline constexpr std::string_view kElementsKeepGradients =
    "a sequence is no tensor; outside graphs its elements keep gradients of their own";

}  // namespace tenon::sequences
