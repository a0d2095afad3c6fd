// Slice, and its gradient, which writes where Slice reads.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"
#include "ops/shape/slicing.h"

namespace tenon::reference {

namespace {

// The slice as a strided part of the data; the four lists are the inputs from `first` on.
Strided<const void*> part_of(const PrepareContext& ctx, const Shape& data, const Shape& strides,
                             size_t first) {
  const auto list = [&](size_t i) {
    return ctx.has_input(i) ? ctx.inputs[i].constant_ints() : std::vector<int64_t>();
  };
  const std::vector<int64_t> starts = list(first), ends = list(first + 1), axes = list(first + 2),
                             steps = list(first + 3);
  Strided<const void*> part{nullptr, 0, strides};
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t named = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const auto axis = static_cast<size_t>(normalize_axis(named, data.rank(), ctx.op.name));
    const SliceRange range =
        slice_range(data[axis], starts[i], ends[i], steps.empty() ? 1 : steps[i]);
    part.offset += range.start * strides[axis];
    if (range.count > 1)
      part.strides[axis] *= range.step;  // else the step may overflow, and is not taken
  }
  return part;
}

Prepared prepare_slice(const PrepareContext& ctx) {
  const Strided<const void*> part = part_of(ctx, ctx.inputs[0].shape, ctx.inputs[0].strides, 1);
  return make_kernel(
      [type = ctx.inputs[0].dtype, out = ctx.outputs[0], part](const RunContext& run) {
        strided_copy(type, out.shape, {run.out[0], 0, out.strides},
                     {run.in[0], part.offset, part.strides});
      });
}

Prepared prepare_slice_grad(const PrepareContext& ctx) {
  const TensorSpec& out = ctx.outputs[0];
  const Strided<const void*> part = part_of(ctx, out.shape, out.strides, 2);
  return make_kernel([dy = ctx.inputs[0], part, count = out.numel()](const RunContext& run) {
    clear_elements(dy.dtype, run.out[0], 0, count);
    strided_copy(dy.dtype, dy.shape, {run.out[0], part.offset, part.strides},
                 {run.in[0], 0, dy.strides});
  });
}

}  // namespace

constinit const KernelList slice{
    {&op::Slice, "reference.slice", prepare_slice},
    {&op::SliceGrad, "reference.slice_grad", prepare_slice_grad},
};

}  // namespace tenon::reference
