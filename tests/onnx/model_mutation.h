// Breaking ONNX models.
#pragma once

#include <cstdint>
#include <string>

namespace tenon {

// One or two changes of a serialised model, to its bytes or to what they mean: attributes, names,
// types, sizes, operators, versions. Equal seeds make equal changes.
std::string mutated(const std::string& model, uint64_t seed);

}  // namespace tenon
