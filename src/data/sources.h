// The sources that come with Tenon; data/recipe.h makes them from a recipe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/source.h"

namespace tenon::data {

// Items in memory (or in a mapped file): item i of every column is values[i].
struct Column {
  std::string name;
  Tensor values;  // [items, ...]
  Role role = Role::value;
  std::vector<std::string> classes = {};
};
// Columns share the number of items, their first size (usage). `origin` is what errors call them.
SourcePtr tensor_source(std::vector<Column> columns, std::string origin = "the tensors");

// The files of MNIST and its kin, plain or gzip, read whole into memory. Fields: "image", and
// "label" (i64) where labels are given. Fails (data) on a malformed or truncated file.
struct IdxOptions {
  std::string images;
  std::string labels = "";
  std::vector<std::string> classes = {};
};
SourcePtr idx_source(const IdxOptions& options);
// The array in one file's bytes, whose errors begin with `where`. gzip may expand to `max_bytes`.
Tensor decode_idx(std::span<const std::byte> bytes, std::string_view where,
                  uint64_t max_bytes = uint64_t{8} << 30);

// A folder of folders of JPEG and PNG files, one a class: cats/0001.jpg, dogs/x/1.png. Classes are
// numbered in the order of their names, files sorted. Fields: "image" (u8 [height, width,
// channels], decoded on every read) and "label" (i64), whose `classes` are the names of the
// folders.
struct ImageFolderOptions {
  std::string path;
  int channels = 3;                       // 1 or 3
  std::vector<std::string> classes = {};  // fixes names and order; other folders are an error
  int64_t max_pixels = 100'000'000;
};
SourcePtr image_folder(const ImageFolderOptions& options);

// NumPy's .npy files, one a column, mapped: a file larger than memory will do.
struct NpyColumn {
  std::string name;
  std::string path;
  Role role = Role::value;
};
SourcePtr npy_source(const std::vector<NpyColumn>& columns);
// The array in one file. Little-endian numbers and booleans in C order; others are refused.
Tensor map_npy(const std::string& path);

}  // namespace tenon::data
