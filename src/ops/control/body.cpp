#include "ops/control/body.h"

#include "ops/catalog.h"

namespace tenon::control {

Tensor stack(const TensorList& parts, int64_t axis, const TensorType& of_none) {
  if (parts.empty()) {
    std::vector<int64_t> sizes;
    for (const Dim& dim : of_none.dims) sizes.push_back(dim.is_const() ? dim.value() : 0);
    if (axis < 0) axis += static_cast<int64_t>(sizes.size()) + 1;
    sizes.insert(sizes.begin() + axis, 0);
    return Tensor::zeros(Shape(std::span<const int64_t>(sizes)), of_none.dtype);
  }
  TensorList rows;
  for (const Tensor& part : parts) rows.push_back(op::Unsqueeze(part, Tensor::ints({axis})));
  return op::Concat.all(rows, {{"axis", axis}})[0];
}

}  // namespace tenon::control
