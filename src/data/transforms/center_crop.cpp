// The middle of the image.
#include <array>

#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/crop.h"
#include "data/transforms/size_key.h"

namespace tenon::data {

namespace {

class CenterCrop final : public Transform {
 public:
  CenterCrop(int64_t height, int64_t width) : height_(height), width_(width) {}

  std::string_view name() const override { return "center_crop"; }
  Roles moves() const override { return kRasters; }
  Schema schema(const Schema& in) const override { return cropped(name(), in, height_, width_, 0); }

  void apply(const Schema& in, Sample& batch, std::span<Draw> draws) const override {
    const Raster raster = croppable(name(), in, batch, height_, width_, 0);
    const std::vector<Corner> corners(draws.size(),
                                      {(raster.height - height_) / 2, (raster.width - width_) / 2});
    for (const Field& field : in)
      if (kRasters.has(field.role))
        batch.set(field.name, cut(batch[field.name], corners, height_, width_));
  }

 private:
  int64_t height_, width_;
};

TransformPtr make(const Config& config) {
  const auto [height, width] = read_size(config);
  return center_crop(height, width);
}

constexpr std::array kKeys{kSizeKey};

}  // namespace

constinit const TransformDef transforms::CenterCrop{"center_crop", "the middle of the image", kKeys,
                                                    make};

TransformPtr center_crop(int64_t height, int64_t width) {
  return std::make_shared<CenterCrop>(height, width);
}

}  // namespace tenon::data
