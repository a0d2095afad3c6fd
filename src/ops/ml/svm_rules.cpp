// One-against-one voting, and probabilities by pairwise coupling.
#include "ops/ml/svm_rules.h"

#include <algorithm>
#include <numeric>

#include "ops/ml/trees.h"

namespace tenon::svm_rules {

namespace {

constexpr int kMaxSteps = 100;
constexpr float kLeastProbability = 1e-7F;

std::vector<float> floats_of(const Call& call, std::string_view name) {
  const auto list = call.floats(name);
  return {list.begin(), list.end()};
}

void check_least(const Call& call, std::string_view name, size_t length, int64_t least) {
  TENON_CHECK(static_cast<int64_t>(length) >= least, usage,
              "{}: {} has {} values, but its classes and vectors ask for {}; give them all",
              call.op.name, name, length, least);
}

// Class probabilities from those of pairs: r[i * k + j] that it is i of i and j. Algorithm 2 of Wu,
// Lin and Weng, "Probability Estimates for Multi-class Classification by Pairwise Coupling" (2004).
void couple(std::span<const float> r, std::span<float> p) {
  const size_t k = p.size();
  std::vector<float> q(k * k), qp(k);
  for (size_t i = 0; i < k; ++i) {
    p[i] = 1 / static_cast<float>(k);
    for (size_t j = 0; j < k; ++j) {
      if (i == j) continue;
      q[i * k + i] += r[j * k + i] * r[j * k + i];
      q[i * k + j] = -r[j * k + i] * r[i * k + j];
    }
  }
  const float tolerance = 0.005F / static_cast<float>(k);
  for (int step = 0; step < kMaxSteps; ++step) {
    float pqp = 0, error = 0;
    for (size_t i = 0; i < k; ++i) {
      qp[i] = std::inner_product(p.begin(), p.end(), &q[i * k], 0.0F);
      pqp += p[i] * qp[i];
    }
    for (size_t i = 0; i < k; ++i) error = std::max(error, std::abs(qp[i] - pqp));
    if (error < tolerance) return;
    for (size_t i = 0; i < k; ++i) {
      const float diff = (pqp - qp[i]) / q[i * k + i], scale = 1 + diff;
      p[i] += diff;
      pqp = (pqp + diff * (diff * q[i * k + i] + 2 * qp[i])) / scale / scale;
      for (size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + diff * q[i * k + j]) / scale;
        p[j] /= scale;
      }
    }
  }
}

// The decisions between classes i and j > i: above 0 is i.
std::vector<float> decide(const Classifier& svm, std::span<const float> values) {
  std::vector<float> decisions;
  for (int64_t i = 0; i < svm.classes; ++i)
    for (int64_t j = i + 1; j < svm.classes; ++j) {
      double sum = svm.rho[decisions.size()];
      const auto add = [&](int64_t owner, int64_t row) {
        for (int64_t v = svm.starts[static_cast<size_t>(owner)];
             v < svm.starts[static_cast<size_t>(owner) + 1]; ++v)
          sum += svm.coefficients[static_cast<size_t>(row * svm.count + v)] *
                 values[static_cast<size_t>(v)];
      };
      add(i, j - 1);
      add(j, i);
      decisions.push_back(static_cast<float>(sum));
    }
  return decisions;
}

size_t most_votes(const Classifier& svm, std::span<const float> decisions) {
  std::vector<int64_t> votes(static_cast<size_t>(svm.classes));
  size_t pair = 0;
  for (size_t i = 0; i < votes.size(); ++i)
    for (size_t j = i + 1; j < votes.size(); ++j) ++votes[decisions[pair++] > 0 ? i : j];
  return static_cast<size_t>(std::ranges::max_element(votes) - votes.begin());
}

void write_probabilities(const Classifier& svm, std::span<const float> decisions,
                         std::span<float> z) {
  const auto k = static_cast<size_t>(svm.classes);
  std::vector<float> r(k * k);
  size_t pair = 0;
  for (size_t i = 0; i < k; ++i)
    for (size_t j = i + 1; j < k; ++j, ++pair) {
      const float p = 1 - scores::logistic(decisions[pair] * svm.prob_a[pair] + svm.prob_b[pair]);
      r[i * k + j] = std::clamp(p, kLeastProbability, 1 - kLeastProbability);
      r[j * k + i] = 1 - r[i * k + j];
    }
  couple(r, z);
}

}  // namespace

Kernel kernel_of(const Call& call) {
  const std::string_view type = call.s("kernel_type");
  Kernel kernel;
  kernel.function = type == "POLY"      ? Function::poly
                    : type == "RBF"     ? Function::rbf
                    : type == "SIGMOID" ? Function::sigmoid
                                        : Function::linear;
  const auto params = call.floats("kernel_params");
  TENON_CHECK(params.size() == 3 || (params.empty() && kernel.function == Function::linear), usage,
              "{}: kernel_params has {} values; give gamma, coef0 and degree", call.op.name,
              params.size());
  if (params.empty()) return kernel;
  kernel.gamma = params[0];
  kernel.coef0 = params[1];
  kernel.degree = params[2];
  return kernel;
}

Classifier read_classifier(const Call& call) {
  const std::string_view op = call.op.name;
  Classifier svm;
  svm.kernel = kernel_of(call);
  svm.post = scores::post_transform(call);
  svm.coefficients = floats_of(call, "coefficients");
  svm.rho = floats_of(call, "rho");
  svm.prob_a = floats_of(call, "prob_a");
  svm.prob_b = floats_of(call, "prob_b");
  trees::class_labels(call, "classlabels_ints", "classlabels_strings");
  svm.classes = static_cast<int64_t>(
      std::max(call.ints("classlabels_ints").size(), call.strings("classlabels_strings").size()));
  TENON_CHECK(svm.prob_a.size() == svm.prob_b.size(), usage,
              "{}: prob_a has {} values but prob_b has {}; give as many", op, svm.prob_a.size(),
              svm.prob_b.size());
  TENON_CHECK(!svm.coefficients.empty(), usage, "{}: coefficients is empty; give the model's", op);

  svm.starts = {0};
  for (int64_t count : call.ints("vectors_per_class")) {
    TENON_CHECK(count >= 0 && count <= INT32_MAX, usage,
                "{}: vectors_per_class holds {}; use 0 or more", op, count);
    svm.starts.push_back(svm.starts.back() + count);
  }
  svm.count = svm.starts.back();
  svm.has_vectors = svm.count > 0;
  if (!svm.has_vectors) {
    svm.kernel = {};
    svm.vectors = std::move(svm.coefficients);
    svm.count = svm.classes;
    TENON_CHECK(svm.vectors.size() % static_cast<size_t>(svm.classes) == 0, usage,
                "{}: {} coefficients for {} classes; give as many for each", op, svm.vectors.size(),
                svm.classes);
    check_least(call, "rho", svm.rho.size(), 1);
  } else {
    svm.vectors = floats_of(call, "support_vectors");
    TENON_CHECK(static_cast<int64_t>(svm.starts.size()) == svm.classes + 1 && svm.classes > 1,
                usage,
                "{}: vectors_per_class has {} entries for {} classes; give one a class, and two "
                "classes or more",
                op, svm.starts.size() - 1, svm.classes);
    TENON_CHECK(!svm.vectors.empty() && svm.vectors.size() % static_cast<size_t>(svm.count) == 0,
                usage, "{}: support_vectors has {} values for {} vectors; give as many for each",
                op, svm.vectors.size(), svm.count);
    check_least(call, "coefficients", svm.coefficients.size(), (svm.classes - 1) * svm.count);
    check_least(call, "rho", svm.rho.size(), svm.pairs());
    if (!svm.prob_a.empty()) check_least(call, "prob_a", svm.prob_a.size(), svm.pairs());
  }
  svm.features = static_cast<int64_t>(svm.vectors.size()) / svm.count;
  return svm;
}

size_t finish_row(const Classifier& svm, std::span<const float> values, std::span<float> z) {
  if (!svm.has_vectors) {
    for (size_t i = 0; i < z.size(); ++i) z[i] = values[i] + svm.rho[0];
    const auto best = static_cast<size_t>(std::ranges::max_element(z) - z.begin());
    scores::transform(z, svm.post);
    return svm.classes == 1 ? (values[0] + svm.rho[0] > 0 ? 1 : 0) : best;
  }
  const std::vector<float> decisions = decide(svm, values);
  const size_t best = most_votes(svm, decisions);
  if (svm.has_probabilities()) {
    write_probabilities(svm, decisions, z);
  } else if (svm.classes == 2) {
    // As ONNX Runtime has it: with a transform, the decision counts as a probability.
    const bool raw = svm.post == scores::PostTransform::none;
    scores::write_pair(decisions[0], raw ? scores::OneScore::margin : scores::OneScore::probability,
                       svm.post, z);
    return best;
  } else {
    std::ranges::copy(decisions, z.begin());
  }
  scores::transform(z, svm.post);
  return best;
}

}  // namespace tenon::svm_rules
