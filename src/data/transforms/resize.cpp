// Resampling: images by a triangle filter, masks by the nearest pixel.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/raster.h"
#include "data/transforms/size_key.h"

namespace tenon::data {

namespace {

constexpr int64_t kMaxSide = 65536;

// For each new position the old ones that it mixes: weights[i * width + k] of old position first[i]
// + k.
struct Taps {
  int64_t width = 0;
  std::vector<int64_t> first;
  std::vector<int64_t> count;
  std::vector<float> weights;
};

// A triangle of half-width max(1, from/to) old pixels around the new pixel's centre, cut off at the
// borders and scaled to sum 1: bilinear when growing, area-like when shrinking.
Taps taps(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(1.0, scale);
  Taps result;
  result.width = static_cast<int64_t>(std::ceil(reach)) * 2 + 1;
  result.weights.resize(static_cast<size_t>(to * result.width));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - reach + 0.5));
    const auto end = std::min(from, static_cast<int64_t>(centre + reach + 0.5));
    float* weights = result.weights.data() + i * result.width;
    double sum = 0;
    for (int64_t k = first; k < end; ++k) {
      const double weight =
          std::max(0.0, 1 - std::abs(static_cast<double>(k) + 0.5 - centre) / reach);
      weights[k - first] = static_cast<float>(weight);
      sum += weight;
    }
    for (int64_t k = 0; k < end - first; ++k) weights[k] = static_cast<float>(weights[k] / sum);
    result.first.push_back(first);
    result.count.push_back(end - first);
  }
  return result;
}

// One row to a new width: `kTogether` neighbouring channels, which start at `from` and `to`, of
// pixels of `channels`.
template <int kTogether, class T>
void across(const T* from, float* to, const Taps& columns, int64_t channels) {
  for (size_t i = 0; i < columns.first.size(); ++i, to += channels) {
    const T* pixel = from + columns.first[i] * channels;
    const float* weights = columns.weights.data() + static_cast<int64_t>(i) * columns.width;
    float sum[kTogether] = {};
    for (int64_t k = 0; k < columns.count[i]; ++k, pixel += channels)
      for (int c = 0; c < kTogether; ++c) sum[c] += weights[k] * static_cast<float>(pixel[c]);
    for (int c = 0; c < kTogether; ++c) to[c] = sum[c];
  }
}

// One image: rows first into `middle` [in.height, width, channels], then columns.
template <class T>
void resample(const T* x, T* y, const Raster& in, const Taps& rows, const Taps& columns,
              std::vector<float>& middle) {
  const auto width = static_cast<int64_t>(columns.first.size());
  const auto height = static_cast<int64_t>(rows.first.size());
  const int64_t stride = width * in.channels;
  middle.resize(static_cast<size_t>(in.height * stride));
  for (int64_t r = 0; r < in.height; ++r) {
    const T* from = x + r * in.width * in.channels;
    float* to = middle.data() + r * stride;
    if (in.channels == 3)
      across<3>(from, to, columns, 3);
    else
      for (int64_t c = 0; c < in.channels; ++c) across<1>(from + c, to + c, columns, in.channels);
  }
  std::vector<float> line(static_cast<size_t>(stride));
  for (int64_t i = 0; i < height; ++i) {
    const auto at = static_cast<size_t>(i);
    std::fill(line.begin(), line.end(), 0.0F);
    for (int64_t k = 0; k < rows.count[at]; ++k) {
      const float weight = rows.weights[static_cast<size_t>(i * rows.width + k)];
      const float* from = middle.data() + (rows.first[at] + k) * stride;
      for (size_t j = 0; j < line.size(); ++j) line[j] += weight * from[j];
    }
    T* to = y + i * stride;
    for (size_t j = 0; j < line.size(); ++j) {
      if constexpr (std::is_same_v<T, uint8_t>)
        to[j] = static_cast<uint8_t>(std::min(line[j] + 0.5F, 255.0F));
      else
        to[j] = line[j];
    }
  }
}

template <class T>
void resample_all(const Tensor& x, Tensor& y, const Raster& in, int64_t height, int64_t width) {
  const Taps rows = taps(in.height, height);
  const Taps columns = taps(in.width, width);
  std::vector<float> middle;
  for (int64_t n = 0; n < in.count; ++n)
    resample(x.data<T>() + n * in.pixels() * in.channels,
             y.data<T>() + n * height * width * in.channels, in, rows, columns, middle);
}

void nearest_all(const Tensor& x, Tensor& y, const Raster& in, int64_t height, int64_t width) {
  const size_t pixel = static_cast<size_t>(in.channels) * size_of(x.dtype());
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.raw());
  for (int64_t n = 0; n < in.count; ++n)
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j, to += pixel) {
        const int64_t r = (2 * i + 1) * in.height / (2 * height);
        const int64_t c = (2 * j + 1) * in.width / (2 * width);
        std::memcpy(to, from + static_cast<size_t>((n * in.height + r) * in.width + c) * pixel,
                    pixel);
      }
}

class Resize final : public Transform {
 public:
  // A width of 0: `height` is the new shorter side.
  Resize(int64_t height, int64_t width) : height_(height), width_(width) {
    TENON_CHECK(height > 0 && width >= 0 && height <= kMaxSide && width <= kMaxSide, usage,
                "resize: size {} x {} is none; use 1 to {}", height, width, kMaxSide);
  }

  std::string_view name() const override { return "resize"; }
  Roles moves() const override { return kRasters; }

  Schema schema(const Schema& in) const override {
    return changed(name(), in, kRasters, [&](Field& field) {
      const auto [height, width] = target(field.shape[0], field.shape[1]);
      field.shape[0] = height;
      field.shape[1] = width;
    });
  }

  void apply(const Schema& in, Sample& batch, std::span<Draw>) const override {
    for (const Field& field : in) {
      if (!kRasters.has(field.role)) continue;
      const Tensor x = batch[field.name].contiguous();
      const Raster raster = raster_of(x);
      TENON_CHECK(raster.pixels() > 0, data, "resize: '{}' has no pixels; leave it out",
                  field.name);
      const auto [height, width] = target(raster.height, raster.width);
      if (height == raster.height && width == raster.width) continue;
      Tensor y = empty_like(x, height, width);
      if (field.role == Role::mask)
        nearest_all(x, y, raster, height, width);
      else if (x.dtype() == DType::u8)
        resample_all<uint8_t>(x, y, raster, height, width);
      else
        resample_all<float>(x, y, raster, height, width);
      batch.set(field.name, std::move(y));
    }
  }

 private:
  std::pair<int64_t, int64_t> target(int64_t height, int64_t width) const {
    if (width_ != 0) return {height_, width_};
    if (height == kVaries || width == kVaries) return {kVaries, kVaries};
    // The longer side is cut off to whole pixels, as torchvision does.
    const int64_t shorter = std::max<int64_t>(1, std::min(height, width));
    const int64_t longer = height_ * std::max(height, width) / shorter;
    TENON_CHECK(longer <= kMaxSide, data,
                "resize: {} x {} would become {} pixels long; the limit is {}", height, width,
                longer, kMaxSide);
    if (height <= width) return {height_, longer};
    return {longer, height_};
  }

  int64_t height_, width_;
};

TransformPtr make(const Config& config) {
  const Config size = config.at("size");
  if (size.is_scalar()) return resize_shorter(size.as<int64_t>());
  const auto [height, width] = read_size(config);
  return resize(height, width);
}

constexpr std::array kKeys{
    Key{"size", "[height, width], or one number for the shorter side, proportions kept"}};

}  // namespace

constinit const TransformDef transforms::Resize{
    "resize", "to another size, bilinear with antialiasing", kKeys, make};

TransformPtr resize(int64_t height, int64_t width) {
  TENON_CHECK(width > 0, usage,
              "resize: width {} is not positive; use resize_shorter to keep proportions", width);
  return std::make_shared<Resize>(height, width);
}
TransformPtr resize_shorter(int64_t size) { return std::make_shared<Resize>(size, 0); }

}  // namespace tenon::data
