// Sources and transforms as recipes name them:
//
//   data:
//     type: idx
//     images: /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
//     labels: /usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz
//     slice: [0, 55000]
//   transforms:
//     - {type: random_crop, size: 28, padding: 2}
//     - horizontal_flip
//     - {type: normalize, mean: 0.286, std: 0.353}
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/yaml.h"
#include "data/source.h"
#include "data/transform.h"

namespace tenon::data {

struct Key {
  std::string_view name;
  std::string_view doc;
};

// One type of source; the catalogue src/data/sources holds them, one file each.
struct SourceDef {
  std::string_view name;
  std::string_view doc;
  std::span<const Key> keys;
  SourcePtr (*make)(const Config& config);
};

// One type of transform; the catalogue src/data/transforms holds them, one file each.
struct TransformDef {
  std::string_view name;
  std::string_view doc;
  std::span<const Key> keys;
  TransformPtr (*make)(const Config& config);
};

// Keys that every source takes, done in this order.
std::span<const Key> source_keys();

// The source of a map with `type` and that type's keys. Fails (data) with file and line; a misspelt
// type comes with the nearest one, a misspelt key is found by finish() of the whole recipe.
SourcePtr make_source(const Config& config);
// A list of maps with `type`, or of bare names; an absent one is empty.
std::vector<TransformPtr> make_transforms(const Config& config);

}  // namespace tenon::data
