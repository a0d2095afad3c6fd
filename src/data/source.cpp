// The checks and contexts around every read, and the stacking of items.
#include "data/source.h"

#include <cstring>
#include <vector>

#include "base/error.h"

namespace tenon::data {

namespace {

void check_index(const Source& source, int64_t index) {
  TENON_CHECK(index >= 0 && index < source.size(), usage,
              "source: item {} is outside 0 to {}; there are {} items", index, source.size() - 1,
              source.size());
}

std::string reading(const Source& source, int64_t index, int64_t epoch) {
  return fmt::format("while reading item {} ({})", index, source.describe(index, epoch));
}

// Writes `item` into place `at` of the leading axis of `batch`.
void put(const Tensor& item, Tensor& batch, int64_t at) {
  if (item.dtype() == DType::string || !item.is_contiguous()) {
    batch.select(0, at).copy_from(item);
    return;
  }
  const size_t bytes = item.bytes();
  if (bytes > 0)
    std::memcpy(static_cast<std::byte*>(batch.raw()) + static_cast<size_t>(at) * bytes, item.raw(),
                bytes);
}

}  // namespace

Sample Source::read(int64_t index, int64_t epoch) const {
  check_index(*this, index);
  return with_context([&] { return reading(*this, index, epoch); },
                      [&] { return read_item(index, epoch); });
}

Sample Source::read_batch(std::span<const int64_t> indices, int64_t epoch) const {
  TENON_CHECK(!indices.empty(), usage,
              "source: a batch of no items was asked for; name at least one");
  for (const int64_t index : indices) check_index(*this, index);
  return read_items(indices, epoch);
}

Sample Source::read_each(std::span<const int64_t> indices, int64_t epoch) const {
  std::vector<Sample> items;
  items.reserve(indices.size());
  for (const int64_t index : indices)
    items.push_back(with_context([&] { return reading(*this, index, epoch); },
                                 [&] { return read_item(index, epoch); }));
  return collate(items);
}

Sample collate(std::span<const Sample> items) {
  TENON_CHECK(!items.empty(), usage, "collate: no items; a batch has at least one");
  Sample batch;
  for (const auto& [name, first] : items[0]) {
    Shape shape = first.shape();
    shape.insert(0, static_cast<int64_t>(items.size()));
    Tensor stacked = Tensor::empty(shape, first.dtype());
    for (size_t i = 0; i < items.size(); ++i) {
      const Tensor& item = items[i][name];
      TENON_CHECK(
          item.shape() == first.shape() && item.dtype() == first.dtype(), data,
          "collate: {} is {} {} in one item and {} {} in another, which make no batch; bring "
          "them to one size first, as with resize",
          name, tenon::name(first.dtype()), first.shape().str(), tenon::name(item.dtype()),
          item.shape().str());
      put(item, stacked, static_cast<int64_t>(i));
    }
    batch.set(name, std::move(stacked));
  }
  return batch;
}

}  // namespace tenon::data
