// Shorthands for sample arguments.
#include "ops/samples.h"

namespace tenon::arg {

Arg any(const Shape& shape) { return {.shape = shape, .fixed = {}}; }
Arg range(const Shape& shape, double low, double high) {
  return {.shape = shape, .low = low, .high = high, .fixed = {}};
}
Arg distinct(const Shape& shape) { return {.shape = shape, .fixed = {}, .distinct = true}; }
Arg typed(const Shape& shape, DType type, double low, double high) {
  return {.shape = shape, .low = low, .high = high, .fixed = {}, .dtype = type};
}
Arg ints(std::initializer_list<int64_t> values) { return fixed(Tensor::ints(values)); }
Arg int_scalar(int64_t value) { return fixed(Tensor::from<int64_t>({value}, Shape{})); }
Arg fixed(Tensor tensor) {
  const Shape shape = tensor.shape();
  return {.shape = shape, .fixed = std::move(tensor)};
}
Arg none() { return {.shape = {}, .fixed = {}, .absent = true}; }

}  // namespace tenon::arg
