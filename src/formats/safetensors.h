// safetensors: named tensors in one file that can be mapped and cannot hold code
// (https://github.com/huggingface/safetensors, "Format").
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace tenon::formats {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::undefined;
  Shape shape;
  uint64_t offset = 0;  // of the first byte, from the start of the file
  uint64_t bytes = 0;
};
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by offset
  std::map<std::string, std::string> metadata;
};

// Reads and checks the header of a whole file in memory: every entry lies inside the file, has the
// bytes that its type and shape take, and together they cover it without gaps or overlaps. Fails
// (data; unsupported on element types that Tenon has none for). `where` begins the messages.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::string_view where);

// A mapped file.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  const std::vector<SafetensorsEntry>& entries() const { return header_.entries; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  // The entry, or null; names are exact.
  const SafetensorsEntry* find(std::string_view name) const;
  // A copy of the contents. Fails (data) on an unknown name, with the nearest one.
  Tensor read(std::string_view name) const;
  // The contents where they are mapped, which nobody may write to; the file stays mapped as long as
  // the tensor lives. A copy where the file has them at an odd address.
  Tensor view(std::string_view name) const;

 private:
  const SafetensorsEntry& entry(std::string_view name) const;

  std::shared_ptr<const MappedFile> file_;
  SafetensorsHeader header_;
};

using NamedTensorList = std::vector<std::pair<std::string, Tensor>>;

// All tensors, copied, by offset.
NamedTensorList read_safetensors(const std::string& path);

// The largest element types first, so that all are aligned, then by name: equal tensors give equal
// bytes. The file appears complete or not at all. Fails (usage) on repeated or empty names, and
// (unsupported) on strings and c128.
void write_safetensors(const std::string& path, const NamedTensorList& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace tenon::formats
