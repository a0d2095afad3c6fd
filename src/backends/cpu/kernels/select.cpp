// NonZero and Compress: what is kept only the data decides; counted first, then written.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kChunk = 16384;  // elements that one thread counts and writes

template <class T>
struct NonZeroKernel final : Kernel {
  Shape shape;

  explicit NonZeroKernel(const PrepareContext& ctx) : shape(ctx.inputs[0].shape) {}

  void run(const RunContext& ctx) const override {
    const T* x = ctx.input<T>(0);
    const int64_t count = shape.numel(), chunks = (count + kChunk - 1) / kChunk;
    std::vector<int64_t> before(static_cast<size_t>(chunks) + 1, 0);
    parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        int64_t found = 0;
        for (int64_t i = chunk * kChunk; i < std::min(count, (chunk + 1) * kChunk); ++i)
          found += x[i] != T{0};
        before[static_cast<size_t>(chunk) + 1] = found;
      }
    });
    for (size_t chunk = 1; chunk < before.size(); ++chunk) before[chunk] += before[chunk - 1];
    const auto rank = static_cast<int64_t>(shape.rank());
    Tensor out = Tensor::empty({rank, before.back()}, DType::i64);
    auto* y = out.data<int64_t>();
    parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk)
        write(x, chunk * kChunk, std::min(count, (chunk + 1) * kChunk),
              y + before[static_cast<size_t>(chunk)], before.back());
    });
    ctx.outputs[0] = std::move(out);
  }

  // Column by column: the places of what is found from element `begin` on.
  void write(const T* x, int64_t begin, int64_t end, int64_t* y, int64_t columns) const {
    for (int64_t i = begin; i < end; ++i) {
      if (x[i] == T{0}) continue;
      int64_t rest = i;
      for (size_t axis = shape.rank(); axis-- > 0;) {
        y[static_cast<int64_t>(axis) * columns] = rest % shape[axis];
        rest /= shape[axis];
      }
      ++y;
    }
  }
};

Prepared prepare_non_zero(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<NonZeroKernel<float>>(ctx);
    case DType::f64: return std::make_unique<NonZeroKernel<double>>(ctx);
    case DType::boolean:
    case DType::u8:
    case DType::i8: return std::make_unique<NonZeroKernel<uint8_t>>(ctx);
    case DType::i32:
    case DType::u32: return std::make_unique<NonZeroKernel<int32_t>>(ctx);
    case DType::i64:
    case DType::u64: return std::make_unique<NonZeroKernel<int64_t>>(ctx);
    default: return refuse(fmt::format("no loop for {}", name(ctx.inputs[0].dtype)));
  }
}

// Data seen as [outer, size, run] around the axis.
struct CompressKernel final : Kernel {
  DType type;
  Shape shape;
  size_t axis = 0;
  int64_t length, outer = 1, run_bytes;

  explicit CompressKernel(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype),
        shape{ctx.inputs[0].numel()},
        length(ctx.inputs[1].numel()),
        run_bytes(static_cast<int64_t>(size_of(type))) {
    if (ctx.has("axis")) {
      shape = ctx.inputs[0].shape;
      axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
    }
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) run_bytes *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    std::vector<int64_t> kept;
    for (int64_t i = 0; i < length; ++i)
      if (ctx.input<uint8_t>(1)[i]) kept.push_back(i);
    const auto count = static_cast<int64_t>(kept.size());
    Shape out_shape = shape;
    out_shape[axis] = count;
    Tensor out = Tensor::empty(out_shape, type);
    const auto* x = ctx.input<std::byte>(0);
    auto* y = static_cast<std::byte*>(out.raw());
    const int64_t moves = run_bytes == 0 ? 0 : outer * count;
    parallel_for(
        0, moves, std::max<int64_t>(1, 65536 / (run_bytes + 16)), [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            std::memcpy(
                y + i * run_bytes,
                x + (i / count * shape[axis] + kept[static_cast<size_t>(i % count)]) * run_bytes,
                static_cast<size_t>(run_bytes));
        });
    ctx.outputs[0] = std::move(out);
  }
};

Prepared prepare_compress(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  return std::make_unique<CompressKernel>(ctx);
}

}  // namespace

constinit const KernelList select{
    {&op::NonZero, "cpu.non_zero", prepare_non_zero},
    {&op::Compress, "cpu.compress", prepare_compress},
};

}  // namespace tenon::cpu
