// ONNX's own opinion of a model.
#pragma once

#include <string>

namespace tenon {

// What ONNX's checker and its shape inference, types included and strict, have to say against a
// serialised model; empty when nothing.
std::string objection_of_onnx(const std::string& model);

}  // namespace tenon
