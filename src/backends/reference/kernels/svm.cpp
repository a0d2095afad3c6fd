// Support vector machines, one row and vector after the other.
#include <algorithm>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/svm_rules.h"
#include "ops/ml/trees.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const auto sizes = feature_rows::of(ctx.inputs[0].shape);
  return make_kernel([svm = svm_rules::read_classifier(ctx), sizes, type = ctx.inputs[0].dtype,
                      labels = trees::class_labels(ctx, "classlabels_ints", "classlabels_strings"),
                      wants_scores = ctx.wants_output(1)](const RunContext& run) {
    const In<double> x(type, run.in[0]);
    std::vector<float> values(static_cast<size_t>(svm.count));
    std::vector<float> z(static_cast<size_t>(svm.score_count()));
    for (int64_t row = 0; row < sizes.count; ++row) {
      for (int64_t v = 0; v < svm.count; ++v) {
        double measure = 0;
        for (int64_t f = 0; f < svm.features; ++f) {
          const double a = x[row * svm.features + f];
          const double b = svm.vectors[static_cast<size_t>(v * svm.features + f)];
          measure += svm.kernel.function == svm_rules::Function::rbf ? (a - b) * (a - b) : a * b;
        }
        values[static_cast<size_t>(v)] =
            static_cast<float>(svm_rules::value_of(svm.kernel, measure));
      }
      const size_t label = svm_rules::finish_row(svm, values, z);
      copy_element(labels.dtype(), run.out[0], row, labels.raw(), static_cast<int64_t>(label));
      if (wants_scores) std::ranges::copy(z, run.output<float>(1) + row * svm.score_count());
    }
  });
}

}  // namespace

constinit const KernelList svm{{&op::SVMClassifier, "reference.svm_classifier", prepare}};

}  // namespace tenon::reference
