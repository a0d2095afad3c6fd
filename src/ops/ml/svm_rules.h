// Support vector machines: kernel functions, and what a classifier makes of their values (LIBSVM's
// one-against-one voting and pairwise coupling).
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/ml/scores.h"
#include "ops/op.h"

namespace tenon::svm_rules {

enum class Function : uint8_t { linear, poly, rbf, sigmoid };
inline constexpr std::string_view kFunctions = "LINEAR|POLY|RBF|SIGMOID";

struct Kernel {
  Function function = Function::linear;
  double gamma = 0, coef0 = 0, degree = 0;
};
Kernel kernel_of(const Call& call);  // fails (usage) on kernel_params that are not three numbers

// The kernel's value from x * v, or from |x - v|^2 for rbf.
template <class T>
T value_of(const Kernel& kernel, T measure) {
  const T gamma = static_cast<T>(kernel.gamma), coef0 = static_cast<T>(kernel.coef0);
  switch (kernel.function) {
    case Function::linear: break;
    case Function::poly: return std::pow(gamma * measure + coef0, static_cast<T>(kernel.degree));
    case Function::rbf: return std::exp(-gamma * measure);
    case Function::sigmoid: return std::tanh(gamma * measure + coef0);
  }
  return measure;
}

struct Classifier {
  Kernel kernel;
  // Support vectors, or, without any, the weights of one linear function a class.
  bool has_vectors = false;
  std::vector<float> vectors;  // [count, features]
  int64_t count = 0, features = 0;
  int64_t classes = 0;
  std::vector<int64_t> starts;      // of the classes' vectors, and the end
  std::vector<float> coefficients;  // [classes - 1, count]
  std::vector<float> rho, prob_a, prob_b;
  scores::PostTransform post = scores::PostTransform::none;

  bool has_probabilities() const { return has_vectors && !prob_a.empty(); }
  int64_t pairs() const { return classes * (classes - 1) / 2; }
  // Columns of Z: one a class, or one a pair of more than two classes without probabilities.
  int64_t score_count() const {
    return has_vectors && prob_a.empty() && classes > 2 ? pairs() : classes;
  }
};
// Fails (usage) on lists whose lengths do not fit.
Classifier read_classifier(const Call& call);

// A row's label and scores from its kernel values, one a vector (of a linear function: one a
// class).
size_t finish_row(const Classifier& svm, std::span<const float> values, std::span<float> z);

}  // namespace tenon::svm_rules
