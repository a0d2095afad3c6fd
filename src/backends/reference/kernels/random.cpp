// Random numbers.
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/random/catalog.h"
#include "runtime/random_draws.h"

namespace tenon::reference {

namespace {

// A kernel that draws `count` numbers: fn(const RunContext&, Generator::State).
template <class Fn>
Prepared drawing(const PrepareContext& ctx, int64_t count, Fn fn) {
  auto kernel = make_kernel(
      [seed = DrawSeed(ctx), fn](const RunContext& run) { fn(run, seed.state(run.random)); });
  kernel->random_counters = draw_counters(count);
  return kernel;
}

using Pair = std::array<double, 2> (*)(Generator::State, uint64_t);

double number(Pair pair, Generator::State state, int64_t i) {
  return pair(state, static_cast<uint64_t>(i) / 2)[static_cast<size_t>(i % 2)];
}

// base + factor * number
Prepared prepare_filled(const PrepareContext& ctx, Pair pair, double base, double factor) {
  const TensorSpec& out = ctx.outputs[0];
  return drawing(ctx, out.numel(), [=](const RunContext& run, Generator::State state) {
    const Out<double> y(out.dtype, run.out[0]);
    for (int64_t i = 0; i < out.numel(); ++i) y.set(i, base + factor * number(pair, state, i));
  });
}

Prepared prepare_normal(const PrepareContext& ctx) {
  return prepare_filled(ctx, normal_pair, ctx.f("mean"), ctx.f("scale"));
}

Prepared prepare_uniform(const PrepareContext& ctx) {
  return prepare_filled(ctx, even_pair, ctx.f("low"), ctx.f("high") - ctx.f("low"));
}

Prepared prepare_bernoulli(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype, out_type = ctx.outputs[0].dtype;
  const int64_t count = ctx.inputs[0].numel();
  return drawing(ctx, count, [=](const RunContext& run, Generator::State state) {
    const In<double> p(type, run.in[0]);
    const Out<double> y(out_type, run.out[0]);
    for (int64_t i = 0; i < count; ++i)
      y.set(i, number(even_pair, state, i) < checked_probability(p[i]) ? 1 : 0);
  });
}

Prepared prepare_multinomial(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype, out_type = ctx.outputs[0].dtype;
  const int64_t rows = ctx.inputs[0].shape[0], classes = ctx.inputs[0].shape[1];
  const int64_t draws = ctx.outputs[0].shape[1];
  return drawing(ctx, rows * draws, [=](const RunContext& run, Generator::State state) {
    const In<double> x(type, run.in[0]);
    const Out<int64_t> y(out_type, run.out[0]);
    std::vector<double> logits(static_cast<size_t>(classes)), shares(logits.size());
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < classes; ++c) logits[static_cast<size_t>(c)] = x[row * classes + c];
      add_up_classes(logits, row, shares);
      for (int64_t i = row * draws; i < (row + 1) * draws; ++i)
        y.set(i, drawn_class(shares, number(even_pair, state, i)));
    }
  });
}

}  // namespace

constinit const KernelList random{
    {&op::RandomNormal, "reference.random_normal", prepare_normal},
    {&op::RandomNormalLike, "reference.random_normal_like", prepare_normal},
    {&op::RandomUniform, "reference.random_uniform", prepare_uniform},
    {&op::RandomUniformLike, "reference.random_uniform_like", prepare_uniform},
    {&op::Bernoulli, "reference.bernoulli", prepare_bernoulli},
    {&op::Multinomial, "reference.multinomial", prepare_multinomial},
};

}  // namespace tenon::reference
