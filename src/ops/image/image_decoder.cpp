// ImageDecoder: the pixels of an image file.
#include <string_view>

#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 1, "encoded_stream is {}; give the bytes of one file, u8[length]",
            ctx.str(0));
  ctx.output(0, {Dim::unknown(), Dim::unknown(), ctx.s("pixel_format") == "Grayscale" ? 1 : 3});
}

Arg file(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return arg::fixed(
      Tensor::from<uint8_t>(std::span(data, bytes.size()), {static_cast<int64_t>(bytes.size())}));
}

void samples(Samples& s) {
  const Arg colour = file("P6 2 1 255\nabcdef"), grey = file("P5 1 2 255\nab");
  for (const char* format : {"RGB", "BGR", "Grayscale"}) {
    s.add({colour}, {{"pixel_format", format}});
    s.add({grey}, {{"pixel_format", format}});
  }
  s.bad({arg::fixed(Tensor::zeros({2, 2}, DType::u8))}, {}, "give the bytes of one file");
  s.bad({grey}, {{"pixel_format", "RGBA"}}, "use one of RGB, BGR, Grayscale");
}

}  // namespace

constinit const OpDef ImageDecoder{
    .name = "ImageDecoder",
    .doc =
        "The pixels [height, width, channels] of an image file: JPEG, PNG, BMP, PNM, WebP, TIFF "
        "or JPEG 2000.",
    .inputs = {{"encoded_stream", "T"}},
    .outputs = {{"image", "T"}},
    .types = {{"T", types(DType::u8)}},
    .attrs = {attr_s("pixel_format", "RGB", "RGB|BGR|Grayscale")},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("a file's bytes are a code"),
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
