// Items that lie in memory, column by column; a batch is gathered row by row.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "data/sources.h"

namespace tenon::data {

namespace {

class Columns final : public Source {
 public:
  Columns(std::vector<Column> columns, std::string origin)
      : columns_(std::move(columns)), origin_(std::move(origin)) {
    TENON_CHECK(!columns_.empty(), usage, "tensors: no columns; give at least one");
    for (Column& column : columns_) {
      const Tensor& values = column.values;
      TENON_CHECK(values.defined() && values.rank() >= 1, usage,
                  "tensors: '{}' has no axis of items; give it the shape [items, ...]",
                  column.name);
      TENON_CHECK(values.size(0) == size(), usage,
                  "tensors: '{}' has {} items and '{}' {}; columns have equally many", column.name,
                  values.size(0), columns_[0].name, size());
      TENON_CHECK(!schema_.has(column.name), usage,
                  "tensors: two columns are called '{}'; rename one", column.name);
      Shape shape = values.shape();
      shape.erase(0);
      schema_.add({column.name, values.dtype(), shape, column.role, column.classes});
      column.values = values.contiguous();
    }
  }

  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return columns_[0].values.size(0); }
  std::string describe(int64_t index, int64_t) const override {
    return fmt::format("item {} of {}", index, origin_);
  }

 private:
  Sample read_item(int64_t index, int64_t) const override {
    Sample item;
    for (const Column& column : columns_) item.set(column.name, column.values.select(0, index));
    return item;
  }

  Sample read_items(std::span<const int64_t> indices, int64_t) const override {
    Sample batch;
    for (const Column& column : columns_) batch.set(column.name, gather(column.values, indices));
    return batch;
  }

  static Tensor gather(const Tensor& values, std::span<const int64_t> indices) {
    Shape shape = values.shape();
    shape[0] = static_cast<int64_t>(indices.size());
    Tensor rows = Tensor::empty(shape, values.dtype());
    if (values.dtype() == DType::string) {
      const auto count = rows.numel() / shape[0];
      for (size_t i = 0; i < indices.size(); ++i)
        std::copy_n(values.data<std::string>() + indices[i] * count, count,
                    rows.data<std::string>() + static_cast<int64_t>(i) * count);
      return rows;
    }
    const size_t bytes = rows.bytes() / indices.size();
    const auto* from = static_cast<const std::byte*>(values.raw());
    auto* to = static_cast<std::byte*>(rows.raw());
    if (bytes == 0) return rows;
    for (size_t i = 0; i < indices.size(); ++i)
      std::memcpy(to + i * bytes, from + static_cast<size_t>(indices[i]) * bytes, bytes);
    return rows;
  }

  std::vector<Column> columns_;
  std::string origin_;
  Schema schema_;
};

}  // namespace

SourcePtr tensor_source(std::vector<Column> columns, std::string origin) {
  return std::make_shared<Columns>(std::move(columns), std::move(origin));
}

}  // namespace tenon::data
