// What ONNX files hold in single messages: any bytes as a tensor, a sparse tensor and an attribute
// give a value that is written and read to the same, or an Error of kind data or unsupported.
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "formats/onnx/attributes.h"
#include "formats/onnx/tensors.h"

namespace {

constexpr const char* kWhere = "input";

template <class Read>
void expect_refusal_or(const Read& read) {
  try {
    read();
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data && error.kind() != tenon::ErrorKind::unsupported)
      std::abort();
  }
}

std::string written(const tenon::Tensor& tensor) {
  onnx::TensorProto proto;
  tenon::formats::write_tensor(tensor, proto);
  return proto.SerializeAsString();
}

std::string written(const tenon::AttrValue& value) {
  onnx::AttributeProto proto;
  tenon::formats::write_attribute({"a", value}, nullptr, proto, kWhere);
  return proto.SerializeAsString();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int count = static_cast<int>(size);
  tenon::formats::ExternalData none;
  if (onnx::TensorProto proto; proto.ParseFromArray(data, count))
    expect_refusal_or([&] {
      const std::string first = written(tenon::formats::read_tensor(proto, none, kWhere));
      onnx::TensorProto again;
      if (!again.ParseFromString(first)) std::abort();
      if (written(tenon::formats::read_tensor(again, none, kWhere)) != first) std::abort();
    });
  if (onnx::SparseTensorProto proto; proto.ParseFromArray(data, count))
    expect_refusal_or([&] {
      // What is dense may be a gigabyte, honestly; here that only takes time.
      double elements = 1;
      for (const std::int64_t dim : proto.dims()) elements *= static_cast<double>(dim);
      if (elements <= 1e6) (void)tenon::formats::read_sparse_tensor(proto, none, kWhere);
    });
  if (onnx::AttributeProto proto; proto.ParseFromArray(data, count))
    expect_refusal_or([&] {
      const auto value = tenon::formats::read_attribute(proto, none, kWhere);
      if (!value) return;
      const std::string first = written(*value);
      onnx::AttributeProto again;
      if (!again.ParseFromString(first)) std::abort();
      const auto read = tenon::formats::read_attribute(again, none, kWhere);
      // An empty list without a type says nothing; with one it stays what it is.
      if (!read || written(*read) != first) std::abort();
    });
  return 0;
}
