#include "data/source.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "data/decorators.h"
#include "data/testing.h"
#include "data/transform.h"

namespace tenon::data {
namespace {

std::vector<int64_t> iota(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(Sample, FindsByName) {
  Sample sample{{"image", Tensor::scalar(1)}, {"label", Tensor::scalar(2)}};
  sample.set("label", Tensor::scalar(3));
  sample.set("weight", Tensor::scalar(4));
  EXPECT_EQ(sample.size(), 3U);
  EXPECT_EQ(sample["label"].item<double>(), 3);
  EXPECT_TRUE(sample.has("weight"));
  EXPECT_FAILURE(sample["lable"],
                 "usage: sample: no tensor is called 'lable'; did you mean 'label'?");
}

TEST(Schema, Describes) {
  const Schema schema{{"image", DType::u8, {kVaries, kVaries, 3}, Role::image},
                      {"label", DType::i64, {}}};
  EXPECT_EQ(schema.str(), "image: u8 [?, ?, 3], label: i64 []");
  EXPECT_FALSE(schema.is_fixed());
  EXPECT_TRUE(schema["label"].is_fixed());
  EXPECT_EQ(parse_role("mask"), Role::mask);
  EXPECT_FAILURE(parse_role("boxs"), "did you mean 'boxes'?");
}

TEST(Source, ChecksIndices) {
  const SourcePtr source = numbers(3);
  EXPECT_EQ(source->read(2)["x"].item<int64_t>(), 2);
  EXPECT_FAILURE(source->read(3), "usage: source: item 3 is outside 0 to 2; there are 3 items");
  EXPECT_FAILURE(source->read(-1), "item -1");
  EXPECT_FAILURE(source->read_batch(std::vector<int64_t>{0, 3}), "item 3");
  EXPECT_FAILURE(source->read_batch({}), "a batch of no items");
}

TEST(Source, CollatesEqualShapesOnly) {
  const Sample two{{"x", Tensor::from<float>({1, 2}, {2})}, {"s", Tensor::strings({"a"}, {})}};
  const Sample other{{"x", Tensor::from<float>({3, 4}, {2})}, {"s", Tensor::strings({"b"}, {})}};
  const Sample batch = collate(std::vector{two, other});
  EXPECT_EQ(batch["x"].shape(), (Shape{2, 2}));
  EXPECT_EQ(batch["x"].to_vector<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(batch["s"].data<std::string>()[1], "b");
  const Sample longer{{"x", Tensor::from<float>({1, 2, 3}, {3})},
                      {"s", Tensor::strings({"a"}, {})}};
  EXPECT_FAILURE(collate(std::vector{two, longer}),
                 "data: collate: x is f32 [2] in one item and f32 [3] in another");
}

TEST(Shuffle, PermutesAnewEveryEpoch) {
  const SourcePtr source = shuffle(numbers(100), 7);
  const auto first = all(source, 0);
  const auto second = all(source, 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, all(shuffle(numbers(100), 8), 0));
  EXPECT_EQ(first, all(shuffle(numbers(100), 7), 0));
  EXPECT_EQ(first, all(source, 0)) << "after other epochs were read";
  for (auto values : {first, second}) {
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, iota(100));
  }
  EXPECT_TRUE(source->varies());
  EXPECT_EQ(source->describe(0, 0), "item " + std::to_string(first[0]) + " of numbers");
}

TEST(Shuffle, PutsEveryItemEverywhere) {
  const SourcePtr source = shuffle(numbers(4), 3);
  int counts[4][4] = {};
  constexpr int kEpochs = 4000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const auto order = all(source, epoch);
    for (size_t place = 0; place < 4; ++place) ++counts[place][order[place]];
  }
  // 1000 are expected each; 120 is more than four standard deviations.
  for (const auto& row : counts)
    for (const int count : row) EXPECT_NEAR(count, kEpochs / 4, 120);
}

TEST(Shuffle, OnceStays) {
  const SourcePtr source = shuffle_once(numbers(50), 7);
  EXPECT_EQ(all(source, 0), all(source, 9));
  EXPECT_NE(all(source), iota(50));
  EXPECT_FALSE(source->varies());
}

TEST(Slice, TakesRanges) {
  EXPECT_EQ(all(slice(numbers(10), 2, 8, 3)), (std::vector<int64_t>{2, 5}));
  EXPECT_EQ(all(slice(numbers(10), 1, 10, 3)), (std::vector<int64_t>{1, 4, 7}));
  EXPECT_EQ(all(take(numbers(10), 3)), iota(3));
  EXPECT_EQ(take(numbers(10), 30)->size(), 10);
  EXPECT_EQ(slice(numbers(10), 4, 4)->size(), 0);
  EXPECT_FAILURE(slice(numbers(10), 2, 11), "usage: slice: 2 to 11 is outside the 10 items");
  EXPECT_FAILURE(slice(numbers(10), 0, 5, 0), "step 0 is not positive");
}

TEST(Slice, SplitsWithoutOverlap) {
  for (const int64_t size : {0, 1, 7, 100}) {
    const std::vector<double> fractions{0.7, 0.2, 0.1};
    std::vector<int64_t> together;
    for (const SourcePtr& part : split(numbers(size), fractions))
      for (const int64_t value : all(part)) together.push_back(value);
    EXPECT_EQ(together, iota(size));
  }
  EXPECT_FAILURE(split(numbers(4), std::vector{0.5, 0.4}), "add up to 0.9");
}

TEST(Shard, DealsOut) {
  EXPECT_EQ(all(shard(numbers(10), 1, 4)), (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(all(shard(numbers(10), 1, 4, /*uneven=*/true)), (std::vector<int64_t>{1, 5, 9}));
  std::vector<int64_t> together;
  for (int rank = 0; rank < 4; ++rank)
    for (const int64_t value : all(shard(numbers(10), rank, 4, true))) together.push_back(value);
  std::sort(together.begin(), together.end());
  EXPECT_EQ(together, iota(10));
  EXPECT_FAILURE(shard(numbers(10), 4, 4), "rank 4 of 4 does not exist");
}

TEST(Batch, HasALeadingAxis) {
  const SourcePtr whole = batch(numbers(10), 4);
  ASSERT_EQ(whole->size(), 3);
  EXPECT_EQ(whole->schema().str(), "x: i64 [?]");
  EXPECT_EQ(whole->read(2)["x"].to_vector<int64_t>(), (std::vector<int64_t>{8, 9}));
  const SourcePtr even = batch(numbers(10), 4, /*drop_last=*/true);
  EXPECT_EQ(even->size(), 2);
  EXPECT_EQ(even->schema().str(), "x: i64 [4]");
  EXPECT_FAILURE(batch(numbers(3), 0), "0 items make no batch");
}

// Every decorator must give the same items one by one and as a batch.
TEST(Source, BatchesEqualItems) {
  const std::vector<int64_t> indices{5, 0, 3, 3};
  for (const SourcePtr& source :
       {numbers(8), shuffle(numbers(8), 1), slice(numbers(9), 1, 9), shard(numbers(16), 1, 2),
        cache(numbers(8)), shuffle(cache(slice(numbers(16), 0, 16, 2)), 4)}) {
    const Sample batch = source->read_batch(indices, 2);
    for (size_t i = 0; i < indices.size(); ++i)
      EXPECT_EQ(batch["x"].to_vector<int64_t>()[i],
                source->read(indices[i], 2)["x"].item<int64_t>());
  }
}

class Counting final : public Source {
 public:
  explicit Counting(std::atomic<int>& reads) : reads_(reads) {}
  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return 10; }
  std::string describe(int64_t index, int64_t) const override {
    return "number " + std::to_string(index);
  }

 private:
  Sample read_item(int64_t index, int64_t) const override {
    ++reads_;
    TENON_CHECK(index != 9, data, "counting: nine is broken; leave it out");
    return {{"x", Tensor::scalar(static_cast<double>(index), DType::i64)}};
  }

  std::atomic<int>& reads_;
  Schema schema_{{"x", DType::i64, {}}};
};

TEST(Cache, ReadsOnce) {
  std::atomic<int> reads = 0;
  const SourcePtr source = cache(std::make_shared<Counting>(reads));
  for (int round = 0; round < 3; ++round) EXPECT_EQ(source->read(4)["x"].item<int64_t>(), 4);
  EXPECT_EQ(reads, 1);
}

TEST(Cache, StopsAtItsLimit) {
  std::atomic<int> reads = 0;
  const SourcePtr source = cache(std::make_shared<Counting>(reads), 2 * sizeof(int64_t));
  for (int round = 0; round < 2; ++round)
    for (int64_t i = 0; i < 4; ++i) source->read(i);
  EXPECT_EQ(reads, 2 + 2 * 2) << "two kept, two read twice";
}

TEST(Cache, RefusesWhatVaries) {
  EXPECT_FAILURE(cache(shuffle(numbers(4), 1)), "put cache under shuffle");
}

TEST(Source, NamesTheItemThatFailed) {
  std::atomic<int> reads = 0;
  const auto source = std::make_shared<Counting>(reads);
  EXPECT_EQ(failure([&] { source->read(9); }),
            "data: counting: nine is broken; leave it out\n  while reading item 9 (number 9)");
  const SourcePtr batches = batch(slice(source, 1, 10), 3);
  EXPECT_EQ(failure([&] { batches->read(2); }),
            "data: counting: nine is broken; leave it out\n  while reading item 9 (number 9)\n"
            "  while reading item 2 (batch starting at number 7)");
}

}  // namespace
}  // namespace tenon::data
