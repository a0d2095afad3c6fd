// Consecutive items as one, along a leading axis.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "data/decorators.h"
#include "data/decorators/decorator.h"

namespace tenon::data {

namespace {

class Batch final : public Decorator {
 public:
  Batch(SourcePtr source, int64_t size, bool drop_last)
      : Decorator(std::move(source)),
        batch_(size),
        count_((inner_size() + (drop_last ? 0 : size - 1)) / size),
        schema_(inner().schema()) {
    for (Field& field : schema_) {
      field.shape.insert(0, inner_size() >= count_ * size ? size : kVaries);
      field.role = Role::value;  // transforms of images go under the batch
    }
  }

  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return count_; }
  std::string describe(int64_t index, int64_t epoch) const override {
    return fmt::format("batch starting at {}", Decorator::describe(index * batch_, epoch));
  }

 private:
  Sample read_item(int64_t index, int64_t epoch) const override {
    const int64_t first = index * batch_;
    std::vector<int64_t> indices(static_cast<size_t>(std::min(batch_, inner_size() - first)));
    std::iota(indices.begin(), indices.end(), first);
    return items_of(inner(), indices, epoch);
  }
  int64_t inner_size() const { return Decorator::size(); }

  int64_t batch_;
  int64_t count_;
  Schema schema_;
};

}  // namespace

SourcePtr batch(SourcePtr source, int64_t size, bool drop_last) {
  TENON_CHECK(size >= 1, usage, "batch: {} items make no batch; use 1 or more", size);
  return std::make_shared<Batch>(std::move(source), size, drop_last);
}

}  // namespace tenon::data
