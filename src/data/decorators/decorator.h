// What sources over one other source share.
#pragma once

#include <utility>
#include <vector>

#include "data/source.h"

namespace tenon::data {

// Passes everything on; the base of sources that change one thing.
class Decorator : public Source {
 public:
  explicit Decorator(SourcePtr inner) : inner_(std::move(inner)) {}

  const Schema& schema() const override { return inner_->schema(); }
  int64_t size() const override { return inner_->size(); }
  bool varies() const override { return inner_->varies(); }
  std::string describe(int64_t index, int64_t epoch) const override {
    return inner_->describe(index, epoch);
  }

 protected:
  const Source& inner() const { return *inner_; }

 private:
  SourcePtr inner_;
};

// Other items of the same source: a decorator that says which one stands at each index.
class Remap : public Decorator {
 public:
  Remap(SourcePtr inner, int64_t size) : Decorator(std::move(inner)), size_(size) {}

  int64_t size() const override { return size_; }
  std::string describe(int64_t index, int64_t epoch) const override {
    return Decorator::describe(one(index, epoch), epoch);
  }

 protected:
  // Replaces each index by that of the inner source.
  virtual void map(std::span<int64_t> indices, int64_t epoch) const = 0;

  Sample read_item(int64_t index, int64_t epoch) const override {
    return item_of(inner(), one(index, epoch), epoch);
  }
  Sample read_items(std::span<const int64_t> indices, int64_t epoch) const override {
    std::vector<int64_t> mapped(indices.begin(), indices.end());
    map(mapped, epoch);
    return items_of(inner(), mapped, epoch);
  }

 private:
  int64_t one(int64_t index, int64_t epoch) const {
    map({&index, 1}, epoch);
    return index;
  }

  int64_t size_;
};

}  // namespace tenon::data
