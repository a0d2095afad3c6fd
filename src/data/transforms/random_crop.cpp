// A window from a random place.
#include <array>

#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/crop.h"
#include "data/transforms/size_key.h"

namespace tenon::data {

namespace {

class RandomCrop final : public Transform {
 public:
  RandomCrop(int64_t height, int64_t width, int64_t padding)
      : height_(height), width_(width), padding_(padding) {}

  std::string_view name() const override { return "random_crop"; }
  bool is_random() const override { return true; }
  Roles moves() const override { return kRasters; }
  Schema schema(const Schema& in) const override {
    return cropped(name(), in, height_, width_, padding_);
  }

  void apply(const Schema& in, Sample& batch, std::span<Draw> draws) const override {
    const Raster raster = croppable(name(), in, batch, height_, width_, padding_);
    std::vector<Corner> corners;
    for (Draw& draw : draws) {
      const int64_t top =
          draw.below(static_cast<uint32_t>(raster.height + 2 * padding_ - height_ + 1));
      const int64_t left =
          draw.below(static_cast<uint32_t>(raster.width + 2 * padding_ - width_ + 1));
      corners.push_back({top - padding_, left - padding_});
    }
    for (const Field& field : in)
      if (kRasters.has(field.role))
        batch.set(field.name, cut(batch[field.name], corners, height_, width_));
  }

 private:
  int64_t height_, width_, padding_;
};

TransformPtr make(const Config& config) {
  const auto [height, width] = read_size(config);
  return random_crop(height, width, config.get_in<int64_t>("padding", 0, 0, 65536));
}

constexpr std::array kKeys{kSizeKey,
                           Key{"padding", "zero pixels put around the image first (default 0)"}};

}  // namespace

constinit const TransformDef transforms::RandomCrop{"random_crop", "a window from a random place",
                                                    kKeys, make};

TransformPtr random_crop(int64_t height, int64_t width, int64_t padding) {
  return std::make_shared<RandomCrop>(height, width, padding);
}

}  // namespace tenon::data
