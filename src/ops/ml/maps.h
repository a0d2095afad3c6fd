// Maps as operators see them: which types of keys and values, and lookups in the order of the keys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/infer.h"

namespace tenon::maps {

// A map's `element` is what its values are, whose `element` is what its keys are.
TensorType map_type(DType keys, TensorType values);
// undefined where the type does not say.
DType key_type(const TensorType& map);
DType value_type(const TensorType& map);

// Places of the entries of a map by ascending key. Its keys must be i64.
std::vector<int64_t> by_key(const Tensor& keys);

}  // namespace tenon::maps
