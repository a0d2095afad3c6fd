// ScatterElements and ScatterND. The result is that of one thread going through the indices in
// row-major order: threads share out lines, or the elements of slices, that no other touches.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"
#include "ops/shape/indexing.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 16384;  // elements worth a thread

// How an update meets what is there. Integers wrap; NaN wins.
struct Replace {
  template <class T>
  static T of(T, T update) {
    return update;
  }
};
struct Sum {
  template <class T>
  static T of(T there, T update) {
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<U>(there) + static_cast<U>(update));
    } else {
      return there + update;
    }
  }
};
struct Product {
  template <class T>
  static T of(T there, T update) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(there) * static_cast<uint64_t>(update));
    else
      return there * update;
  }
};
struct Greater {
  template <class T>
  static T of(T there, T update) {
    return there != there || there > update ? there : update;
  }
};
struct Lesser {
  template <class T>
  static T of(T there, T update) {
    return there != there || there < update ? there : update;
  }
};

void copy_data(const RunContext& ctx, int64_t bytes) {
  if (ctx.in[0] == ctx.out[0]) return;
  parallel_for(0, bytes, 1 << 18, [&](int64_t begin, int64_t end) {
    std::memcpy(ctx.output<std::byte>(0) + begin, ctx.input<std::byte>(0) + begin,
                static_cast<size_t>(end - begin));
  });
}

// What does not depend on the types of the elements or on how they combine, compiled once.
struct ScatterElementsShapes : Kernel {
  DType index_type;
  size_t axis;
  Shape data, index, strides, index_strides;

  explicit ScatterElementsShapes(const PrepareContext& ctx)
      : index_type(ctx.inputs[1].dtype),
        axis(static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.inputs[0].rank(), ctx.op.name))),
        data(ctx.inputs[0].shape),
        index(ctx.inputs[1].shape),
        strides(data.row_major_strides()),
        index_strides(index.row_major_strides()) {}

  // A unit is what has the same place on all axes but the scattered one and the last: nobody else
  // writes where it does. The first of its elements in y and in the updates.
  struct Start {
    int64_t to = 0, from = 0;
  };
  Start start_of(int64_t unit) const {
    Start start;
    for (size_t a = index.rank(); a-- > 0;) {
      if (a == axis || a == index.rank() - 1) continue;
      start.to += unit % index[a] * strides[a];
      start.from += unit % index[a] * index_strides[a];
      unit /= index[a];
    }
    return start;
  }
};

template <class T, class Combine>
struct ScatterElementsKernel final : ScatterElementsShapes {
  using ScatterElementsShapes::ScatterElementsShapes;

  void run(const RunContext& ctx) const override {
    copy_data(ctx, data.numel() * static_cast<int64_t>(sizeof(T)));
    if (index.numel() == 0) return;
    const size_t last = index.rank() - 1;
    const int64_t each = index[axis] * (axis == last ? 1 : index[last]);
    parallel_for(0, index.numel() / each, std::max<int64_t>(1, kGrain / each),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t unit = begin; unit < end; ++unit) run_unit(ctx, unit);
                 });
  }

  void run_unit(const RunContext& ctx, int64_t unit) const {
    const size_t last = index.rank() - 1;
    const auto [to, from] = start_of(unit);
    const T* updates = ctx.input<T>(2);
    T* y = ctx.output<T>(0) + to;
    const int64_t run = axis == last ? 1 : index[last];
    for (int64_t p = 0; p < index[axis]; ++p) {
      for (int64_t i = 0; i < run; ++i) {
        const int64_t at = from + p * index_strides[axis] + i;
        const int64_t given =
            index_type == DType::i32 ? ctx.input<int32_t>(1)[at] : ctx.input<int64_t>(1)[at];
        T& there = y[checked_index("ScatterElements", given, axis, data[axis]) * strides[axis] + i];
        there = Combine::of(there, updates[at]);
      }
    }
  }
};

struct ScatterNdShapes : Kernel {
  size_t depth;
  int64_t places = 1, slice = 1;
  Shape data, strides;

  explicit ScatterNdShapes(const PrepareContext& ctx)
      : depth(static_cast<size_t>(ctx.inputs[1].shape.back())),
        data(ctx.inputs[0].shape),
        strides(data.row_major_strides()) {
    for (size_t a = 0; a + 1 < ctx.inputs[1].rank(); ++a) places *= ctx.inputs[1].shape[a];
    for (size_t a = depth; a < data.rank(); ++a) slice *= data[a];
  }

  int64_t place(const int64_t* index) const {
    int64_t to = 0;
    for (size_t axis = 0; axis < depth; ++axis)
      to += checked_index("ScatterND", index[axis], axis, data[axis]) * strides[axis];
    return to;
  }
};

template <class T, class Combine>
struct ScatterNdKernel final : ScatterNdShapes {
  using ScatterNdShapes::ScatterNdShapes;

  void run(const RunContext& ctx) const override {
    copy_data(ctx, data.numel() * static_cast<int64_t>(sizeof(T)));
    if (places == 0 || slice == 0) return;
    parallel_for(0, slice, std::max<int64_t>(16, kGrain / places), [&](int64_t begin, int64_t end) {
      const int64_t* indices = ctx.input<int64_t>(1);
      for (int64_t i = 0; i < places; ++i) {
        T* y = ctx.output<T>(0) + place(indices + i * static_cast<int64_t>(depth));
        const T* update = ctx.input<T>(2) + i * slice;
        for (int64_t k = begin; k < end; ++k) y[k] = Combine::of(y[k], update[k]);
      }
    });
  }
};

template <template <class, class> class Made, class Combine>
Prepared by_type(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<Made<float, Combine>>(ctx);
    case DType::f64: return std::make_unique<Made<double, Combine>>(ctx);
    case DType::i32: return std::make_unique<Made<int32_t, Combine>>(ctx);
    case DType::i64: return std::make_unique<Made<int64_t, Combine>>(ctx);
    case DType::u8: return std::make_unique<Made<uint8_t, Combine>>(ctx);
    default:
      return refuse(fmt::format("reduction {} only of f32, f64, i32, i64, u8; data is {}",
                                ctx.s("reduction"), name(ctx.inputs[0].dtype)));
  }
}

template <template <class, class> class Made>
Prepared by_size(const PrepareContext& ctx) {
  switch (size_of(ctx.inputs[0].dtype)) {
    case 1: return std::make_unique<Made<uint8_t, Replace>>(ctx);
    case 2: return std::make_unique<Made<uint16_t, Replace>>(ctx);
    case 4: return std::make_unique<Made<uint32_t, Replace>>(ctx);
    case 8: return std::make_unique<Made<uint64_t, Replace>>(ctx);
    default: return refuse("no elements of 16 bytes");
  }
}

template <template <class, class> class Made>
Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  if (ctx.inputs[0].rank() == 0) return refuse("no axis");
  const std::string_view reduction = ctx.s("reduction");
  if (reduction == "none") return by_size<Made>(ctx);
  if (reduction == "add") return by_type<Made, Sum>(ctx);
  if (reduction == "mul") return by_type<Made, Product>(ctx);
  if (reduction == "max") return by_type<Made, Greater>(ctx);
  return by_type<Made, Lesser>(ctx);
}

}  // namespace

constinit const KernelList scatter{
    {&op::ScatterElements, "cpu.scatter_elements", prepare<ScatterElementsKernel>},
    {&op::ScatterND, "cpu.scatter_nd", prepare<ScatterNdKernel>},
};

}  // namespace tenon::cpu
