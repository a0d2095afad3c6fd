// Tensors between ONNX files and memory: every encoding that TensorProto has.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace onnx {
class SparseTensorProto;
class TensorProto;
}  // namespace onnx

namespace tenon {
class MappedFile;
}

namespace tenon::formats {

// The files beside a model that hold its large tensors, each mapped once. Locations that lead out
// of the model's folder, by their text or by symbolic links, are refused (data).
class ExternalData {
 public:
  // Without a folder (a model that is not a file) every external tensor is refused.
  explicit ExternalData(std::string folder = {}) : folder_(std::move(folder)) {}

  struct Range {
    std::shared_ptr<const void> owner;  // keeps `bytes` alive
    std::span<const std::byte> bytes;
  };
  // All tensors lie in these bytes, wherever they are said to be.
  explicit ExternalData(Range section) : section_(std::move(section)) {}

  // `bytes` of the file `location` from `offset`; `where` begins the messages.
  Range find(const std::string& location, uint64_t offset, uint64_t bytes, std::string_view where);

  bool is_used() const { return !files_.empty(); }

 private:
  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
  std::optional<Range> section_;
};

// ONNX's name of a TensorProto.DataType, those that Tenon has no type for included: "FLOAT8E4M3FN".
std::string data_type_name(int data_type);
// The type of that number; fails (unsupported) where Tenon has none. `where` begins the message.
DType dtype_of_file(int data_type, std::string_view where);

// The contents. Fails (data) when dims and data do not agree; nothing is allocated before that is
// known. Elements of 4 and 2 bits, packed in files, get a byte each. External data is shown where
// it lies in the mapped file, read-only, unless `copy` or packed. Where `raw` is not empty it is
// the raw data, instead of the message's.
Tensor read_tensor(const ::onnx::TensorProto& proto, ExternalData& external, std::string_view where,
                   bool copy = false, std::span<const std::byte> raw = {});
// The dense form; fails (unsupported) past 1 GiB.
Tensor read_sparse_tensor(const ::onnx::SparseTensorProto& proto, ExternalData& external,
                          std::string_view where);

// Type, dims and contents (raw_data, string_data for strings); not the name.
void write_tensor(const Tensor& tensor, ::onnx::TensorProto& proto);

}  // namespace tenon::formats
