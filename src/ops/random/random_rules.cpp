#include "ops/random/random_rules.h"

namespace tenon::random_rules {

DType drawn_type(const InferContext& ctx, DType otherwise, TypeSet set) {
  if (!ctx.has("dtype") && set.has(otherwise)) return otherwise;
  if (!ctx.has("dtype"))
    ctx.fail("input is {}, which it cannot draw; give dtype one of TensorProto.DataType for {}",
             ctx.str(0), set.str());
  const int64_t number = ctx.i("dtype");
  ctx.check(number >= 0 && number < kDTypeCount && set.has(static_cast<DType>(number)),
            "dtype={} is no type that it draws; use one of TensorProto.DataType for {}", number,
            set.str());
  return static_cast<DType>(number);
}

void infer_from_shape(InferContext& ctx) {
  Dims out;
  for (const int64_t size : ctx.ints("shape")) {
    ctx.check(size >= 0, "shape has a size of {}; use 0 or more", size);
    out.emplace_back(size);
  }
  ctx.check(out.size() <= kMaxRank, "shape has {} axes, a tensor has {} at most; use fewer",
            out.size(), kMaxRank);
  ctx.output(0, std::move(out), drawn_type(ctx, DType::f32, kFloats));
}

void infer_like(InferContext& ctx) {
  ctx.output(0, ctx.dims(0), drawn_type(ctx, ctx.dtype(0), kFloats));
}

}  // namespace tenon::random_rules
