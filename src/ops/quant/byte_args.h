// Arguments of 8 bits for samples, over the whole range of their type.
#pragma once

#include "ops/samples.h"

namespace tenon::arg {

inline Arg i8(const Shape& shape) { return typed(shape, DType::i8, -128, 127); }
inline Arg u8(const Shape& shape) { return typed(shape, DType::u8, 0, 255); }

}  // namespace tenon::arg
