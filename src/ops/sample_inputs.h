// Turns an operator's samples into calls: one case for each type the sample can be tried with. For
// tests of the whole catalogue, and for programs that show or probe operators.
#pragma once

#include <string>
#include <vector>

#include "ops/op.h"
#include "ops/samples.h"

namespace tenon {

// A sample with its inputs made.
struct SampleCase {
  const OpDef* op = nullptr;
  size_t index = 0;  // of the sample
  const Sample* sample = nullptr;
  DType type =
      DType::undefined;  // of the leading type variable; undefined when all types are fixed
  TensorList inputs;
  std::vector<bool> random;  // which inputs were drawn (the rest are fixed or absent)

  std::string str() const;  // "Add sample 2 [f32[2, 3], f32[3]]"
};

// Made once a process; thread-safe.
const Samples& samples_of(const OpDef& op);

// All cases of an operator: each good sample with each type in `types` that fits it.
std::vector<SampleCase> cases_of(const OpDef& op, TypeSet types = {~0U});

// Equal seeds give equal tensors. `leading` is the type of the first drawn argument's variable.
TensorList make_inputs(const OpDef& op, const std::vector<Arg>& args, DType leading, uint64_t seed);

}  // namespace tenon
