// Tensors made from sizes, constants and rules.
#include <algorithm>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare_shape(const PrepareContext& ctx) {
  const Shape shape = ctx.inputs[0].shape;
  const auto rank = static_cast<int64_t>(shape.rank());
  const int64_t start = ctx.i("start");
  const int64_t first = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  return make_kernel([shape, first, count = ctx.outputs[0].numel()](const RunContext& run) {
    std::copy_n(shape.begin() + first, count, run.output<int64_t>(0));
  });
}

Prepared prepare_size(const PrepareContext& ctx) {
  return make_kernel(
      [count = ctx.inputs[0].numel()](const RunContext& run) { *run.output<int64_t>(0) = count; });
}

Prepared prepare_constant_of_shape(const PrepareContext& ctx) {
  const Tensor given = ctx.tensor("value");
  const Tensor value = given.defined() ? given : Tensor::scalar(0);
  return make_kernel([value, count = ctx.outputs[0].numel()](const RunContext& run) {
    for (int64_t i = 0; i < count; ++i) copy_element(value.dtype(), run.out[0], i, value.raw(), 0);
  });
}

Prepared prepare_range(const PrepareContext& ctx) {
  return make_kernel(
      [type = ctx.inputs[0].dtype, count = ctx.outputs[0].numel()](const RunContext& run) {
        with_wide(type, [&]<class Wide>() {
          const Wide start = In<Wide>(type, run.in[0])[0], delta = In<Wide>(type, run.in[2])[0];
          const Out<Wide> y(type, run.out[0]);
          for (int64_t i = 0; i < count; ++i)
            y.set(i, add(start, multiply(static_cast<Wide>(i), delta)));
        });
      });
}

Prepared prepare_eye_like(const PrepareContext& ctx) {
  return make_kernel([out = ctx.outputs[0], k = ctx.i("k")](const RunContext& run) {
    const Out<uint64_t> y(out.dtype, run.out[0]);
    for_each_index(out.shape, [&](const Shape& index, int64_t i) {
      y.set(i, index[1] - index[0] == k ? 1 : 0);
    });
  });
}

Prepared prepare_one_hot(const PrepareContext& ctx) {
  const Shape& out = ctx.outputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), out.rank(), ctx.op.name));
  int64_t inner = 1;
  for (size_t a = axis + 1; a < out.rank(); ++a) inner *= out[a];
  return make_kernel([index_type = ctx.inputs[0].dtype, type = ctx.inputs[2].dtype, inner,
                      depth = out[axis], count = out.numel()](const RunContext& run) {
    const In<int64_t> indices(index_type, run.in[0]);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = i / inner % depth;
      const int64_t wanted = indices[i / (inner * depth) * inner + i % inner];
      const bool on = wanted == place || wanted + depth == place;
      copy_element(type, run.out[0], i, run.in[2], on ? 1 : 0);
    }
  });
}

}  // namespace

constinit const KernelList fill{
    {&op::Shape, "reference.shape", prepare_shape},
    {&op::Size, "reference.size", prepare_size},
    {&op::ConstantOfShape, "reference.constant_of_shape", prepare_constant_of_shape},
    {&op::Range, "reference.range", prepare_range},
    {&op::EyeLike, "reference.eye_like", prepare_eye_like},
    {&op::OneHot, "reference.one_hot", prepare_one_hot},
};

}  // namespace tenon::reference
