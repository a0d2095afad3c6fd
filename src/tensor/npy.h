// NumPy's .npy files (NEP 1; format versions 1.0, 2.0 and 3.0): one array each.
//
//   npy::write_file("weights.npy", tensor);
//   Tensor same = npy::read_file("weights.npy");
//
// Types: bool, integers, floats and complex numbers in either byte order. '<V2' is bf16, as NumPy
// writes the bfloat16 of the ml_dtypes package. '<U5' (text of fixed length) is read as UTF-8
// strings and '|S5' as strings of those bytes, both without the zeros at their end; strings are
// written as '<U'. Records, dates and pickled objects fail with kind unsupported.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace tenon::npy {

// The array, copied and row-major. `where` opens the errors. All sizes are checked against the
// number of bytes before anything is allocated; malformed input fails with kind data.
Tensor read(std::span<const std::byte> bytes, std::string_view where = "npy");
Tensor read_file(const std::string& path);
// The array in the file itself, where it lies as it can be used (numbers, native byte order,
// aligned; Fortran order gives permuted strides), else a copy. Read only: writing to the tensor
// ends the program. The file must not be shortened while the tensor lives.
Tensor map_file(const std::string& path);

// Format 1.0, row-major, native byte order. Strings must be UTF-8 and not end in a zero (usage).
std::string encode(const Tensor& tensor);
// The file appears complete or not at all.
void write_file(const std::string& path, const Tensor& tensor);

}  // namespace tenon::npy
