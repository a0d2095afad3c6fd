// RotaryEmbedding for f32: heads of [batch, heads, length, size] and [batch, length, heads * size]
// alike, a position's heads one after the other.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"
#include "ops/shape/indexing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/rotary_embedding.cpp"
#include "backends/cpu/row_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

// Pairs (x[i], x[i + half]).
void turn_halves(const float* x, const float* cos, const float* sin, float* y, size_t half) {
  const size_t lanes = hn::Lanes(D());
  for (size_t i = 0; i < half; i += lanes) {
    const size_t rest = half - i;
    const V a = load_some(x + i, rest), b = load_some(x + half + i, rest);
    const V c = load_some(cos + i, rest), s = load_some(sin + i, rest);
    store_some(hn::Sub(hn::Mul(c, a), hn::Mul(s, b)), y + i, rest);
    store_some(hn::Add(hn::Mul(s, a), hn::Mul(c, b)), y + half + i, rest);
  }
}

// Pairs (x[2i], x[2i + 1]).
void turn_neighbours(const float* x, const float* cos, const float* sin, float* y, size_t half) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    V a, b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    const V c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
    hn::StoreInterleaved2(hn::Sub(hn::Mul(c, a), hn::Mul(s, b)),
                          hn::Add(hn::Mul(s, a), hn::Mul(c, b)), d, y + 2 * i);
  }
  for (; i < half; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    y[2 * i] = cos[i] * a - sin[i] * b;
    y[2 * i + 1] = sin[i] * a + cos[i] * b;
  }
}

using TurnFn = void (*)(const float*, const float*, const float*, float*, size_t);
TurnFn find_turn(bool interleaved) { return interleaved ? turn_neighbours : turn_halves; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_turn);

struct Rotary final : Kernel {
  void (*turn)(const float*, const float*, const float*, float*, size_t) = nullptr;
  int64_t batch, heads, length, size, half;
  int64_t head_stride, row_stride;  // of x and y, in elements
  int64_t positions;                // rows of the caches
  bool by_id;

  void run(const RunContext& ctx) const override {
    const auto* ids = ctx.input<int64_t>(3);
    const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, heads * size));
    parallel_for(0, batch * length, grain, [&](int64_t begin, int64_t end) {
      for (int64_t place = begin; place < end; ++place) {
        const int64_t angle =
            by_id ? checked_index("RotaryEmbedding", ids[place], 0, positions) : place;
        const float* cos = ctx.input<float>(1) + angle * half;
        const float* sin = ctx.input<float>(2) + angle * half;
        const int64_t first = place / length * heads * length * size + place % length * row_stride;
        for (int64_t head = 0; head < heads; ++head) {
          const float* x = ctx.input<float>(0) + first + head * head_stride;
          float* y = ctx.output<float>(0) + first + head * head_stride;
          turn(x, cos, sin, y, static_cast<size_t>(half));
          if (2 * half < size)
            std::memcpy(y + 2 * half, x + 2 * half,
                        static_cast<size_t>(size - 2 * half) * sizeof(float));
        }
      }
    });
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype != DType::f32) return refuse(fmt::format("only f32; X is {}", name(x.dtype)));
  auto kernel = std::make_unique<Rotary>();
  const bool flat = x.rank() == 3;
  kernel->turn = HWY_DYNAMIC_DISPATCH(find_turn)(ctx.i("interleaved") != 0);
  kernel->batch = x.shape[0];
  kernel->heads = flat ? ctx.i("num_heads") : x.shape[1];
  kernel->length = x.shape[flat ? 1 : 2];
  kernel->size = flat ? x.shape[2] / kernel->heads : x.shape[3];
  kernel->half = ctx.inputs[1].shape.back();
  kernel->head_stride = flat ? kernel->size : kernel->length * kernel->size;
  kernel->row_stride = flat ? kernel->heads * kernel->size : kernel->size;
  kernel->by_id = ctx.has_input(3);
  kernel->positions = ctx.inputs[1].shape[0];
  return kernel;
}

}  // namespace

constinit const KernelList rotary_embedding{
    {&op::RotaryEmbedding, "cpu.rotary_embedding", prepare},
};

}  // namespace tenon::cpu
#endif
