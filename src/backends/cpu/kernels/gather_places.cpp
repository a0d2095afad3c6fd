// GatherElements and GatherND: single elements, and whole slices, read at places that indices name.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"
#include "ops/shape/indexing.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrainBytes = 65536;

int64_t index_at(const void* indices, DType type, int64_t i) {
  return type == DType::i32 ? static_cast<const int32_t*>(indices)[i]
                            : static_cast<const int64_t*>(indices)[i];
}

// T: a number of the element's size.
template <class T>
struct GatherElementsKernel final : Kernel {
  DType index_type;
  size_t axis;
  Shape data, index, strides;

  GatherElementsKernel(const PrepareContext& ctx, size_t along)
      : index_type(ctx.inputs[1].dtype),
        axis(along),
        data(ctx.inputs[0].shape),
        index(ctx.inputs[1].shape),
        strides(data.row_major_strides()) {}

  // Rows are those of the indices' last axis.
  void run(const RunContext& ctx) const override {
    const int64_t length = index.back();
    if (index.numel() == 0) return;
    const int64_t rows = index.numel() / length;
    const int64_t grain = std::max<int64_t>(1, kGrainBytes / 16 / length);
    parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) run_row(ctx, row, length);
    });
  }

  void run_row(const RunContext& ctx, int64_t row, int64_t length) const {
    const size_t last = index.rank() - 1;
    int64_t base = 0, rest = row;
    for (size_t a = last; a-- > 0;) {
      if (a != axis) base += rest % index[a] * strides[a];
      rest /= index[a];
    }
    const T* x = ctx.input<T>(0) + base;
    T* y = ctx.output<T>(0) + row * length;
    const int64_t size = data[axis], step = strides[axis], along = axis == last ? 0 : 1;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t given = index_at(ctx.in[1], index_type, row * length + i);
      y[i] = x[checked_index("GatherElements", given, axis, size) * step + i * along];
    }
  }
};

Prepared prepare_gather_elements(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  if (shape.rank() == 0) return refuse("no axis");
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  switch (size_of(ctx.inputs[0].dtype)) {
    case 1: return std::make_unique<GatherElementsKernel<uint8_t>>(ctx, axis);
    case 2: return std::make_unique<GatherElementsKernel<uint16_t>>(ctx, axis);
    case 4: return std::make_unique<GatherElementsKernel<uint32_t>>(ctx, axis);
    case 8: return std::make_unique<GatherElementsKernel<uint64_t>>(ctx, axis);
    default: return refuse("no elements of 16 bytes");
  }
}

struct GatherNdKernel final : Kernel {
  size_t batch_dims, depth;
  int64_t batches = 1, places = 1, slice_bytes, batch_bytes;
  Shape data, byte_strides;

  explicit GatherNdKernel(const PrepareContext& ctx)
      : batch_dims(static_cast<size_t>(ctx.i("batch_dims"))),
        depth(static_cast<size_t>(ctx.inputs[1].shape.back())),
        data(ctx.inputs[0].shape),
        byte_strides(data.row_major_strides()) {
    const Shape& indices = ctx.inputs[1].shape;
    const auto size = static_cast<int64_t>(size_of(ctx.inputs[0].dtype));
    for (int64_t& stride : byte_strides) stride *= size;
    slice_bytes = batch_bytes = size;
    for (size_t a = 0; a < batch_dims; ++a) batches *= data[a];
    for (size_t a = batch_dims; a + 1 < indices.rank(); ++a) places *= indices[a];
    for (size_t a = batch_dims; a < data.rank(); ++a) batch_bytes *= data[a];
    for (size_t a = batch_dims + depth; a < data.rank(); ++a) slice_bytes *= data[a];
  }

  void run(const RunContext& ctx) const override {
    const int64_t grain = std::max<int64_t>(1, kGrainBytes / (slice_bytes + 16));
    parallel_for(0, batches * places, grain, [&](int64_t begin, int64_t end) {
      const auto* x = ctx.input<std::byte>(0);
      auto* y = ctx.output<std::byte>(0);
      const int64_t* indices = ctx.input<int64_t>(1);
      for (int64_t i = begin; i < end; ++i) {
        int64_t from = i / places * batch_bytes;
        for (size_t d = 0; d < depth; ++d) {
          const size_t axis = batch_dims + d;
          const int64_t given = indices[i * static_cast<int64_t>(depth) + static_cast<int64_t>(d)];
          from += checked_index("GatherND", given, axis, data[axis]) * byte_strides[axis];
        }
        std::memcpy(y + i * slice_bytes, x + from, static_cast<size_t>(slice_bytes));
      }
    });
  }
};

Prepared prepare_gather_nd(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  if (ctx.outputs[0].numel() == 0) return refuse("nothing to move");
  return std::make_unique<GatherNdKernel>(ctx);
}

}  // namespace

constinit const KernelList gather_places{
    {&op::GatherElements, "cpu.gather_elements", prepare_gather_elements},
    {&op::GatherND, "cpu.gather_nd", prepare_gather_nd},
};

}  // namespace tenon::cpu
