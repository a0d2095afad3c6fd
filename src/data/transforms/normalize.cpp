// Images to what a model takes: f32, channels first, scaled.
#include <array>

#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/raster.h"

namespace tenon::data {

namespace {

template <class T>
void run(const T* x, float* y, const Raster& in, std::span<const float> scale,
         std::span<const float> shift) {
  const int64_t pixels = in.pixels();
  const int64_t channels = in.channels;
  for (int64_t n = 0; n < in.count; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      const float a = scale[static_cast<size_t>(c)];
      const float b = shift[static_cast<size_t>(c)];
      const T* from = x + n * pixels * channels + c;
      float* to = y + (n * channels + c) * pixels;
      if (channels == 1)
        for (int64_t i = 0; i < pixels; ++i) to[i] = static_cast<float>(from[i]) * a + b;
      else
        for (int64_t i = 0; i < pixels; ++i) to[i] = static_cast<float>(from[i * channels]) * a + b;
    }
}

class Normalize final : public Transform {
 public:
  Normalize(std::vector<float> mean, std::vector<float> deviation)
      : mean_(std::move(mean)), deviation_(std::move(deviation)) {
    TENON_CHECK(!mean_.empty() && !deviation_.empty(), usage,
                "normalize: mean has {} numbers and std {}; give one, or one a channel",
                mean_.size(), deviation_.size());
    for (const float value : deviation_)
      TENON_CHECK(value > 0, usage, "normalize: std {} is not positive; use the spread of the data",
                  value);
  }

  std::string_view name() const override { return "normalize"; }

  Schema schema(const Schema& in) const override {
    return changed(name(), in, Roles(Role::image), [&](Field& field) {
      const int64_t channels = field.shape.rank() == 3 ? field.shape[2] : 1;
      if (channels != kVaries) check_channels(channels);
      field.shape = {channels, field.shape[0], field.shape[1]};
      field.type = DType::f32;
      field.role = Role::value;
    });
  }

  void apply(const Schema& in, Sample& batch, std::span<Draw>) const override {
    for (const Field& field : in) {
      if (field.role != Role::image) continue;
      const Tensor x = batch[field.name].contiguous();
      const Raster raster = raster_of(x);
      check_channels(raster.channels);
      const bool bytes = x.dtype() == DType::u8;
      std::vector<float> scale, shift;
      for (int64_t c = 0; c < raster.channels; ++c) {
        const float mean = mean_[mean_.size() == 1 ? 0 : static_cast<size_t>(c)];
        const float deviation = deviation_[deviation_.size() == 1 ? 0 : static_cast<size_t>(c)];
        scale.push_back((bytes ? 1.0F / 255 : 1.0F) / deviation);
        shift.push_back(-mean / deviation);
      }
      Tensor y = Tensor::empty({raster.count, raster.channels, raster.height, raster.width});
      if (bytes)
        run(x.data<uint8_t>(), y.data<float>(), raster, scale, shift);
      else
        run(x.data<float>(), y.data<float>(), raster, scale, shift);
      batch.set(field.name, std::move(y));
    }
  }

 private:
  void check_channels(int64_t channels) const {
    for (const size_t given : {mean_.size(), deviation_.size()})
      TENON_CHECK(given == 1 || static_cast<int64_t>(given) == channels, usage,
                  "normalize: mean and std have {} and {} numbers for images of {} channels; give "
                  "one, or one a "
                  "channel",
                  mean_.size(), deviation_.size(), channels);
  }

  std::vector<float> mean_;
  std::vector<float> deviation_;
};

TransformPtr make(const Config& config) {
  return normalize(config.get<std::vector<float>>("mean", {0}),
                   config.get<std::vector<float>>("std", {1}));
}

constexpr std::array kKeys{
    Key{"mean", "of values from 0 to 1: one number, or one a channel (default 0)"},
    Key{"std", "their standard deviation, likewise (default 1)"}};

}  // namespace

constinit const TransformDef transforms::Normalize{
    "normalize", "images to f32 [channels, height, width], (x - mean) / std", kKeys, make};

TransformPtr normalize(std::vector<float> mean, std::vector<float> deviation) {
  return std::make_shared<Normalize>(std::move(mean), std::move(deviation));
}

}  // namespace tenon::data
