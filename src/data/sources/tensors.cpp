// Small tables written into the recipe itself.
#include <array>

#include "base/text.h"
#include "data/sources.h"
#include "data/sources/catalog.h"

namespace tenon::data {

namespace {

// The shape of nested lists, from the first of each level.
Shape shape_of(Config list) {
  Shape shape;
  while (list.is_list()) {
    if (shape.rank() == kMaxRank)
      list.fail("the lists nest deeper than a tensor has axes, 12; flatten them");
    shape.push_back(static_cast<int64_t>(list.size()));
    if (list.size() == 0) break;
    list = list.items()[0];
  }
  return shape;
}

void flatten(const Config& value, const Shape& shape, size_t axis, std::vector<Config>& out) {
  if (axis == shape.rank()) {
    if (!value.is_scalar()) value.fail("a number is expected here, since the first item has one");
    out.push_back(value);
    return;
  }
  if (!value.is_list() || static_cast<int64_t>(value.size()) != shape[axis])
    value.fail(fmt::format("{} values are expected here, as in the first item", shape[axis]));
  for (const Config& item : value.items()) flatten(item, shape, axis + 1, out);
}

template <class T>
Tensor fill(const std::vector<Config>& values, const Shape& shape) {
  std::vector<T> numbers;
  for (const Config& value : values) numbers.push_back(value.as<T>());
  return Tensor::from<T>(std::span<const T>(numbers), shape);
}

// Whole numbers give i64, others f32.
Tensor tensor_of(const Config& list) {
  if (!list.is_list())
    list.fail("a column is a list, one value or list an item; write [[0, 1], [1, 0]]");
  const Shape shape = shape_of(list);
  std::vector<Config> values;
  flatten(list, shape, 0, values);
  for (const Config& value : values)
    if (!text::parse_number<int64_t>(value.as<std::string>())) return fill<float>(values, shape);
  return fill<int64_t>(values, shape);
}

SourcePtr make(const Config& config) {
  const Config columns = config.at("columns");
  std::vector<Column> list;
  for (const std::string& name : columns.keys())
    list.push_back({name, tensor_of(columns.at(name))});
  if (list.empty()) columns.fail("there are no columns; write name: [values] for each");
  return tensor_source(std::move(list), config.where());
}

constexpr std::array kKeys{Key{
    "columns", "name: [values, one or a list for each item]; whole numbers give i64, others f32"}};

}  // namespace

constinit const SourceDef sources::Tensors{"tensors", "items written into the recipe", kKeys, make};

}  // namespace tenon::data
