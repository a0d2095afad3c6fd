#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/metrics.h"
#include "data/decorators.h"
#include "data/testing.h"
#include "data/transforms.h"

namespace tenon::data {
namespace {

using Epoch = std::vector<std::vector<int64_t>>;  // the numbers of each batch

Epoch read_epoch(Loader& loader) {
  Epoch batches;
  while (const auto batch = loader.next()) batches.push_back((*batch)["x"].to_vector<int64_t>());
  return batches;
}

LoaderOptions options(int workers, int prefetch = 3) {
  return {.batch = 4, .shuffle = true, .seed = 3, .workers = workers, .prefetch = prefetch};
}

TEST(Loader, GivesEveryItemOnce) {
  Loader loader(numbers(10), options(2));
  EXPECT_EQ(loader.batches(), 3);
  EXPECT_EQ(loader.items(), 10);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> values;
    for (const auto& batch : read_epoch(loader))
      values.insert(values.end(), batch.begin(), batch.end());
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, Tensor::arange(10).to_vector<int64_t>());
  }
}

TEST(Loader, OrderDoesNotDependOnWorkers) {
  std::vector<Epoch> expected;
  Loader inline_loader(numbers(50), options(0));
  for (int epoch = 0; epoch < 3; ++epoch) expected.push_back(read_epoch(inline_loader));
  EXPECT_NE(expected[0], expected[1]);
  for (const int workers : {1, 2, 5})
    for (const int prefetch : {1, 2, 20}) {
      Loader loader(numbers(50), options(workers, prefetch));
      for (const Epoch& epoch : expected)
        EXPECT_EQ(read_epoch(loader), epoch) << workers << " " << prefetch;
    }
}

TEST(Loader, RandomTransformsDoNotDependOnWorkers) {
  Tensor x = Tensor::zeros({40, 6, 6}, DType::u8);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<uint8_t>()[i] = static_cast<uint8_t>(i);
  const SourcePtr source = transform(tensor_source({{"image", x, Role::image}}),
                                     {random_crop(6, 6, 2), horizontal_flip(), normalize()}, 1);
  std::vector<std::vector<float>> expected;
  for (const int workers : {0, 1, 3}) {
    Loader loader(source, options(workers));
    std::vector<std::vector<float>> got;
    for (int epoch = 0; epoch < 2; ++epoch)
      while (const auto batch = loader.next()) got.push_back((*batch)["image"].to_vector<float>());
    if (workers == 0)
      expected = got;
    else
      EXPECT_EQ(got, expected);
  }
}

TEST(Loader, GoesOnFromAnyState) {
  for (const int workers : {0, 2}) {
    Loader whole(numbers(18), options(workers));
    std::vector<std::optional<std::vector<int64_t>>> steps;
    std::vector<Loader::State> states;
    for (int i = 0; i < 15; ++i) {
      states.push_back(whole.state());
      const auto batch = whole.next();
      steps.push_back(batch ? std::optional((*batch)["x"].to_vector<int64_t>()) : std::nullopt);
    }
    Loader resumed(numbers(18), options(workers));
    for (size_t from = 0; from < states.size(); from += 2) {
      resumed.set_state(states[from]);
      for (size_t i = from; i < steps.size(); ++i) {
        const auto batch = resumed.next();
        ASSERT_EQ(batch.has_value(), steps[i].has_value());
        if (batch) {
          EXPECT_EQ((*batch)["x"].to_vector<int64_t>(), *steps[i]);
        }
      }
    }
  }
  Loader loader(numbers(18), options(2));
  EXPECT_FAILURE(loader.set_state({0, 6}),
                 "usage: loader: there is no batch 6 of epoch 0; an epoch has 5 batches");
}

TEST(Loader, DropsTheLastBatch) {
  Loader loader(numbers(10), {.batch = 4, .drop_last = true, .workers = 1});
  EXPECT_EQ(read_epoch(loader), (Epoch{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(loader.schema().str(), "x: i64 [4]");
  EXPECT_FAILURE(Loader(numbers(3), {.batch = 4, .drop_last = true}),
                 "usage: loader: 3 items make no batch of 4 without a smaller last one");
  EXPECT_FAILURE(Loader(numbers(0), {}), "0 items make no batch");
  EXPECT_FAILURE(Loader(numbers(3), {.batch = 0}), "batch 0, workers 2, prefetch 4");
}

TEST(Loader, RanksShareAnEpoch) {
  std::vector<int64_t> together;
  for (int64_t rank = 0; rank < 3; ++rank) {
    LoaderOptions share = options(1);
    share.rank = rank;
    share.ranks = 3;
    Loader loader(numbers(20), share);
    EXPECT_EQ(loader.items(), 6);
    for (const auto& batch : read_epoch(loader))
      together.insert(together.end(), batch.begin(), batch.end());
  }
  std::sort(together.begin(), together.end());
  EXPECT_EQ(together.size(), 18U);
  EXPECT_EQ(std::unique(together.begin(), together.end()), together.end());
}

// Numbers, one of which is broken until it is repaired; counts the reads.
class Broken final : public Source {
 public:
  explicit Broken(int64_t which) : broken(which) {}
  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return 100; }
  std::string describe(int64_t index, int64_t) const override {
    return fmt::format("{}.jpg", index);
  }

  std::atomic<int64_t> broken;
  mutable std::atomic<int> reads{0};

 private:
  Sample read_item(int64_t index, int64_t) const override {
    ++reads;
    TENON_CHECK(index != broken, data, "broken: damaged; fetch it again");
    return {{"x", Tensor::scalar(static_cast<double>(index), DType::i64)}};
  }
  Schema schema_{{"x", DType::i64, {}}};
};

TEST(Loader, TellsFailuresInTheirPlace) {
  for (const int workers : {0, 1, 3}) {
    const auto source = std::make_shared<Broken>(42);
    Loader loader(source, {.batch = 10, .workers = workers, .prefetch = 8});
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(loader.next());
    for (int attempt = 0; attempt < 2; ++attempt) {
      const std::string error = failure([&] { loader.next(); });
      EXPECT_TRUE(error.starts_with(
          "data: broken: damaged; fetch it again\n  while reading item 42 (42.jpg)\n"))
          << error;
      EXPECT_TRUE(error.ends_with("while loading batch 4 of epoch 0")) << error;
    }
    EXPECT_EQ(loader.state(), (Loader::State{0, 4}));
    source->broken = -1;
    EXPECT_EQ((*loader.next())["x"].to_vector<int64_t>()[0], 40) << "repaired";
    source->broken = 99;
    loader.set_state({0, 9});
    EXPECT_FAILURE(loader.next(), "99.jpg");
    loader.set_state({0, 10});
    EXPECT_FALSE(loader.next()) << "the end of the epoch";
  }
}

TEST(Loader, EndsAnywhere) {
  for (int batches = 0; batches < 6; ++batches) {
    Loader loader(std::make_shared<Broken>(73), {.batch = 10, .workers = 3, .prefetch = 2});
    for (int i = 0; i < batches; ++i) EXPECT_TRUE(loader.next());
  }
}

TEST(Loader, StaysWithinItsPrefetch) {
  const auto source = std::make_shared<Broken>(-1);
  Loader loader(source, {.batch = 10, .workers = 3, .prefetch = 2});
  ASSERT_TRUE(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(source->reads, 30) << "one delivered and two ahead";
}

TEST(Loader, CountsWhatItDelivers) {
  auto& batches =
      metrics::registry().counter("tenon_data_batches_total", "Batches of data delivered.");
  auto& items = metrics::registry().counter("tenon_data_items_total", "Items of data delivered.");
  const double before_batches = batches.value();
  const double before_items = items.value();
  Loader loader(numbers(10), {.batch = 4, .workers = 1});
  read_epoch(loader);
  EXPECT_EQ(batches.value() - before_batches, 3);
  EXPECT_EQ(items.value() - before_items, 10);
  EXPECT_GT(loader.waited(), 0);
}

// Many readers of one chain at once; run under ThreadSanitizer too.
TEST(Source, ReadsFromManyThreads) {
  const SourcePtr source = shuffle(cache(numbers(200)), 5);
  const auto expected = [&] {
    std::vector<std::vector<int64_t>> epochs;
    for (int64_t epoch = 0; epoch < 4; ++epoch) epochs.push_back(all(source, epoch));
    return epochs;
  }();
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 200; ++i) {
        const int64_t epoch = (i + t) % 4;
        wrong += source->read(i, epoch)["x"].item<int64_t>() !=
                 expected[static_cast<size_t>(epoch)][static_cast<size_t>(i)];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tenon::data
