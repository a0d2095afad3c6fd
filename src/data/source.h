// Source: items by index. Data sets, and what changes how they are seen (shuffle, slice, transform,
// batch, cache), are all sources, so they stack in any order:
//
//   SourcePtr train = idx_source({.images = "train-images.gz", .labels = "train-labels.gz"});
//   train = transform(shuffle(train, 1), {random_crop(28, 28, 4), normalize({0.286}, {0.353})}, 1);
//   Sample batch = train->read_batch(std::vector<int64_t>{0, 1, 2, 3}, /*epoch=*/5);
//
// Reading is a function of (index, epoch) alone: no source keeps a position, so any number of
// threads may read in any order and get the same samples.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "data/sample.h"

namespace tenon::data {

class Source {
 public:
  virtual ~Source() = default;

  virtual const Schema& schema() const = 0;
  virtual int64_t size() const = 0;
  // True when the same index gives different samples in different epochs.
  virtual bool varies() const { return false; }
  // Where item `index` comes from, for people: "cats/0001.jpg", "item 7 of
  // train-images-idx3-ubyte".
  virtual std::string describe(int64_t index, int64_t epoch) const = 0;

  // One item, shaped as the schema says. Thread-safe. Fails (usage) outside 0..size()-1; any
  // failure carries the context "while reading item 7 (cats/0001.jpg)".
  Sample read(int64_t index, int64_t epoch = 0) const;
  // These items along a new leading axis; the same as stacking read() of each, and for sources that
  // hold their items in memory much cheaper. Fails (data) where the shapes of items differ.
  Sample read_batch(std::span<const int64_t> indices, int64_t epoch = 0) const;

 protected:
  // What sources define; the indices were checked.
  virtual Sample read_item(int64_t index, int64_t epoch) const = 0;
  virtual Sample read_items(std::span<const int64_t> indices, int64_t epoch) const {
    return read_each(indices, epoch);
  }
  // read_item() of each, stacked, with the failing item named.
  Sample read_each(std::span<const int64_t> indices, int64_t epoch) const;

  // For sources over another source: no second check, no second context.
  static Sample item_of(const Source& source, int64_t index, int64_t epoch) {
    return source.read_item(index, epoch);
  }
  static Sample items_of(const Source& source, std::span<const int64_t> indices, int64_t epoch) {
    return source.read_items(indices, epoch);
  }
};

// Shared, because split() and shard() give several views of one source. Sources never change.
using SourcePtr = std::shared_ptr<const Source>;

// Stacks samples along a new leading axis. Fails (data) where shapes or types differ.
Sample collate(std::span<const Sample> items);

}  // namespace tenon::data
