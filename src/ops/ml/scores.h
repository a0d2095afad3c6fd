// What turns the scores of linear models, trees and support vectors into the values they report.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include "ops/op.h"

namespace tenon::scores {

// In the order of TreeEnsemble's numbers.
enum class PostTransform : uint8_t { none, softmax, logistic, softmax_zero, probit };
inline constexpr std::string_view kPostTransforms = "NONE|SOFTMAX|LOGISTIC|SOFTMAX_ZERO|PROBIT";
PostTransform post_transform(const Call& call);  // of the attribute, a string

// Smaller scores are zeros to softmax_zero.
inline constexpr double kZeroScore = 1e-7;
// Of Winitzki's approximation of the inverse error function (2008), which ONNX's reference and its
// runtimes use for PROBIT; 2e-3 relative.
inline constexpr double kWinitzki = 0.147;
inline constexpr double kPi = 3.14159265358979323846;
inline constexpr double kSqrt2 = 1.41421356237309504880;

template <class T>
T logistic(T x) {
  const T y = 1 / (1 + std::exp(-std::abs(x)));
  return x < 0 ? 1 - y : y;
}

// The quantile of the normal distribution; infinite at 0 and 1, NaN outside of them.
template <class T>
T probit(T p) {
  const T x = 2 * p - 1;
  const T log = std::log((1 - x) * (1 + x));
  const T half = static_cast<T>(2 / (kPi * kWinitzki)) + log / 2;
  const T root = std::sqrt(std::sqrt(half * half - log / static_cast<T>(kWinitzki)) - half);
  return static_cast<T>(kSqrt2) * (x < 0 ? -root : root);
}

template <class T>
T largest(std::span<const T> row) {
  T most = row[0];
  for (T value : row) most = value > most ? value : most;
  return most;
}

template <class T>
void softmax(std::span<T> row) {
  const T most = largest(std::span<const T>(row));
  T sum = 0;
  for (T& value : row) sum += value = std::exp(value - most);
  for (T& value : row) value /= sum;
}

// Softmax of the scores that are not zero; those that are stay so. One half everywhere when all
// are.
template <class T>
void softmax_zero(std::span<T> row) {
  const T most = largest(std::span<const T>(row));
  T sum = 0;
  for (T& value : row) {
    const bool zero = std::abs(value) <= static_cast<T>(kZeroScore);
    value = zero ? value * std::exp(-most) : std::exp(value - most);
    if (!zero) sum += value;
  }
  for (T& value : row) value = sum == 0 ? static_cast<T>(0.5) : value / sum;
}

template <class T>
void transform(std::span<T> row, PostTransform how) {
  if (row.empty()) return;
  switch (how) {
    case PostTransform::none: break;
    case PostTransform::softmax: softmax(row); break;
    case PostTransform::softmax_zero: softmax_zero(row); break;
    case PostTransform::logistic:
      for (T& value : row) value = logistic(value);
      break;
    case PostTransform::probit:
      for (T& value : row) value = probit(value);
      break;
  }
}

// The two columns of a classifier that has one score for two classes, as ONNX Runtime writes them:
// LOGISTIC makes probabilities; else a probability gets the other one beside it, a margin its
// opposite. Of the other transforms only PROBIT counts.
enum class OneScore : uint8_t { probability, margin };
template <class T>
void write_pair(T score, OneScore kind, PostTransform how, std::span<T> pair) {
  const bool opposite =
      how == PostTransform::logistic || (kind == OneScore::margin && how != PostTransform::probit);
  pair[0] = opposite ? -score : 1 - score;
  pair[1] = score;
  if (how == PostTransform::probit || how == PostTransform::logistic) transform(pair, how);
}

// What is left of a regression's transform: as in ONNX Runtime, of one target only PROBIT counts.
constexpr PostTransform for_targets(PostTransform how, int64_t targets) {
  return targets > 1 || how == PostTransform::probit ? how : PostTransform::none;
}

// In operators, for scores [rows, columns].
Tensor transformed(const Tensor& scores, PostTransform how);

}  // namespace tenon::scores
