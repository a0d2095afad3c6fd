// Reading at places that indices name, and adding there.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/shape/indexing.h"

namespace tenon::reference {

namespace {

// Data seen as [outer, size, inner] around an axis.
struct Around {
  DType type, index_type;
  size_t axis;
  int64_t outer = 1, size, inner = 1, picked;

  Around(const PrepareContext& ctx, const Shape& data)
      : type(ctx.inputs[0].dtype),
        index_type(ctx.inputs[1].dtype),
        axis(static_cast<size_t>(normalize_axis(ctx.i("axis"), data.rank(), ctx.op.name))),
        size(data[axis]),
        picked(ctx.inputs[1].numel()) {
    for (size_t a = 0; a < axis; ++a) outer *= data[a];
    for (size_t a = axis + 1; a < data.rank(); ++a) inner *= data[a];
  }

  // visit(element of the data, element of the gathered slices), one slice at a time.
  template <class Fn>
  void each_slice(std::string_view op, const void* index_data, Fn&& visit) const {
    const In<int64_t> indices(index_type, index_data);
    for (int64_t i = 0; i < picked; ++i) {
      const int64_t place = checked_index(op, indices[i], axis, size);
      for (int64_t o = 0; o < outer; ++o)
        visit((o * size + place) * inner, (o * picked + i) * inner);
    }
  }
};

Prepared prepare_gather(const PrepareContext& ctx) {
  return make_kernel([around = Around(ctx, ctx.inputs[0].shape)](const RunContext& run) {
    around.each_slice("Gather", run.in[1], [&](int64_t data, int64_t slice) {
      copy_elements(around.type, run.out[0], slice, run.in[0], data, around.inner);
    });
  });
}

Prepared prepare_gather_grad(const PrepareContext& ctx) {
  return make_kernel([around = Around(ctx, ctx.outputs[0].shape),
                      count = ctx.outputs[0].numel()](const RunContext& run) {
    clear_elements(around.type, run.out[0], 0, count);
    const In<double> dy(around.type, run.in[0]), so_far(around.type, run.out[0]);
    const Out<double> dx(around.type, run.out[0]);
    around.each_slice("GatherGrad", run.in[1], [&](int64_t data, int64_t slice) {
      for (int64_t k = 0; k < around.inner; ++k) dx.set(data + k, so_far[data + k] + dy[slice + k]);
    });
  });
}

Prepared prepare_gather_elements(const PrepareContext& ctx) {
  const auto axis =
      static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.inputs[0].rank(), ctx.op.name));
  return make_kernel([axis, x = ctx.inputs[0], index = ctx.inputs[1]](const RunContext& run) {
    const In<int64_t> indices(index.dtype, run.in[1]);
    for_each_index(index.shape, [&](const Shape& at, int64_t i) {
      const int64_t place = checked_index("GatherElements", indices[i], axis, x.shape[axis]);
      const int64_t from = offset_of(at, x.strides) + (place - at[axis]) * x.strides[axis];
      copy_element(x.dtype, run.out[0], i, run.in[0], from);
    });
  });
}

Prepared prepare_gather_nd(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const auto batch_dims = static_cast<size_t>(ctx.i("batch_dims"));
  const auto depth = static_cast<size_t>(ctx.inputs[1].shape.back());
  int64_t batches = 1, places = 1, slice = 1;
  for (size_t a = 0; a < batch_dims; ++a) batches *= x.shape[a];
  for (size_t a = batch_dims; a + 1 < ctx.inputs[1].rank(); ++a) places *= ctx.inputs[1].shape[a];
  for (size_t a = batch_dims + depth; a < x.rank(); ++a) slice *= x.shape[a];
  return make_kernel([=](const RunContext& run) {
    const auto* indices = run.input<int64_t>(1);
    const int64_t batch_size = batches ? x.numel() / batches : 0;
    for (int64_t i = 0; i < batches * places; ++i) {
      int64_t from = i / places * batch_size;
      for (size_t d = 0; d < depth; ++d) {
        const size_t axis = batch_dims + d;
        from += checked_index("GatherND", *indices++, axis, x.shape[axis]) * x.strides[axis];
      }
      copy_elements(x.dtype, run.out[0], i * slice, run.in[0], from, slice);
    }
  });
}

}  // namespace

constinit const KernelList gather{
    {&op::Gather, "reference.gather", prepare_gather},
    {&op::GatherGrad, "reference.gather_grad", prepare_gather_grad},
    {&op::GatherElements, "reference.gather_elements", prepare_gather_elements},
    {&op::GatherND, "reference.gather_nd", prepare_gather_nd},
};

}  // namespace tenon::reference
