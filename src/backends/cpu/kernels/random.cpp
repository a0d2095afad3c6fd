// Random numbers: each thread draws blocks of its own.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/random/catalog.h"
#include "runtime/random_draws.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

using Pair = std::array<double, 2> (*)(Generator::State, uint64_t);

constexpr int64_t kGrain = 1024;  // blocks of two numbers worth a thread

// y = base + factor * number
template <class T, Pair pair>
struct FilledKernel final : Kernel {
  DrawSeed seed;
  int64_t count;
  double base, factor;

  FilledKernel(const PrepareContext& ctx, double b, double f)
      : seed(ctx), count(ctx.outputs[0].numel()), base(b), factor(f) {
    random_counters = draw_counters(count);
  }

  void run(const RunContext& ctx) const override {
    const Generator::State state = seed.state(ctx.random);
    T* y = ctx.output<T>(0);
    parallel_for(0, (count + 1) / 2, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto numbers = pair(state, static_cast<uint64_t>(block));
        y[2 * block] = convert<T>(base + factor * numbers[0]);
        if (2 * block + 1 < count) y[2 * block + 1] = convert<T>(base + factor * numbers[1]);
      }
    });
  }
};

template <Pair pair>
Prepared prepare_filled(const PrepareContext& ctx, double base, double factor) {
  switch (ctx.outputs[0].dtype) {
    case DType::f32: return std::make_unique<FilledKernel<float, pair>>(ctx, base, factor);
    case DType::f64: return std::make_unique<FilledKernel<double, pair>>(ctx, base, factor);
    case DType::f16: return std::make_unique<FilledKernel<f16, pair>>(ctx, base, factor);
    default: return std::make_unique<FilledKernel<bf16, pair>>(ctx, base, factor);
  }
}

Prepared prepare_normal(const PrepareContext& ctx) {
  return prepare_filled<normal_pair>(ctx, ctx.f("mean"), ctx.f("scale"));
}

Prepared prepare_uniform(const PrepareContext& ctx) {
  return prepare_filled<even_pair>(ctx, ctx.f("low"), ctx.f("high") - ctx.f("low"));
}

// One byte or element of T a draw, from probabilities in f32.
template <class T>
struct BernoulliKernel final : Kernel {
  DrawSeed seed;
  int64_t count;

  explicit BernoulliKernel(const PrepareContext& ctx) : seed(ctx), count(ctx.inputs[0].numel()) {
    random_counters = draw_counters(count);
  }

  void run(const RunContext& ctx) const override {
    const Generator::State state = seed.state(ctx.random);
    const float* p = ctx.input<float>(0);
    T* y = ctx.output<T>(0);
    parallel_for(0, (count + 1) / 2, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto numbers = even_pair(state, static_cast<uint64_t>(block));
        for (int64_t i = 2 * block; i < std::min(count, 2 * block + 2); ++i)
          y[i] =
              numbers[static_cast<size_t>(i % 2)] < checked_probability(double{p[i]}) ? T{1} : T{0};
      }
    });
  }
};

Prepared prepare_bernoulli(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32) return refuse("only probabilities in f32");
  switch (ctx.outputs[0].dtype) {
    case DType::f32: return std::make_unique<BernoulliKernel<float>>(ctx);
    case DType::i32: return std::make_unique<BernoulliKernel<int32_t>>(ctx);
    case DType::i64: return std::make_unique<BernoulliKernel<int64_t>>(ctx);
    case DType::u8:
    case DType::boolean: return std::make_unique<BernoulliKernel<uint8_t>>(ctx);
    default: return refuse(fmt::format("no draws of {}", name(ctx.outputs[0].dtype)));
  }
}

template <class T>
struct MultinomialKernel final : Kernel {
  DrawSeed seed;
  int64_t rows, classes, draws;

  explicit MultinomialKernel(const PrepareContext& ctx)
      : seed(ctx),
        rows(ctx.inputs[0].shape[0]),
        classes(ctx.inputs[0].shape[1]),
        draws(ctx.outputs[0].shape[1]) {
    random_counters = draw_counters(rows * draws);
  }

  void run(const RunContext& ctx) const override {
    const Generator::State state = seed.state(ctx.random);
    const int64_t grain = std::max<int64_t>(1, 4096 / (classes + 8 * draws));
    parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      std::vector<double> logits(static_cast<size_t>(classes)), sums(logits.size());
      for (int64_t row = begin; row < end; ++row) {
        const float* x = ctx.input<float>(0) + row * classes;
        std::copy_n(x, classes, logits.begin());
        add_up_classes(logits, row, sums);
        for (int64_t i = row * draws; i < (row + 1) * draws; ++i) {
          const auto numbers = even_pair(state, static_cast<uint64_t>(i) / 2);
          ctx.output<T>(0)[i] =
              static_cast<T>(drawn_class(sums, numbers[static_cast<size_t>(i % 2)]));
        }
      }
    });
  }
};

Prepared prepare_multinomial(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32) return refuse("only log-probabilities in f32");
  if (ctx.outputs[0].dtype == DType::i32) return std::make_unique<MultinomialKernel<int32_t>>(ctx);
  return std::make_unique<MultinomialKernel<int64_t>>(ctx);
}

}  // namespace

constinit const KernelList random{
    {&op::RandomNormal, "cpu.random_normal", prepare_normal},
    {&op::RandomNormalLike, "cpu.random_normal_like", prepare_normal},
    {&op::RandomUniform, "cpu.random_uniform", prepare_uniform},
    {&op::RandomUniformLike, "cpu.random_uniform_like", prepare_uniform},
    {&op::Bernoulli, "cpu.bernoulli", prepare_bernoulli},
    {&op::Multinomial, "cpu.multinomial", prepare_multinomial},
};

}  // namespace tenon::cpu
