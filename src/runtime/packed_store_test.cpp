// What is made of constants: once, or taken from what was made before.
#include "runtime/packed_store.h"

#include <gtest/gtest.h>

namespace tenon {

namespace {

TEST(PackedStore, MakesOnce) {
  PackedStore store;
  const float weights[] = {1, 2};
  int made = 0;
  const auto make = [&] {
    ++made;
    return Tensor::ones({4});
  };
  const Tensor first = store.get(weights, "blocked", make);
  EXPECT_TRUE(store.get(weights, "blocked", make).same_as(first));
  EXPECT_EQ(made, 1);
  store.get(weights, "plain", make);
  store.get(weights + 1, "blocked", make);
  EXPECT_EQ(made, 3);
  EXPECT_EQ(store.bytes(), 3 * 16);
  ASSERT_EQ(store.entries().size(), 3U);
  EXPECT_EQ(store.entries()[2].source, weights + 1);
  EXPECT_EQ(store.entries()[2].layout, digest_of("blocked"));
}

TEST(PackedStore, TakesOffersThatFit) {
  PackedStore store;
  const float weights[] = {1, 2, 3, 4, 5};
  const Tensor offered = Tensor::full({4}, 7);
  for (int i = 0; i < 5; ++i) store.offer(weights + i, digest_of("blocked"), offered);
  EXPECT_EQ(store.bytes(), 0) << "what nobody asks for is not there";
  const auto make = [] { return Tensor::ones({4}); };
  EXPECT_TRUE(store.get(weights, "blocked", make, {DType::f32, 4}).same_as(offered));
  EXPECT_TRUE(store.get(weights, "blocked", make).same_as(offered));
  // Another layout, another size, another type, and a kernel that does not say.
  EXPECT_FALSE(store.get(weights + 1, "plain", make, {DType::f32, 4}).same_as(offered));
  EXPECT_FALSE(store.get(weights + 2, "blocked", make, {DType::f32, 5}).same_as(offered));
  EXPECT_FALSE(store.get(weights + 3, "blocked", make, {DType::i32, 4}).same_as(offered));
  EXPECT_FALSE(store.get(weights + 4, "blocked", make).same_as(offered));
}

TEST(PackedStore, DigestsTellLayoutsApart) {
  EXPECT_EQ(digest_of("a"), digest_of("a"));
  EXPECT_NE(digest_of("a"), digest_of("b"));
  EXPECT_NE(digest_of("a").high, digest_of("a").low);
}

}  // namespace

}  // namespace tenon
