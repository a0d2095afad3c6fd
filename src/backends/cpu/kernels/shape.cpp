// Shape and Size, which read no element: strided inputs are taken as they are.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::cpu {

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

}  // namespace

constinit const KernelList shape{
    {&op::Shape, "cpu.shape", prepare_shape, Strides::any},
    {&op::Size, "cpu.size", prepare_size, Strides::any},
};

}  // namespace tenon::cpu
