// MaxPool where oneDNN has none: with indices, of bytes and of the 16-bit floats. Rows of windows
// together, one element of the kernel after the other.
#include <algorithm>
#include <limits>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"

namespace tenon::cpu {

namespace {

// The windows of one row that an element of the kernel's last axis reads inside the image.
struct Span {
  int64_t begin, end, shift;  // window i reads element i * stride + shift of the row
};

struct MaxPoolGeometry {
  Windows windows;
  int64_t planes, pixels, rows, width, stride;  // rows of `width` windows in a plane
  std::vector<Span> spans;
  bool columns;  // indices count the last spatial axis first

  explicit MaxPoolGeometry(const PrepareContext& ctx)
      : windows(pool_rules::windows(ctx, ctx.inputs[0].shape)),
        planes(ctx.inputs[0].shape[0] * ctx.inputs[0].shape[1]),
        pixels(windows.input.numel()),
        width(windows.output.back()),
        stride(windows.strides.back()),
        columns(ctx.i("storage_order") != 0) {
    rows = windows.output.numel() / width;
    const size_t last = windows.rank() - 1;
    for (int64_t k = 0; k < windows.kernel[last]; ++k) {
      const int64_t shift = windows.start(last, 0) + k * windows.dilations[last];
      const auto windows_before = [&](int64_t element) {  // that start before it
        return std::clamp<int64_t>((element - shift + stride - 1) / stride, 0, width);
      };
      spans.push_back({shift >= 0 ? 0 : windows_before(0),
                       windows.input[last] > shift ? windows_before(windows.input[last]) : 0,
                       shift});
    }
  }

  // The first elements of the image's rows that row `row` of windows reads, in the kernel's order.
  void rows_read(int64_t row, std::vector<int64_t>& starts) const {
    const size_t last = windows.rank() - 1;
    const Shape strides = windows.input.row_major_strides();
    const int64_t count = windows.kernel.numel() / windows.kernel[last];
    starts.clear();
    for (int64_t k = 0; k < count; ++k) {
      int64_t in_kernel = k, in_rows = row, start = 0;
      bool inside = true;
      for (size_t axis = last; axis-- > 0;) {
        const int64_t at = windows.start(axis, in_rows % windows.output[axis]) +
                           in_kernel % windows.kernel[axis] * windows.dilations[axis];
        inside = inside && at >= 0 && at < windows.input[axis];
        start += at * strides[axis];
        in_kernel /= windows.kernel[axis];
        in_rows /= windows.output[axis];
      }
      if (inside) starts.push_back(start);
    }
  }

  int64_t column_major(int64_t pixel) const {
    int64_t place = 0, step = pixels;
    for (size_t axis = windows.rank(); axis-- > 0;) {
      step /= windows.input[axis];
      place += pixel % windows.input[axis] * step;
      pixel /= windows.input[axis];
    }
    return place;
  }
};

template <class T>
float comparable(T value) {
  return static_cast<float>(value);
}

// Whether a candidate replaces what is best so far: the first maximum stays, and a NaN wins.
template <class T>
bool beats(T candidate, T best) {
  if constexpr (std::is_integral_v<T>) {
    return candidate > best;
  } else {
    const float a = comparable(candidate), b = comparable(best);
    return a > b || (a != a && b == b);
  }
}

template <class T>
T lowest() {
  if constexpr (std::is_integral_v<T>)
    return std::numeric_limits<T>::lowest();
  else
    return T(-std::numeric_limits<float>::infinity());
}

template <class T, bool kIndices>
struct MaxPoolKernel final : Kernel {
  MaxPoolGeometry g;

  explicit MaxPoolKernel(const PrepareContext& ctx) : g(ctx) {}

  void run(const RunContext& ctx) const override {
    const int64_t work = g.width * g.windows.kernel.numel() + 1;
    parallel_for(0, g.planes * g.rows, std::max<int64_t>(1, 16384 / work),
                 [&](int64_t begin, int64_t end) {
                   std::vector<int64_t> starts;
                   for (int64_t at = begin; at < end; ++at) {
                     g.rows_read(at % g.rows, starts);
                     run_row(ctx, at, starts);
                   }
                 });
  }

  void run_row(const RunContext& ctx, int64_t at, const std::vector<int64_t>& starts) const {
    const int64_t plane = at / g.rows * g.pixels;
    T* y = ctx.output<T>(0) + at * g.width;
    int64_t* place = kIndices ? ctx.output<int64_t>(1) + at * g.width : nullptr;
    std::fill_n(y, g.width, lowest<T>());
    if constexpr (kIndices) std::fill_n(place, g.width, int64_t{-1});
    for (const int64_t start : starts)
      for (const Span& span : g.spans) {
        const T* x = ctx.input<T>(0) + plane + start + span.shift;
        if (g.stride == 1)
          take(x, 1, span, start, y, place);
        else
          take(x, g.stride, span, start, y, place);
      }
    if constexpr (kIndices)
      for (int64_t i = 0; i < g.width; ++i) {
        const int64_t pixel = std::max<int64_t>(place[i], 0);
        place[i] = plane + (g.columns ? g.column_major(pixel) : pixel);
      }
  }

  void take(const T* x, int64_t stride, const Span& span, int64_t start, T* y,
            int64_t* place) const {
    for (int64_t i = span.begin; i < span.end; ++i) {
      const T value = x[i * stride];
      if constexpr (kIndices) {
        if (place[i] >= 0 && !beats(value, y[i])) continue;
        y[i] = value;
        place[i] = start + span.shift + i * stride;
      } else {
        y[i] = beats(value, y[i]) ? value : y[i];
      }
    }
  }
};

template <class T>
Prepared make(const PrepareContext& ctx) {
  if (ctx.wants_output(1)) return std::make_unique<MaxPoolKernel<T, true>>(ctx);
  return std::make_unique<MaxPoolKernel<T, false>>(ctx);
}

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.outputs[0].numel() == 0) return refuse("nothing to compute");
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return make<float>(ctx);
    case DType::f16: return make<f16>(ctx);
    case DType::bf16: return make<bf16>(ctx);
    case DType::u8: return make<uint8_t>(ctx);
    case DType::i8: return make<int8_t>(ctx);
    default: return refuse(fmt::format("no kernel for {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList pool{{&op::MaxPool, "cpu.max_pool", prepare}};

}  // namespace tenon::cpu
