// Mirrors left and right.
#include <algorithm>
#include <array>
#include <cstring>

#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/raster.h"

namespace tenon::data {

namespace {

// Reverses `width` pixels of `bytes` bytes.
void mirror(const std::byte* from, std::byte* to, int64_t width, size_t bytes) {
  if (bytes == 1) {
    std::reverse_copy(from, from + width, to);
    return;
  }
  for (int64_t x = 0; x < width; ++x)
    std::memcpy(to + static_cast<size_t>(x) * bytes,
                from + static_cast<size_t>(width - 1 - x) * bytes, bytes);
}

class HorizontalFlip final : public Transform {
 public:
  explicit HorizontalFlip(double p) : p_(p) {
    TENON_CHECK(p >= 0 && p <= 1, usage, "horizontal_flip: p {} is no probability; use 0 to 1", p);
  }

  std::string_view name() const override { return "horizontal_flip"; }
  bool is_random() const override { return p_ > 0 && p_ < 1; }
  Roles moves() const override { return kRasters; }
  Schema schema(const Schema& in) const override {
    return changed(name(), in, kRasters, [](Field&) {});
  }

  void apply(const Schema& in, Sample& batch, std::span<Draw> draws) const override {
    std::vector<bool> flip;
    for (Draw& draw : draws) flip.push_back(static_cast<double>(draw.uniform()) < p_);
    if (std::find(flip.begin(), flip.end(), true) == flip.end()) return;
    for (const Field& field : in) {
      if (!kRasters.has(field.role)) continue;
      const Tensor x = batch[field.name].contiguous();
      const Raster raster = raster_of(x);
      Tensor y = Tensor::empty(x.shape(), x.dtype());
      const size_t pixel = static_cast<size_t>(raster.channels) * size_of(x.dtype());
      const size_t row = pixel * static_cast<size_t>(raster.width);
      const size_t image = row * static_cast<size_t>(raster.height);
      for (size_t n = 0; n < flip.size(); ++n) {
        const auto* from = static_cast<const std::byte*>(x.raw()) + n * image;
        auto* to = static_cast<std::byte*>(y.raw()) + n * image;
        if (!flip[n])
          std::memcpy(to, from, image);
        else
          for (size_t at = 0; at < image; at += row)
            mirror(from + at, to + at, raster.width, pixel);
      }
      batch.set(field.name, std::move(y));
    }
  }

 private:
  double p_;
};

TransformPtr make(const Config& config) {
  return horizontal_flip(config.get_in<double>("p", 0.5, 0, 1));
}

constexpr std::array kKeys{Key{"p", "the probability, 0 to 1 (default 0.5)"}};

}  // namespace

constinit const TransformDef transforms::HorizontalFlip{
    "horizontal_flip", "mirrors left and right at random", kKeys, make};

TransformPtr horizontal_flip(double p) { return std::make_shared<HorizontalFlip>(p); }

}  // namespace tenon::data
