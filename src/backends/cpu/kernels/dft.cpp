// DFT and STFT. Lines are transformed several at a time, so that every loop runs over lines, in
// double precision whatever the type.
#include <algorithm>
#include <optional>
#include <vector>

#include "backends/cpu/fft.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/signal/catalog.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

// The transform of one line as a call asks for it.
class LineTransform {
 public:
  LineTransform(int64_t length, bool real_input, bool inverse, bool onesided)
      : length_(length), inverse_(inverse), onesided_(onesided) {
    if (inverse ? onesided : real_input)
      real_.emplace(length);
    else
      complex_.emplace(length);
    out_ = onesided && !inverse ? length / 2 + 1 : length;
  }

  int64_t length() const { return length_; }
  int64_t outputs() const { return out_; }
  bool gives_real() const { return inverse_ && onesided_; }
  // Elements of a line that are looked at.
  int64_t inputs() const { return gives_real() ? length_ / 2 + 1 : length_; }

  // Lines at a time: eight fill the widest vectors, fewer where they would not fit into the cache.
  int64_t lanes() const { return std::clamp<int64_t>(32768 / length_, 1, 8); }
  size_t plane() const { return static_cast<size_t>((length_ + 1) * lanes()); }
  size_t scratch() const { return (real_ ? real_->scratch(lanes()) : complex_->scratch(lanes())); }

  // re and im, of plane() doubles each: inputs() elements of lanes() lines in, outputs() out.
  void run(double* re, double* im, double* scratch) const {
    const int64_t lanes = this->lanes();
    if (gives_real()) {
      real_->inverse(re, im, lanes, scratch);
    } else if (real_) {
      real_->forward(re, im, lanes, scratch);
      for (int64_t k = real_->bins(); k < out_; ++k)
        for (int64_t l = 0; l < lanes; ++l) {
          re[k * lanes + l] = re[(length_ - k) * lanes + l];
          im[k * lanes + l] = -im[(length_ - k) * lanes + l];
        }
    } else {
      complex_->run(inverse_ ? im : re, inverse_ ? re : im, lanes, scratch);
    }
    if (!inverse_) return;
    const double scale = 1 / static_cast<double>(length_);
    for (int64_t i = 0; i < out_ * lanes; ++i) re[i] *= scale, im[i] *= scale;
  }

  // Lines worth a thread of their own.
  int64_t grain() const { return std::max<int64_t>(1, 16384 / (length_ * lanes())); }

 private:
  int64_t length_, out_ = 0;
  bool inverse_, onesided_;
  std::optional<RealFft> real_;
  std::optional<Fft> complex_;
};

// A thread's planes of doubles.
struct Planes {
  std::vector<double> memory;
  double *re, *im, *scratch;

  explicit Planes(const LineTransform& transform)
      : memory(2 * transform.plane() + transform.scratch()),
        re(memory.data()),
        im(re + transform.plane()),
        scratch(im + transform.plane()) {}
};

template <class T>
struct DftKernel final : Kernel {
  LineTransform transform;
  int64_t given, outer = 1, inner = 1, in_parts, out_parts;

  DftKernel(const PrepareContext& ctx, size_t axis, int64_t length)
      : transform(length, ctx.inputs[0].shape.back() == 1, ctx.i("inverse") != 0,
                  ctx.i("onesided") != 0),
        given(ctx.inputs[0].shape[axis]),
        in_parts(ctx.inputs[0].shape.back()),
        out_parts(ctx.outputs[0].shape.back()) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a + 1 < shape.rank(); ++a) inner *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    const int64_t lines = outer * inner, lanes = transform.lanes();
    const int64_t blocks = (lines + lanes - 1) / lanes;
    parallel_for(0, blocks, transform.grain(), [&](int64_t begin, int64_t end) {
      Planes planes(transform);
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * lanes, count = std::min(lanes, lines - first);
        load(ctx.input<T>(0), first, count, planes);
        transform.run(planes.re, planes.im, planes.scratch);
        store(ctx.output<T>(0), first, count, planes);
      }
    });
  }

  // The first element of a line whose lines have `size` elements.
  int64_t start(int64_t line, int64_t size) const {
    return line / inner * size * inner + line % inner;
  }

  void load(const T* x, int64_t first, int64_t count, const Planes& planes) const {
    const int64_t lanes = transform.lanes(), read = std::min(given, transform.inputs());
    std::fill_n(planes.re, transform.plane(), 0.0);
    std::fill_n(planes.im, transform.plane(), 0.0);
    for (int64_t l = 0; l < count; ++l) {
      const T* from = x + start(first + l, given) * in_parts;
      for (int64_t n = 0; n < read; ++n, from += inner * in_parts) {
        planes.re[n * lanes + l] = convert<double>(from[0]);
        if (in_parts == 2) planes.im[n * lanes + l] = convert<double>(from[1]);
      }
    }
  }

  void store(T* y, int64_t first, int64_t count, const Planes& planes) const {
    const int64_t lanes = transform.lanes(), made = transform.outputs();
    for (int64_t l = 0; l < count; ++l) {
      T* to = y + start(first + l, made) * out_parts;
      for (int64_t k = 0; k < made; ++k, to += inner * out_parts) {
        to[0] = convert<T>(planes.re[k * lanes + l]);
        if (out_parts == 2) to[1] = convert<T>(planes.im[k * lanes + l]);
      }
    }
  }
};

template <class T>
struct StftKernel final : Kernel {
  LineTransform transform;
  int64_t batch, length, frames, step, parts;
  bool has_window;

  StftKernel(const PrepareContext& ctx, int64_t frame, int64_t frame_step, int64_t in_parts)
      : transform(frame, in_parts == 1, false, ctx.i("onesided") != 0),
        batch(ctx.inputs[0].shape[0]),
        length(ctx.inputs[0].shape[1]),
        frames(ctx.outputs[0].shape[1]),
        step(frame_step),
        parts(in_parts),
        has_window(ctx.has_input(2)) {}

  void run(const RunContext& ctx) const override {
    const int64_t lines = batch * frames, lanes = transform.lanes();
    const int64_t blocks = (lines + lanes - 1) / lanes;
    parallel_for(0, blocks, transform.grain(), [&](int64_t begin, int64_t end) {
      Planes planes(transform);
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * lanes, count = std::min(lanes, lines - first);
        for (int64_t l = 0; l < lanes; ++l) {
          // Lanes past the last frame compute it again.
          const int64_t line = first + std::min(l, count - 1);
          load(ctx, line, l, planes);
        }
        transform.run(planes.re, planes.im, planes.scratch);
        for (int64_t l = 0; l < count; ++l) store(ctx.output<T>(0), first + l, l, planes);
      }
    });
  }

  void load(const RunContext& ctx, int64_t line, int64_t l, const Planes& planes) const {
    const int64_t lanes = transform.lanes();
    const T* x = ctx.input<T>(0) + (line / frames * length + line % frames * step) * parts;
    const T* window = has_window ? ctx.input<T>(2) : nullptr;
    for (int64_t n = 0; n < transform.length(); ++n) {
      for (int64_t part = 0; part < parts; ++part) {
        double value = convert<double>(x[n * parts + part]);
        // Rounded to the type, as a multiplication of tensors is.
        if (window) value = convert<double>(convert<T>(value * convert<double>(window[n])));
        (part ? planes.im : planes.re)[n * lanes + l] = value;
      }
    }
  }

  void store(T* y, int64_t line, int64_t l, const Planes& planes) const {
    const int64_t lanes = transform.lanes(), bins = transform.outputs();
    T* to = y + line * bins * 2;
    for (int64_t k = 0; k < bins; ++k) {
      to[2 * k] = convert<T>(planes.re[k * lanes + l]);
      to[2 * k + 1] = convert<T>(planes.im[k * lanes + l]);
    }
  }
};

template <template <class> class Made, class... Args>
Prepared by_type(const PrepareContext& ctx, Args... args) {
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<Made<float>>(ctx, args...);
    case DType::f64: return std::make_unique<Made<double>>(ctx, args...);
    case DType::f16: return std::make_unique<Made<f16>>(ctx, args...);
    default: return std::make_unique<Made<bf16>>(ctx, args...);
  }
}

Prepared prepare_dft(const PrepareContext& ctx) {
  const Shape &in = ctx.inputs[0].shape, &out = ctx.outputs[0].shape;
  const int64_t named = ctx.has_input(2) ? ctx.inputs[2].constant_ints().at(0) : -2;
  const auto axis = static_cast<size_t>(normalize_axis(named, in.rank(), ctx.op.name));
  int64_t length = out[axis];
  if (ctx.has_input(1))
    length = ctx.inputs[1].constant_ints().at(0);
  else if (ctx.i("onesided") != 0 && ctx.i("inverse") == 0)
    length = in[axis];
  return by_type<DftKernel>(ctx, axis, length);
}

Prepared prepare_stft(const PrepareContext& ctx) {
  const Shape& signal = ctx.inputs[0].shape;
  const int64_t frame = ctx.has_input(3)   ? ctx.inputs[3].constant_ints().at(0)
                        : ctx.has_input(2) ? ctx.inputs[2].numel()
                                           : signal[1];
  const int64_t parts = signal.rank() == 3 ? signal[2] : 1;
  return by_type<StftKernel>(ctx, frame, ctx.inputs[1].constant_ints().at(0), parts);
}

}  // namespace

constinit const KernelList dft{
    {&op::DFT, "cpu.dft", prepare_dft},
    {&op::STFT, "cpu.stft", prepare_stft},
};

}  // namespace tenon::cpu
