// Reading of .npy files: any bytes give an array, which is written and read to the same, or an
// Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "tensor/npy.h"

namespace {

bool same(const tenon::Tensor& a, const tenon::Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  if (a.dtype() == tenon::DType::string)
    return a.to_vector<std::string>() == b.to_vector<std::string>();
  const auto bytes = [](const tenon::Tensor& x) {
    return std::string_view(static_cast<const char*>(x.raw()), x.bytes());
  };
  return bytes(a) == bytes(b);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tenon::Tensor tensor;
  try {
    tensor = tenon::npy::read(std::as_bytes(std::span(data, size)), "input");
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data && error.kind() != tenon::ErrorKind::unsupported)
      std::abort();
    return 0;
  }
  std::string bytes;
  try {
    bytes = tenon::npy::encode(tensor);
  } catch (const tenon::Error& error) {  // '|S' strings need not be UTF-8
    if (tensor.dtype() != tenon::DType::string || error.kind() != tenon::ErrorKind::usage)
      std::abort();
    return 0;
  }
  if (!same(tenon::npy::read(std::as_bytes(std::span(bytes))), tensor)) std::abort();
  return 0;
}
