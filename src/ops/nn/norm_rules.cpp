// Phrases and checks of normalisation.
#include "ops/nn/norm_rules.h"

#include "ops/math/catalog.h"
#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::norm_rules {

Moments moments(const Tensor& x, const Shape& axes, double epsilon) {
  Moments m;
  m.mean = x.mean(axes, true);
  m.centered = x - m.mean;
  m.variance = (m.centered * m.centered).mean(axes, true);
  m.inv_std = 1.0 / op::Sqrt(m.variance + epsilon);
  return m;
}

Shape axes_from(size_t first, size_t rank) {
  Shape axes;
  for (size_t i = first; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

Shape batch_axes(size_t rank) {
  Shape axes = axes_from(2, rank);
  axes.insert(0, 0);
  return axes;
}

Shape spatial_axes(size_t rank) { return axes_from(2, rank); }

Tensor per_channel(const Tensor& values, size_t rank) {
  const Shape added = axes_from(1, rank - 1);
  return added.empty() ? values : op::Unsqueeze(values, Tensor::ints(added));
}

void check_vector(const InferContext& ctx, size_t at, std::string_view role, const Dim& size) {
  ctx.check(ctx.rank(at) == 1 && !differ(ctx.dims(at)[0], size),
            "{} is {}; with X {} it must have shape [{}]", role, ctx.str(at), ctx.str(0),
            size.str());
}

void check_broadcasts(const InferContext& ctx, size_t at, std::string_view role, const Dims& x) {
  const Dims& given = ctx.dims(at);
  bool fits = given.size() <= x.size();
  for (size_t i = 0; fits && i < given.size(); ++i)
    fits = given[i] == Dim(1) || !differ(given[i], x[x.size() - given.size() + i]);
  ctx.check(
      fits,
      "{} is {}, which does not broadcast to X of shape {}; its sizes must be X's last ones or 1",
      role, ctx.str(at), str(x));
}

DType stash_type(const Call& call) {
  const int64_t type = call.i("stash_type");
  TENON_CHECK(type == 1 || type == 16, usage, "{}: stash_type is {}; use 1 (f32) or 16 (bf16)",
              call.op.name, type);
  return static_cast<DType>(type);
}

}  // namespace tenon::norm_rules
