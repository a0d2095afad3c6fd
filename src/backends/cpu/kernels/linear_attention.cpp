// LinearAttention in f32, one head of one sequence after the other: the memory S [keys, values] of
// a head stays in the first caches while its steps go by. f16 and bf16 are computed in f32.
#include "ops/nn/linear_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/linear_attention.cpp"
#include "backends/cpu/row_loops_inl.h"

#ifndef TENON_CPU_LINEAR_ATTENTION_TYPES
#define TENON_CPU_LINEAR_ATTENTION_TYPES
namespace tenon::cpu {
namespace {

struct MemoryLoops {
  // out[j] = sum over i of a[i] * m[i, j]; m [rows, columns] is scaled by scale[i] first, and
  // written back, where `scale` is given.
  void (*read)(float* m, const float* scale, const float* a, float* out, size_t rows,
               size_t columns) = nullptr;
  // m[i, j] += a[i] * b[j]; m is scaled by scale[i] first where that is given.
  void (*write)(float* m, const float* scale, const float* a, const float* b, size_t rows,
                size_t columns) = nullptr;
};

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

template <bool kScale>
HWY_INLINE void read_rows(float* m, const float* scale, const float* a, float* out, size_t rows,
                          size_t columns) {
  const D d;
  for (size_t j = 0; j < columns; j += hn::Lanes(d)) {
    const size_t n = columns - j;
    V sum0 = hn::Zero(d), sum1 = sum0;
    for (size_t i = 0; i < rows; ++i) {
      V v = load_some(m + i * columns + j, n);
      if constexpr (kScale) {
        v = hn::Mul(v, hn::Set(d, scale[i]));
        store_some(v, m + i * columns + j, n);
      }
      if (i % 2 == 0)
        sum0 = hn::MulAdd(hn::Set(d, a[i]), v, sum0);
      else
        sum1 = hn::MulAdd(hn::Set(d, a[i]), v, sum1);
    }
    store_some(hn::Add(sum0, sum1), out + j, n);
  }
}

void read(float* m, const float* scale, const float* a, float* out, size_t rows, size_t columns) {
  if (scale)
    read_rows<true>(m, scale, a, out, rows, columns);
  else
    read_rows<false>(m, nullptr, a, out, rows, columns);
}

void write(float* m, const float* scale, const float* a, const float* b, size_t rows,
           size_t columns) {
  const D d;
  for (size_t i = 0; i < rows; ++i) {
    const V ai = hn::Set(d, a[i]), by = hn::Set(d, scale ? scale[i] : 1.0F);
    float* row = m + i * columns;
    for (size_t j = 0; j < columns; j += hn::Lanes(d)) {
      const size_t n = columns - j;
      const V old = hn::Mul(by, load_some(row + j, n));
      store_some(hn::MulAdd(ai, load_some(b + j, n), old), row + j, n);
    }
  }
}

MemoryLoops find_memory_loops() { return {read, write}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_memory_loops);

class LinearAttentionKernel final : public Kernel {
 public:
  explicit LinearAttentionKernel(const PrepareContext& ctx)
      : loops_(HWY_DYNAMIC_DISPATCH(find_memory_loops)()), type_(ctx.inputs[0].dtype) {
    const auto shape_of = [&](size_t i) {
      return ctx.has_input(i) ? &ctx.inputs[i].shape : nullptr;
    };
    sizes_ = linear_attention::sizes_of(ctx, ctx.inputs[0].shape, ctx.inputs[2].shape,
                                        shape_of(linear_attention::kDecay),
                                        shape_of(linear_attention::kBeta));
    for (size_t i = 0; i < ctx.inputs.size(); ++i)
      if (ctx.has_input(i)) {
        counts_[i] = ctx.inputs[i].numel();
        types_[i] = ctx.inputs[i].dtype;
      }
    if (ctx.wants_output(1)) state_type_ = ctx.outputs[1].dtype;
  }

  void run(const RunContext& ctx) const override {
    const linear_attention::Sizes& s = sizes_;
    std::vector<float> copies[7];
    const float* in[7] = {};
    for (size_t i = 0; i < 7; ++i) {
      if (counts_[i] == 0) continue;
      in[i] = static_cast<const float*>(ctx.in[i]);
      if (const ConvertFn widen = half_conversion(types_[i], DType::f32)) {
        copies[i].resize(static_cast<size_t>(counts_[i]));
        widen(ctx.in[i], copies[i].data(), copies[i].size());
        in[i] = copies[i].data();
      }
    }
    const ConvertFn narrow = half_conversion(DType::f32, type_);
    const ConvertFn narrow_state =
        state_type_ == DType::undefined ? nullptr : half_conversion(DType::f32, state_type_);
    std::vector<float> result(narrow ? static_cast<size_t>(output_count()) : 0);
    float* y = narrow ? result.data() : ctx.output<float>(0);
    const bool own_state = narrow_state || state_type_ == DType::undefined;
    std::vector<float> memory(own_state ? static_cast<size_t>(s.batch * s.heads * area()) : 0);
    float* state = own_state ? memory.data() : ctx.output<float>(1);
    if (in[linear_attention::kPastState])
      std::copy_n(in[linear_attention::kPastState], s.batch * s.heads * area(), state);
    else
      std::fill_n(state, s.batch * s.heads * area(), 0.0F);
    const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 16) / (s.steps * area() + 1));
    parallel_for(0, s.batch * s.heads, grain, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; ++head)
        walk(in, head / s.heads, head % s.heads, state + head * area(), y);
    });
    if (narrow) narrow(result.data(), ctx.out[0], result.size());
    if (narrow_state) narrow_state(memory.data(), ctx.out[1], memory.size());
  }

 private:
  int64_t area() const { return sizes_.keys * sizes_.values; }
  int64_t output_count() const {
    return sizes_.batch * sizes_.steps * sizes_.heads * sizes_.shares * sizes_.values;
  }

  void walk(const float* const* in, int64_t n, int64_t head, float* memory, float* y) const {
    const linear_attention::Sizes& s = sizes_;
    const auto keys = static_cast<size_t>(s.keys), values = static_cast<size_t>(s.values);
    std::vector<float> scale(keys), erase(keys), fresh(values), query(keys);
    const float *decay = in[linear_attention::kDecay], *beta = in[linear_attention::kBeta],
                *gate = in[linear_attention::kEraseGate];
    for (int64_t t = 0; t < s.steps; ++t) {
      const int64_t row = (n * s.steps + t) * s.heads + head;
      const float* k = in[linear_attention::kKey] + row * s.keys;
      const float* v = in[linear_attention::kValue] + row * s.values;
      const float* by = nullptr;
      if (decay) {
        for (size_t i = 0; i < keys; ++i)
          scale[i] = i > 0 && s.decay_width == 1
                         ? scale[0]
                         : std::exp(decay[row * s.decay_width + static_cast<int64_t>(i)]);
        by = scale.data();
      }
      if (beta) {
        const float* looked = k;
        if (gate) {
          for (size_t i = 0; i < keys; ++i)
            erase[i] = k[i] * gate[row * s.keys + static_cast<int64_t>(i)];
          looked = erase.data();
        }
        loops_.read(memory, by, looked, fresh.data(), keys, values);
        const float b = beta[s.beta_heads == 1 ? n * s.steps + t : row];
        for (size_t j = 0; j < values; ++j) fresh[j] = b * (v[j] - fresh[j]);
        loops_.write(memory, nullptr, k, fresh.data(), keys, values);
      } else {
        loops_.write(memory, by, k, v, keys, values);
      }
      for (int64_t g = 0; g < s.shares; ++g) {
        const int64_t at = row * s.shares + g;
        const float* q = in[linear_attention::kQuery] + at * s.keys;
        for (size_t i = 0; i < keys; ++i) query[i] = q[i] * static_cast<float>(s.scale);
        loops_.read(memory, nullptr, query.data(), y + at * s.values, keys, values);
      }
    }
  }

  MemoryLoops loops_;
  linear_attention::Sizes sizes_;
  DType type_, state_type_ = DType::undefined;
  int64_t counts_[7] = {};
  DType types_[7] = {};
};

Prepared prepare_linear_attention(const PrepareContext& ctx) {
  for (const TensorSpec& spec : ctx.inputs)
    if (spec.present() && spec.dtype == DType::f64) return refuse("only f16, bf16, f32");
  for (const size_t i : {0, 1, 2})
    if (ctx.inputs[i].numel() == 0) return refuse("nothing to compute");
  return std::make_unique<LinearAttentionKernel>(ctx);
}

}  // namespace

constinit const KernelList linear_attention{
    {&op::LinearAttention, "cpu.linear_attention", prepare_linear_attention},
};

}  // namespace tenon::cpu
#endif
