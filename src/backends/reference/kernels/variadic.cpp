// Functions of any number of elements, broadcast.
#include <vector>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::reference {

namespace {

// Folds the inputs from left to right, then divides; everything between is wide.
template <class Wide>
Prepared fold(const PrepareContext& ctx, Wide (*fn)(Wide, Wide), Wide divisor) {
  const DType type = ctx.inputs[0].dtype;
  const Shape shape = ctx.outputs[0].shape;
  std::vector<Shape> strides;
  for (const TensorSpec& input : ctx.inputs)
    strides.push_back(broadcast_strides(input.shape, shape));
  return make_kernel([=](const RunContext& run) {
    std::vector<In<Wide>> x;
    for (size_t k = 0; k < strides.size(); ++k) x.emplace_back(type, run.in[k]);
    const Out<Wide> y(type, run.out[0]);
    for_each_index(shape, [&](const Shape& index, int64_t i) {
      Wide value = x[0][offset_of(index, strides[0])];
      for (size_t k = 1; k < x.size(); ++k) value = fn(value, x[k][offset_of(index, strides[k])]);
      y.set(i, divide(value, divisor));
    });
  });
}

Prepared sum(const PrepareContext& ctx) { return fold<double>(ctx, add, 1); }
Prepared mean(const PrepareContext& ctx) {
  return fold<double>(ctx, add, static_cast<double>(ctx.inputs.size()));
}
Prepared min(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype,
                   [&]<class Wide>() { return fold<Wide>(ctx, lesser_of, 1); });
}
Prepared max(const PrepareContext& ctx) {
  return with_wide(ctx.inputs[0].dtype,
                   [&]<class Wide>() { return fold<Wide>(ctx, greater_of, 1); });
}

}  // namespace

constinit const KernelList variadic{
    {&op::Sum, "reference.sum", sum},
    {&op::Mean, "reference.mean", mean},
    {&op::Min, "reference.min", min},
    {&op::Max, "reference.max", max},
};

}  // namespace tenon::reference
