// Strided copies of inputs, and comparing results.
#include "sample_inputs.h"

#include <algorithm>
#include <cmath>

#include "tensor/narrow.h"

namespace tenon::test {

std::string test_name(const OpDef& op) {
  std::string text(op.name);
  if (!op.onnx.domain.empty()) text += "_" + std::string(op.onnx.domain);
  std::ranges::replace(text, '.', '_');
  return text;
}

std::vector<Case> few_cases(const OpDef& op) {
  std::vector<Case> all = cases_of(op), few;
  for (size_t i = 0; i < all.size();) {
    size_t end = i, kept = few.size();
    for (; end < all.size() && all[end].index == all[i].index; ++end)
      if (all[end].type == DType::f32 || all[end].type == DType::i64)
        few.push_back(std::move(all[end]));
    if (few.size() == kept) few.push_back(std::move(all[i]));
    i = end;
  }
  return few;
}

Tensor strided_copy(const Tensor& tensor) {
  if (!tensor.defined() || tensor.rank() == 0 || tensor.dtype() == DType::string) return tensor;
  if (tensor.rank() == 1) {
    Tensor longer = Tensor::empty({tensor.size(0) * 2}, tensor.dtype());
    Tensor view = longer.slice(0, 0, tensor.size(0) * 2, 2);
    view.copy_from(tensor);
    return view;
  }
  Shape reversed_order(tensor.rank(), 0), reversed(tensor.rank(), 0);
  for (size_t i = 0; i < tensor.rank(); ++i) {
    reversed_order[i] = static_cast<int64_t>(tensor.rank() - 1 - i);
    reversed[i] = tensor.shape()[tensor.rank() - 1 - i];
  }
  Tensor view = Tensor::empty(reversed, tensor.dtype()).permute(reversed_order);
  view.copy_from(tensor);
  return view;
}

Tolerance tolerance_of(DType type) {
  switch (type) {
    case DType::f64: return {1e-9, 1e-10};
    case DType::f32: return {2e-5, 2e-6};
    case DType::f16: return {4e-3, 2e-3};
    case DType::bf16: return {3e-2, 2e-2};
    default: return {0, 0};
  }
}

std::string difference(const Tensor& actual, const Tensor& expected, Tolerance tolerance) {
  if (actual.defined() != expected.defined()) return "one is undefined";
  if (!actual.defined()) return "";
  if (actual.dtype() != expected.dtype())
    return fmt::format("dtype {} instead of {}", name(actual.dtype()), name(expected.dtype()));
  if (actual.shape() != expected.shape())
    return fmt::format("shape {} instead of {}", actual.shape().str(), expected.shape().str());
  if (is_container(actual.dtype())) {
    const auto a = actual.elements(), e = expected.elements();
    return difference(TensorList(a.begin(), a.end()), TensorList(e.begin(), e.end()));
  }
  if (actual.dtype() == DType::string)
    return actual.to_vector<std::string>() == expected.to_vector<std::string>() ? ""
                                                                                : "strings differ";
  if (!is_float(actual.dtype()) && !kNarrowFloats.has(actual.dtype()) &&
      actual.dtype() != DType::boolean) {
    const auto a = actual.to_vector<int64_t>(), e = expected.to_vector<int64_t>();
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i] != e[i]) return fmt::format("element {} is {} instead of {}", i, a[i], e[i]);
    return "";
  }
  const auto a = actual.to_vector<double>(), e = expected.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
    if (!(std::abs(a[i] - e[i]) <= tolerance.absolute + tolerance.relative * std::abs(e[i])))
      return fmt::format("element {} is {} instead of {}", i, a[i], e[i]);
  }
  return "";
}

std::string difference(const TensorList& actual, const TensorList& expected) {
  if (actual.size() != expected.size())
    return fmt::format("{} outputs instead of {}", actual.size(), expected.size());
  // Outputs of mixed types are as good as the least precise of them.
  Tolerance loosest{0, 0};
  for (const Tensor& tensor : expected) {
    if (!tensor.defined()) continue;
    const Tolerance own = tolerance_of(tensor.dtype());
    if (own.relative > loosest.relative) loosest = own;
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    const bool is_exact = expected[i].defined() && !is_float(expected[i].dtype());
    const std::string text =
        difference(actual[i], expected[i], is_exact ? Tolerance{0, 0} : loosest);
    if (!text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

}  // namespace tenon::test
