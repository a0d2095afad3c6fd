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

struct Machine final : Kernel {
  svm_rules::Classifier svm;
  Tensor labels;
  int64_t rows = 0;
  DType type = DType::f32;
  ConvertRun convert = nullptr;

  void run(const RunContext& ctx) const override {
    const int64_t work = std::max<int64_t>(1, svm.count * svm.features);
    parallel_for(0, rows, std::max<int64_t>(1, kProductsAThread / work),
                 [&](int64_t begin, int64_t end) { run_rows(ctx, begin, end); });
  }

  void run_rows(const RunContext& ctx, int64_t begin, int64_t end) const {
    const bool distance = svm.kernel.function == svm_rules::Function::rbf;
    std::vector<float> x(static_cast<size_t>(svm.features));
    std::vector<float> values(static_cast<size_t>(svm.count));
    std::vector<float> z(static_cast<size_t>(svm.score_count()));
    for (int64_t row = begin; row < end; ++row) {
      convert(ctx.input<std::byte>(0) + row * svm.features * static_cast<int64_t>(size_of(type)),
              x.data(), svm.features);
      for (int64_t v = 0; v < svm.count; ++v) {
        const float* vector = svm.vectors.data() + v * svm.features;
        const float sum = distance ? measure<true>(x.data(), vector, svm.features)
                                   : measure<false>(x.data(), vector, svm.features);
        values[static_cast<size_t>(v)] = svm_rules::value_of(svm.kernel, sum);
      }
      const size_t label = svm_rules::finish_row(svm, values, z);
      if (labels.dtype() == DType::string)
        ctx.output<std::string>(0)[row] = labels.data<std::string>()[label];
      else
        ctx.output<int64_t>(0)[row] = labels.data<int64_t>()[label];
      if (ctx.out[1]) std::ranges::copy(z, ctx.output<float>(1) + row * svm.score_count());
    }
  }
};

Prepared prepare(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Machine>();
  kernel->svm = svm_rules::read_classifier(ctx);
  kernel->labels = trees::class_labels(ctx, "classlabels_ints", "classlabels_strings");
  kernel->rows = feature_rows::of(ctx.inputs[0].shape).count;
  kernel->type = ctx.inputs[0].dtype;
  kernel->convert = convert_run(kernel->type, DType::f32);
  return kernel;
}

}  // namespace

constinit const KernelList svm{{&op::SVMClassifier, "cpu.svm_classifier", prepare}};

}  // namespace tenon::cpu
