// Parsing, and telling what a file is that is not ONNX.
#include "formats/onnx/model_file.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace tenon::formats {

namespace {

using namespace std::string_view_literals;

// protobuf counts bytes in an int.
constexpr size_t kMaxBytes = (size_t{1} << 31) - 1;

struct Signature {
  size_t at;
  std::string_view bytes;
  std::string_view what;
};
constexpr std::array kSignatures{
    Signature{0, "\xFF\xD8\xFF"sv, "a JPEG image"},
    Signature{0, "\x89PNG"sv, "a PNG image"},
    Signature{0, "PK\x03\x04"sv, "a ZIP archive (a PyTorch .pt file and an .npz are such)"},
    Signature{0, "\x89HDF"sv, "an HDF5 file (Keras writes such)"},
    Signature{0, "GGUF"sv, "a GGUF model"},
    Signature{0, "\x93NUMPY"sv, "a NumPy array"},
    Signature{0, "\x8Ftenon\r\n"sv, "an engine file of Tenon, made from a model"},
    Signature{4, "TFL3"sv, "a TensorFlow Lite model"},
    Signature{4, "ORTM"sv, "a model in ONNX Runtime's own ORT format"},
    Signature{0, "\x1F\x8B"sv, "a gzip file"},
    Signature{0, "%PDF"sv, "a PDF document"},
    Signature{0, "\x80\x02"sv, "a Python pickle"},
    Signature{0, "\x80\x04"sv, "a Python pickle"},
    Signature{8, "{\""sv, "a safetensors file"},
    Signature{0, "version https://git-lfs"sv,
              "a Git LFS pointer (fetch the model itself with git lfs pull)"},
    Signature{0, "<"sv, "an HTML or XML document"},
    Signature{0, "{"sv, "a JSON document"},
};

std::string_view recognise(std::string_view text) {
  for (const Signature& known : kSignatures)
    if (text.size() > known.at && text.substr(known.at).starts_with(known.bytes)) return known.what;
  return {};
}

}  // namespace

std::shared_ptr<::onnx::ModelProto> parse_model(std::span<const std::byte> bytes,
                                                std::string_view where) {
  TENON_CHECK(!bytes.empty(), data, "{}: the file is empty; an ONNX model is expected", where);
  TENON_CHECK(
      bytes.size() <= kMaxBytes, data,
      "{}: {}, but an ONNX file holds 2 GiB at most; keep large tensors as external data beside it",
      where, text::human_bytes(bytes.size()));
  auto model = std::make_shared<::onnx::ModelProto>();
  const bool parsed = model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (parsed && model->has_graph()) return model;
  const std::string_view seems =
      recognise({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  TENON_CHECK(seems.empty(), data, "{}: this is {}, not an ONNX model; give an .onnx file", where,
              seems);
  fail(ErrorKind::data, "{}: {}; give a complete .onnx file", where,
       parsed ? "the file holds no graph, so it is no ONNX model"
              : "the file is no ONNX model, or is damaged or truncated");
}

std::string_view canonical_domain(std::string_view domain) {
  return domain == "ai.onnx" ? "" : domain;
}

int opset_of(const ::onnx::ModelProto& model, std::string_view domain) {
  for (const auto& entry : model.opset_import())
    if (canonical_domain(entry.domain()) == domain)
      return static_cast<int>(std::clamp<int64_t>(entry.version(), 0, 1'000'000));
  // IR versions 1 and 2 knew one set of operators only.
  return model.ir_version() < 3 && domain.empty() ? 1 : 0;
}

}  // namespace tenon::formats
