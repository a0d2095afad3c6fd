// Shorthands for sample arguments.
#include "ops/samples.h"

namespace tenon {

Arg::~Arg() = default;

Sample& Samples::add(std::initializer_list<Arg> inputs, const Attrs& attrs) {
  return good_.emplace_back(Sample{inputs, attrs});
}

Sample& Samples::add(std::span<const Arg> inputs, const Attrs& attrs) {
  return good_.emplace_back(Sample{{inputs.begin(), inputs.end()}, attrs});
}

void Samples::bad(std::initializer_list<Arg> inputs, const Attrs& attrs, std::string_view message) {
  bad_.push_back({inputs, attrs, std::string(message)});
}

void Samples::bad(std::span<const Arg> inputs, const Attrs& attrs, std::string_view message) {
  bad_.push_back({{inputs.begin(), inputs.end()}, attrs, std::string(message)});
}

}  // namespace tenon

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
