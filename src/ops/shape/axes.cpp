#include "ops/shape/axes.h"

#include <fmt/format.h>

#include <algorithm>

namespace tenon {

std::vector<size_t> distinct_axes(const InferContext& ctx, std::span<const int64_t> axes,
                                  size_t rank) {
  std::vector<size_t> out;
  for (const int64_t given : axes) {
    const size_t axis = ctx.axis(given, rank);
    ctx.check(std::ranges::find(out, axis) == out.end(),
              "axes [{}] name axis {} twice; name each axis once", fmt::join(axes, ", "), axis);
    out.push_back(axis);
  }
  return out;
}

Dim list_size(const InferContext& ctx, size_t input) {
  ctx.check(ctx.rank(input) <= 1, "input {} is {}; give a vector of integers",
            ctx.op.inputs[input].name, ctx.str(input));
  return ctx.rank(input) == 0 ? Dim(1) : ctx.dims(input)[0];
}

Dims unknown_dims(size_t rank) {
  TENON_CHECK(rank <= kMaxRank, usage, "a shape of {} axes; tensors have {} at most", rank,
              kMaxRank);
  Dims dims;
  for (size_t i = 0; i < rank; ++i) dims.push_back(Dim::unknown());
  return dims;
}

}  // namespace tenon
