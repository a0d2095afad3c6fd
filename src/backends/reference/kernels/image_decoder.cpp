// ImageDecoder, by the decoders that data sources use.
#include <algorithm>

#include "backends/reference/kernels/catalog.h"
#include "data/image.h"
#include "ops/image/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const bool grey = ctx.s("pixel_format") == "Grayscale", reversed = ctx.s("pixel_format") == "BGR";
  return make_kernel([size = ctx.inputs[0].numel(), grey, reversed](const RunContext& run) {
    const std::span bytes(run.input<std::byte>(0), static_cast<size_t>(size));
    // Grey comes from decoded colours, not from a file's own luma, which is rounded otherwise.
    const bool stored_grey = grey && data::probe_image(bytes).channels == 1;
    Tensor image = data::decode_image(bytes, {.channels = stored_grey ? 1 : 3});
    const int64_t pixels = image.size(0) * image.size(1);
    if (grey && !stored_grey) {
      Tensor luma = Tensor::empty({image.size(0), image.size(1), 1}, DType::u8);
      data::rgb_to_grey(image.data<uint8_t>(), luma.data<uint8_t>(), pixels);
      image = std::move(luma);
    }
    if (reversed)
      for (int64_t i = 0; i < pixels; ++i)
        std::swap(image.data<uint8_t>()[3 * i], image.data<uint8_t>()[3 * i + 2]);
    run.outputs[0] = std::move(image);
  });
}

}  // namespace

constinit const KernelList image_decoder{{&op::ImageDecoder, "reference.image_decoder", prepare}};

}  // namespace tenon::reference
