// What a model returns, as files and as text.
#pragma once

#include <string>

#include "tensor/tensor.h"

namespace tenon::cli {

// Writes an output beneath `stem` and returns the file: STEM.npy for a tensor. A list of maps that
// have the same keys becomes a matrix, a row a map, with the keys in STEM.keys.npy; any other
// sequence, map or optional becomes STEM.json: lists, objects by key, null for nothing.
std::string write_output(const std::string& stem, const Tensor& output);

// A value's name as that of a file: '/' and ':' become '_'.
std::string file_stem(std::string name);

// As Tensor::str(), and maps as "{a: 0.1, b: 0.9}", one a line.
std::string output_text(const Tensor& output);

// "f32", "sequence of map of string to f32".
std::string output_type(const Tensor& output);

}  // namespace tenon::cli
