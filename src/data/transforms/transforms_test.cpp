#include "data/transforms.h"

#include <algorithm>
#include <map>

#include "data/decorators.h"
#include "data/testing.h"

namespace tenon::data {
namespace {

Tensor bytes(std::vector<uint8_t> values, const Shape& shape) {
  return Tensor::from<uint8_t>(std::span<const uint8_t>(values), shape);
}
SourcePtr images(const Tensor& values) { return tensor_source({{"image", values, Role::image}}); }

// `count` different images of height x width x channels.
Tensor several(int64_t count, int64_t height, int64_t width, int64_t channels) {
  Tensor x = Tensor::empty({count, height, width, channels}, DType::u8);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<uint8_t>()[i] = static_cast<uint8_t>(philox(1, static_cast<uint64_t>(i))[0]);
  return x;
}

Tensor one(const SourcePtr& source, int64_t epoch = 0) { return source->read(0, epoch)["image"]; }

TEST(Normalize, PutsChannelsFirst) {
  const auto source = transform(images(bytes({0, 255, 51, 102, 0, 255}, {1, 1, 2, 3})),
                                {normalize({0.5F, 0, 0}, {0.5F, 1, 2})});
  EXPECT_EQ(source->schema().str(), "image: f32 [3, 1, 2]");
  EXPECT_EQ(source->schema()["image"].role, Role::value);
  const auto y = one(source).to_vector<float>();
  const std::vector<float> expected{-1, -0.2F, 1, 0, 0.1F, 0.5F};
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-6) << i;
}

TEST(Normalize, TakesGreyAndFloats) {
  const auto grey = transform(images(bytes({0, 255}, {1, 1, 2})), {normalize({0.5F}, {0.5F})});
  EXPECT_EQ(one(grey).shape(), (Shape{1, 1, 2}));
  EXPECT_NEAR(one(grey).to_vector<float>()[1], 1, 1e-6);
  const auto floats =
      transform(images(bytes({0, 255}, {1, 1, 2})), {to_float(), normalize({0.5F}, {0.5F})});
  EXPECT_NEAR(one(floats).to_vector<float>()[1], 1, 1e-6);
  EXPECT_FAILURE(normalize({0}, {0}), "usage: normalize: std 0 is not positive");
  EXPECT_FAILURE(transform(images(several(1, 2, 2, 3)), {normalize({0, 0}, {1})}),
                 "mean and std have 2 and 1 numbers for images of 3 channels");
}

TEST(Transform, SaysWhereItCannotWork) {
  const SourcePtr source = images(several(1, 4, 4, 3));
  EXPECT_FAILURE(
      transform(source, {normalize(), horizontal_flip()}),
      "usage: horizontal_flip: no field of the source (image: f32 [3, 4, 4]) is an image");
  EXPECT_FAILURE(transform(batch(source, 1), {normalize()}), "put them after normalize");
  EXPECT_FAILURE(transform(source, {random_crop(6, 4)}), "6 x 4 does not fit into 'image', 4 x 4");
  const SourcePtr boxed = tensor_source({{"image", several(1, 4, 4, 1), Role::image},
                                         {"boxes", Tensor::zeros({1, 2, 4}), Role::boxes}});
  EXPECT_FAILURE(transform(boxed, {horizontal_flip()}),
                 "unsupported: horizontal_flip: moves the image but not 'boxes' (boxes)");
  EXPECT_EQ(transform(boxed, {normalize()})->schema().size(), 2U);
}

TEST(HorizontalFlip, Mirrors) {
  const Tensor x = bytes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {1, 2, 2, 3});
  EXPECT_EQ(one(transform(images(x), {horizontal_flip(1)})).to_vector<uint8_t>(),
            (std::vector<uint8_t>{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}));
  EXPECT_EQ(one(transform(images(x), {horizontal_flip(0)})).to_vector<uint8_t>(),
            x.to_vector<uint8_t>());
  EXPECT_FALSE(transform(images(x), {horizontal_flip(1)})->varies());
  EXPECT_TRUE(transform(images(x), {horizontal_flip()})->varies());
  EXPECT_FAILURE(horizontal_flip(1.5), "p 1.5 is no probability");
}

TEST(HorizontalFlip, MirrorsHalfOfThem) {
  Tensor x = Tensor::zeros({1000, 1, 2}, DType::u8);
  for (int64_t i = 0; i < 1000; ++i) x.data<uint8_t>()[2 * i] = 1;
  const SourcePtr source = transform(images(x), {horizontal_flip()}, 5);
  int flipped = 0, changed = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const bool now = source->read(i, 0)["image"].to_vector<uint8_t>()[1] == 1;
    flipped += now;
    changed += now != (source->read(i, 1)["image"].to_vector<uint8_t>()[1] == 1);
  }
  EXPECT_NEAR(flipped, 500, 65);  // four standard deviations
  EXPECT_NEAR(changed, 500, 65);
}

TEST(Crop, CutsTheMiddle) {
  const Tensor x = bytes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, {1, 4, 4});
  EXPECT_EQ(one(transform(images(x), {center_crop(2, 2)})).to_vector<uint8_t>(),
            (std::vector<uint8_t>{6, 7, 10, 11}));
}

TEST(Crop, RandomReachesEveryPlace) {
  const Tensor x = bytes({1, 2, 3, 4}, {1, 2, 2});
  const SourcePtr source = transform(images(x), {random_crop(2, 2, 1)}, 3);
  std::map<std::vector<uint8_t>, int> seen;
  for (int64_t epoch = 0; epoch < 900; ++epoch) ++seen[one(source, epoch).to_vector<uint8_t>()];
  ASSERT_EQ(seen.size(), 9U);
  EXPECT_TRUE(seen.count({1, 2, 3, 4}));
  EXPECT_TRUE(seen.count({0, 0, 0, 1}));
  EXPECT_TRUE(seen.count({4, 0, 0, 0}));
  EXPECT_TRUE(seen.count({0, 0, 1, 2}));
  for (const auto& [pixels, count] : seen) EXPECT_NEAR(count, 100, 45);
}

TEST(Crop, PadsFarBeyondTheImage) {
  const SourcePtr source = transform(images(bytes({9}, {1, 1, 1})), {random_crop(3, 2, 5)}, 3);
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    const auto y = one(source, epoch).to_vector<uint8_t>();
    EXPECT_LE(std::count(y.begin(), y.end(), 9), 1);
    EXPECT_GE(std::count(y.begin(), y.end(), 0), 5);
  }
}

TEST(Transform, MovesMasksWithTheirImage) {
  const Tensor x = several(4, 8, 8, 1).reshape({4, 8, 8});
  Tensor mask = Tensor::empty({4, 8, 8}, DType::i64);
  mask.copy_from(x);
  const SourcePtr source =
      transform(tensor_source({{"image", x, Role::image}, {"mask", mask, Role::mask}}),
                {random_crop(6, 6, 2), horizontal_flip()}, 11);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    const Sample sample = source->read(epoch % 4, epoch);
    EXPECT_EQ(sample["image"].to_vector<int64_t>(), sample["mask"].to_vector<int64_t>());
  }
}

TEST(Resize, GrowsAsBilinearDoes) {
  const auto source = transform(images(bytes({0, 100}, {1, 1, 2})), {to_float(), resize(1, 4)});
  const auto y = one(source).to_vector<float>();
  // Centres of the new pixels lie at -0.25, 0.25, 0.75 and 1.25 of the old ones.
  const std::vector<float> expected{0, 25, 75, 100};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i] * 255, expected[i], 1e-3);
}

TEST(Resize, ShrinksByAveraging) {
  // Weights 0.75, 0.75, 0.25 at the borders and 0.25, 0.75, 0.75, 0.25 between, over their sum.
  const auto source =
      transform(images(bytes({0, 0, 100, 100, 200, 200, 40, 40}, {1, 1, 8})), {resize(1, 4)});
  EXPECT_EQ(one(source).to_vector<uint8_t>(), (std::vector<uint8_t>{14, 100, 168, 63}));
}

TEST(Resize, KeepsFlatImagesFlat) {
  for (const auto& [height, width] : {std::pair{3, 17}, {40, 2}, {1, 1}, {100, 100}})
    for (const uint8_t value : {0, 77, 255}) {
      const auto y = one(transform(images(Tensor::full({1, 9, 11, 3}, value, DType::u8)),
                                   {resize(height, width)}));
      EXPECT_EQ(y.shape(), (Shape{height, width, 3}));
      EXPECT_EQ(y.to_vector<uint8_t>(),
                std::vector<uint8_t>(static_cast<size_t>(y.numel()), value));
    }
}

TEST(Resize, KeepsProportions) {
  EXPECT_EQ(one(transform(images(several(1, 30, 20, 3)), {resize_shorter(10)})).shape(),
            (Shape{15, 10, 3}));
  EXPECT_EQ(transform(images(several(1, 20, 31, 3)), {resize_shorter(10)})->schema().str(),
            "image: u8 [10, 15, 3]");
  EXPECT_FAILURE(resize(4, 0), "use resize_shorter");
}

TEST(Resize, TakesTheNearestOfAMask) {
  const SourcePtr source =
      transform(tensor_source({{"image", several(1, 2, 2, 1), Role::image},
                               {"mask", bytes({1, 2, 3, 4}, {1, 2, 2}), Role::mask}}),
                {resize(4, 2)});
  EXPECT_EQ(source->read(0)["mask"].to_vector<uint8_t>(),
            (std::vector<uint8_t>{1, 2, 1, 2, 3, 4, 3, 4}));
}

// Images of several sizes: each number of `sizes` a square.
class Squares final : public Source {
 public:
  explicit Squares(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}
  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return static_cast<int64_t>(sizes_.size()); }
  std::string describe(int64_t index, int64_t) const override {
    return "a square of " + std::to_string(sizes_[static_cast<size_t>(index)]);
  }

 private:
  Sample read_item(int64_t index, int64_t) const override {
    const int64_t side = sizes_[static_cast<size_t>(index)];
    return {{"image", several(1, side, side, 3).select(0, 0)}};
  }
  std::vector<int64_t> sizes_;
  Schema schema_{{"image", DType::u8, {kVaries, kVaries, 3}, Role::image}};
};

TEST(Transform, BringsImagesToOneSize) {
  const auto squares = std::make_shared<Squares>(std::vector<int64_t>{5, 9, 14});
  const std::vector<int64_t> indices{2, 0, 1};
  EXPECT_FAILURE(squares->read_batch(indices),
                 "data: collate: image is u8 [14, 14, 3] in one item and u8 [5, 5, 3]");
  const SourcePtr source =
      transform(squares, {resize_shorter(8), random_crop(6, 6), normalize()}, 2);
  EXPECT_EQ(source->schema().str(), "image: f32 [3, 6, 6]");
  EXPECT_EQ(source->read_batch(indices)["image"].shape(), (Shape{3, 3, 6, 6}));
  EXPECT_EQ(failure([&] { transform(squares, {center_crop(8, 8)})->read_batch(indices); }),
            "usage: center_crop: 8 x 8 does not fit into 'image', 5 x 5 with padding 0; resize "
            "first, or pad\n"
            "  while applying center_crop\n  while reading item 0 (a square of 5)");
}

TEST(Transform, BatchesEqualItems) {
  const SourcePtr source = transform(images(several(10, 12, 10, 3)),
                                     {random_crop(10, 10, 2), horizontal_flip(), resize(8, 8),
                                      normalize({0.4F, 0.5F, 0.6F}, {0.2F})},
                                     9);
  const std::vector<int64_t> indices{7, 1, 7, 4};
  const Tensor batch = source->read_batch(indices, 3)["image"];
  for (size_t i = 0; i < indices.size(); ++i)
    EXPECT_EQ(batch.select(0, static_cast<int64_t>(i)).to_vector<float>(),
              source->read(indices[i], 3)["image"].to_vector<float>());
}

TEST(Transform, LeavesTheSourceAlone) {
  const Tensor x = several(2, 4, 4, 1);
  const auto before = x.to_vector<uint8_t>();
  const SourcePtr source = transform(images(x), {horizontal_flip(1), random_crop(4, 4, 1)}, 1);
  for (int64_t epoch = 0; epoch < 5; ++epoch) source->read(1, epoch);
  EXPECT_EQ(x.to_vector<uint8_t>(), before);
}

}  // namespace
}  // namespace tenon::data
