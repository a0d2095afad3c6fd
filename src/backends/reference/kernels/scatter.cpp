// Writing at places that indices name, in row-major order of the indices: the last of equal ones
// stays.
#include <string>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/shape/indexing.h"

namespace tenon::reference {

namespace {

template <class Wide>
Wide combine(const std::string& reduction, Wide there, Wide update) {
  if (reduction == "add") return add(there, update);
  if (reduction == "mul") return multiply(there, update);
  return reduction == "max" ? greater_of(there, update) : lesser_of(there, update);
}

// Puts `count` updates over elements of y.
void put(const std::string& reduction, DType type, void* y, int64_t to, const void* updates,
         int64_t from, int64_t count) {
  if (reduction == "none") return copy_elements(type, y, to, updates, from, count);
  with_wide(type, [&]<class Wide>() {
    const In<Wide> there(type, y), update(type, updates);
    const Out<Wide> out(type, y);
    for (int64_t k = 0; k < count; ++k)
      out.set(to + k, combine(reduction, there[to + k], update[from + k]));
  });
}

Prepared prepare_scatter_elements(const PrepareContext& ctx) {
  const auto axis =
      static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.inputs[0].rank(), ctx.op.name));
  return make_kernel([axis, x = ctx.inputs[0], index = ctx.inputs[1],
                      reduction = std::string(ctx.s("reduction"))](const RunContext& run) {
    copy_elements(x.dtype, run.out[0], 0, run.in[0], 0, x.numel());
    const In<int64_t> indices(index.dtype, run.in[1]);
    for_each_index(index.shape, [&](const Shape& at, int64_t i) {
      const int64_t place = checked_index("ScatterElements", indices[i], axis, x.shape[axis]);
      const int64_t to = offset_of(at, x.strides) + (place - at[axis]) * x.strides[axis];
      put(reduction, x.dtype, run.out[0], to, run.in[2], i, 1);
    });
  });
}

Prepared prepare_scatter_nd(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const auto depth = static_cast<size_t>(ctx.inputs[1].shape.back());
  int64_t places = 1, slice = 1;
  for (size_t a = 0; a + 1 < ctx.inputs[1].rank(); ++a) places *= ctx.inputs[1].shape[a];
  for (size_t a = depth; a < x.rank(); ++a) slice *= x.shape[a];
  return make_kernel([=, reduction = std::string(ctx.s("reduction"))](const RunContext& run) {
    copy_elements(x.dtype, run.out[0], 0, run.in[0], 0, x.numel());
    const auto* indices = run.input<int64_t>(1);
    for (int64_t i = 0; i < places; ++i) {
      int64_t to = 0;
      for (size_t axis = 0; axis < depth; ++axis)
        to += checked_index("ScatterND", *indices++, axis, x.shape[axis]) * x.strides[axis];
      put(reduction, x.dtype, run.out[0], to, run.in[2], i * slice, slice);
    }
  });
}

}  // namespace

constinit const KernelList scatter{
    {&op::ScatterElements, "reference.scatter_elements", prepare_scatter_elements},
    {&op::ScatterND, "reference.scatter_nd", prepare_scatter_nd},
};

}  // namespace tenon::reference
