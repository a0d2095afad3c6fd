// Turns an operator's samples into tensors: one case for each type the sample can be tried with.
#pragma once

#include <string>
#include <vector>

#include "ops/op.h"
#include "ops/samples.h"

namespace tenon::test {

// A sample with its inputs made.
struct Case {
  const OpDef* op = nullptr;
  size_t index = 0;  // of the sample
  const Sample* sample = nullptr;
  DType type =
      DType::undefined;  // of the leading type variable; undefined when all types are fixed
  TensorList inputs;
  std::vector<bool> random;  // which inputs were drawn (the rest are fixed or absent)

  std::string str() const;  // "Add sample 2 [f32[2, 3], f32[3]]"
};

// "Gelu", "Gelu_com_microsoft": domains may have operators of one name.
std::string test_name(const OpDef& op);

const Samples& samples_of(const OpDef& op);

// All cases of an operator: each good sample with each type in `types` that fits it.
std::vector<Case> cases_of(const OpDef& op, TypeSet types = {~0U});

TensorList make_inputs(const OpDef& op, const std::vector<Arg>& args, DType leading, uint64_t seed);

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
