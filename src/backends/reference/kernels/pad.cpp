// Pad: each axis is read through a list of places.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/shape/padding.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const std::vector<int64_t> pads = ctx.inputs[1].constant_ints();
  const size_t padded = pads.size() / 2;
  const std::vector<int64_t> axes =
      ctx.has_input(3) ? ctx.inputs[3].constant_ints() : std::vector<int64_t>();
  std::vector<std::vector<int64_t>> places;
  for (size_t a = 0; a < x.rank(); ++a) places.push_back(pad_places("constant", x.shape[a], 0, 0));
  for (size_t i = 0; i < padded; ++i) {
    const int64_t named = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const auto axis = static_cast<size_t>(normalize_axis(named, x.rank(), ctx.op.name));
    places[axis] = pad_places(ctx.s("mode"), x.shape[axis], pads[i], pads[i + padded]);
  }
  return make_kernel([x, out = ctx.outputs[0].shape, places,
                      has_constant = ctx.has_input(2)](const RunContext& run) {
    const void* constant = has_constant ? run.in[2] : nullptr;
    for_each_index(out, [&](const Shape& index, int64_t to) {
      int64_t from = 0;
      bool inside = true;
      for (size_t a = 0; a < index.rank(); ++a) {
        const int64_t place = places[a][static_cast<size_t>(index[a])];
        inside = inside && place >= 0;
        from += place * x.strides[a];
      }
      if (inside)
        copy_element(x.dtype, run.out[0], to, run.in[0], from);
      else if (constant)
        copy_element(x.dtype, run.out[0], to, constant, 0);
      else
        clear_elements(x.dtype, run.out[0], to, 1);
    });
  });
}

}  // namespace

constinit const KernelList pad{{&op::Pad, "reference.pad", prepare}};

}  // namespace tenon::reference
