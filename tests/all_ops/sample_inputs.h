// What tests of the whole catalogue share: the cases of operators, strided inputs, comparing
// results.
#pragma once

#include <string>
#include <vector>

#include "ops/sample_inputs.h"

namespace tenon::test {

using Case = SampleCase;

// "Gelu", "Gelu_com_microsoft": domains may have operators of one name.
std::string test_name(const OpDef& op);

// Each sample in f32 and i64, or in the first type that it has.
std::vector<Case> few_cases(const OpDef& op);

// The same elements behind unusual strides: reversed axes for rank 2 and more, every other element
// of a longer vector for rank 1.
Tensor strided_copy(const Tensor& tensor);

struct Tolerance {
  double relative, absolute;
};
Tolerance tolerance_of(DType type);

// "" when equal within the tolerance (exactly for integers, bool and strings; NaN equals NaN), else
// what differs first.
std::string difference(const Tensor& actual, const Tensor& expected, Tolerance tolerance);
std::string difference(const TensorList& actual, const TensorList& expected);

}  // namespace tenon::test
