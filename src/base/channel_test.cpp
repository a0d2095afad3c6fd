#include "base/channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tenon {
namespace {

using namespace std::chrono_literals;

TEST(Channel, KeepsOrderAndClosesAfterTheLast) {
  Channel<int> channel(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(channel.push(i));
  int four = 4;
  EXPECT_FALSE(channel.try_push(std::move(four))) << "full";
  channel.close();
  EXPECT_FALSE(channel.push(5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(channel.pop(), i);
  EXPECT_EQ(channel.pop(), std::nullopt);
  EXPECT_TRUE(channel.closed());
}

TEST(Channel, NeverHoldsMoreThanItsCapacity) {
  constexpr int kProducers = 4, kConsumers = 3, kEach = 500;
  Channel<int> channel(5);
  std::atomic<int64_t> sum{0};
  std::atomic<int> count{0};
  std::vector<std::thread> producers, consumers;
  for (int c = 0; c < kConsumers; ++c)
    consumers.emplace_back([&] {
      while (std::optional<int> value = channel.pop()) {
        EXPECT_LE(channel.size(), 5U);
        sum += *value;
        ++count;
      }
    });
  for (int p = 0; p < kProducers; ++p)
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(channel.push(p * kEach + i));
    });
  for (std::thread& thread : producers) thread.join();
  channel.close();
  for (std::thread& thread : consumers) thread.join();
  constexpr int kAll = kProducers * kEach;
  EXPECT_EQ(count, kAll);
  EXPECT_EQ(sum, int64_t{kAll} * (kAll - 1) / 2);
}

TEST(Channel, CancellingWakesBothSides) {
  Channel<int> full(1), empty(1);
  full.push(1);
  std::thread producer([&] { EXPECT_FALSE(full.push(2)); });
  std::thread consumer([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  std::this_thread::sleep_for(5ms);
  full.cancel();
  empty.cancel();
  producer.join();
  consumer.join();
  EXPECT_EQ(full.pop(), std::nullopt) << "what was inside is dropped";
}

TEST(Channel, ErrorsOfProducersReachConsumers) {
  Channel<int> channel(2);
  channel.push(1);
  channel.cancel(std::make_exception_ptr(std::runtime_error("disk gone")));
  channel.cancel(std::make_exception_ptr(std::logic_error("later")));
  EXPECT_THROW(channel.pop(), std::runtime_error);
  EXPECT_THROW(channel.try_pop(), std::runtime_error) << "for every consumer";
}

TEST(Channel, WaitsHaveAnEnd) {
  Channel<std::unique_ptr<int>> channel(1);
  EXPECT_EQ(channel.try_pop(), std::nullopt);
  EXPECT_EQ(channel.pop_for(2ms), std::nullopt);
  EXPECT_FALSE(channel.closed());
  auto value = std::make_unique<int>(7);
  EXPECT_TRUE(channel.try_push(std::move(value)));
  auto kept = std::make_unique<int>(8);
  EXPECT_FALSE(channel.try_push(std::move(kept)));
  EXPECT_NE(kept, nullptr) << "what does not fit stays with the caller";
  EXPECT_EQ(**channel.pop_for(1s), 7);
}

TEST(Channel, HasRoomForOneAtLeast) { EXPECT_EQ(Channel<int>(0).capacity(), 1U); }

}  // namespace
}  // namespace tenon
