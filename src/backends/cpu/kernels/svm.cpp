// Support vector machines in f32: rows shared out among threads, products and distances added up in
// eight lanes.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/svm_rules.h"
#include "ops/ml/trees.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kLanes = 8;
constexpr int64_t kProductsAThread = 16384;

// Sum of a * b, or of (a - b)^2.
template <bool distance>
float measure(const float* a, const float* b, int64_t count) {
  std::array<float, kLanes> sums{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      const float d = a[i + k] - b[i + k];
      sums[static_cast<size_t>(k)] += distance ? d * d : a[i + k] * b[i + k];
    }
  for (; i < count; ++i) {
    const float d = a[i] - b[i];
    sums[0] += distance ? d * d : a[i] * b[i];
  }
  float sum = 0;
  for (float lane : sums) sum += lane;
  return sum;
}

// Rows of f32, and their kernel values with vectors [count, features].
struct Machine : Kernel {
  svm_rules::Kernel function;
  std::vector<float> vectors;
  int64_t count = 0, features = 0, rows = 0;
  DType type;
  ConvertRun convert;

  explicit Machine(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype), convert(convert_run(type, DType::f32)) {
    const auto sizes = feature_rows::of(ctx.inputs[0].shape);
    rows = sizes.count;
    features = sizes.features;
  }

  // Makes output row `row` of its kernel values.
  virtual void finish(const RunContext& ctx, int64_t row, std::span<const float> values) const = 0;

  void run(const RunContext& ctx) const override {
    const int64_t work = std::max<int64_t>(1, count * features);
    parallel_for(0, rows, std::max<int64_t>(1, kProductsAThread / work),
                 [&](int64_t begin, int64_t end) { run_rows(ctx, begin, end); });
  }

  void run_rows(const RunContext& ctx, int64_t begin, int64_t end) const {
    const bool distance = function.function == svm_rules::Function::rbf;
    std::vector<float> x(static_cast<size_t>(features)), values(static_cast<size_t>(count));
    for (int64_t row = begin; row < end; ++row) {
      convert(ctx.input<std::byte>(0) + row * features * static_cast<int64_t>(size_of(type)),
              x.data(), features);
      for (int64_t v = 0; v < count; ++v) {
        const float* vector = vectors.data() + v * features;
        const float sum = distance ? measure<true>(x.data(), vector, features)
                                   : measure<false>(x.data(), vector, features);
        values[static_cast<size_t>(v)] = svm_rules::value_of(function, sum);
      }
      finish(ctx, row, values);
    }
  }
};

struct Classifier final : Machine {
  svm_rules::Classifier svm;
  Tensor labels;

  explicit Classifier(const PrepareContext& ctx)
      : Machine(ctx),
        svm(svm_rules::read_classifier(ctx)),
        labels(trees::class_labels(ctx, "classlabels_ints", "classlabels_strings")) {
    function = svm.kernel;
    vectors = svm.vectors;
    count = svm.count;
  }
  void finish(const RunContext& ctx, int64_t row, std::span<const float> values) const override {
    std::vector<float> z(static_cast<size_t>(svm.score_count()));
    const size_t label = svm_rules::finish_row(svm, values, z);
    if (labels.dtype() == DType::string)
      ctx.output<std::string>(0)[row] = labels.data<std::string>()[label];
    else
      ctx.output<int64_t>(0)[row] = labels.data<int64_t>()[label];
    if (ctx.out[1]) std::ranges::copy(z, ctx.output<float>(1) + row * svm.score_count());
  }
};

struct Regressor final : Machine {
  std::vector<float> weights;
  float rho;
  bool one_class;

  explicit Regressor(const PrepareContext& ctx)
      : Machine(ctx),
        rho(static_cast<float>(ctx.floats("rho")[0])),
        one_class(ctx.i("one_class") != 0) {
    const auto list = ctx.floats("coefficients");
    count = ctx.i("n_supports");
    // Without vectors it is a linear function of the features.
    const auto given = count > 0 ? ctx.floats("support_vectors") : list;
    vectors.assign(given.begin(), given.end());
    if (count > 0) {
      function = svm_rules::kernel_of(ctx);
      weights.assign(list.begin(), list.end());
    } else {
      count = 1;
      weights = {1};
    }
  }
  void finish(const RunContext& ctx, int64_t row, std::span<const float> values) const override {
    double sum = rho;
    for (size_t v = 0; v < values.size(); ++v) sum += weights[v] * values[v];
    const auto y = static_cast<float>(sum);
    ctx.output<float>(0)[row] = !one_class ? y : y > 0 ? 1.0F : -1.0F;
  }
};

Prepared prepare_classifier(const PrepareContext& ctx) { return std::make_unique<Classifier>(ctx); }

Prepared prepare_regressor(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::f64) return refuse("f32 has too few digits for f64");
  return std::make_unique<Regressor>(ctx);
}

}  // namespace

constinit const KernelList svm{
    {&op::SVMClassifier, "cpu.svm_classifier", prepare_classifier},
    {&op::SVMRegressor, "cpu.svm_regressor", prepare_regressor},
};

}  // namespace tenon::cpu
