// Types of maps.
#include "ops/ml/maps.h"

#include <algorithm>
#include <numeric>

namespace tenon::maps {

TensorType map_type(DType keys, TensorType values) {
  TensorType key;
  key.dtype = keys;
  key.dims = values.dims.empty() ? Dims() : Dims{values.dims[0]};
  values.element = std::make_shared<const TensorType>(std::move(key));
  TensorType map;
  map.dtype = DType::map;
  map.dims = {2};
  map.element = std::make_shared<const TensorType>(std::move(values));
  return map;
}

DType value_type(const TensorType& map) {
  return map.element ? map.element->dtype : DType::undefined;
}

DType key_type(const TensorType& map) {
  return map.element && map.element->element ? map.element->element->dtype : DType::undefined;
}

std::vector<int64_t> by_key(const Tensor& keys) {
  const std::vector<int64_t> values = keys.to_vector<int64_t>();
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](int64_t i) { return values[static_cast<size_t>(i)]; });
  return order;
}

}  // namespace tenon::maps
