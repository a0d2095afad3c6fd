#include "tensor/shape.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tenon {
namespace {

template <class Body>
std::pair<ErrorKind, std::string> error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.kind(), error.message()};
  }
  return {ErrorKind::bug, "no error"};
}

TEST(Shape, Lists) {
  Shape shape{2, 3};
  shape.push_back(5);
  shape.insert(1, 7);
  EXPECT_EQ(shape, Shape({2, 7, 3, 5}));
  shape.erase(0);
  EXPECT_EQ(shape, Shape({7, 3, 5}));
  EXPECT_EQ(shape.back(), 5);
  EXPECT_EQ(shape.vector(), (std::vector<int64_t>{7, 3, 5}));
  EXPECT_NE(shape, Shape({7, 3}));
  EXPECT_EQ(Shape(3, 9), Shape({9, 9, 9}));
  EXPECT_EQ(shape.str(), "[7, 3, 5]");
  EXPECT_EQ(Shape().str(), "[]");
}

TEST(Shape, Strides) {
  EXPECT_EQ(Shape({2, 3, 4}).row_major_strides(), Shape({12, 4, 1}));
  EXPECT_EQ(Shape({2, 0, 4}).row_major_strides(), Shape({4, 4, 1}));
  EXPECT_EQ(Shape().row_major_strides(), Shape());
}

TEST(Shape, Numel) {
  EXPECT_EQ(Shape().numel(), 1);
  EXPECT_EQ(Shape({2, 3, 4}).numel(), 24);
  const int64_t huge = int64_t{1} << 40;
  EXPECT_EQ(Shape({huge, huge, 0}).numel(), 0);
  EXPECT_EQ(Shape({0, huge, huge}).numel(), 0);
  EXPECT_EQ(error_of([&] { (void)Shape({huge, huge}).numel(); }).first, ErrorKind::resource);
  EXPECT_EQ(error_of([] {
              (void)Shape({2, -1}).numel();
            }),
            std::pair(ErrorKind::usage,
                      std::string("shape: [2, -1] has the negative size -1; sizes start at 0")));
}

TEST(Shape, RankHasALimit) {
  const auto [kind, message] = error_of([] { Shape shape(std::vector<int64_t>(13, 1)); });
  EXPECT_EQ(kind, ErrorKind::unsupported);
  EXPECT_EQ(message, "shape: rank 13 is above the 12 axes a tensor can have; merge some axes");
  Shape full(kMaxRank, 1);
  EXPECT_THROW(full.push_back(1), Error);
  EXPECT_THROW(full.insert(0, 1), Error);
}

TEST(Shape, Broadcast) {
  EXPECT_EQ(broadcast({2, 1, 4}, {3, 1}), Shape({2, 3, 4}));
  EXPECT_EQ(broadcast({}, {5}), Shape({5}));
  EXPECT_EQ(broadcast({1}, {0}), Shape({0}));
  EXPECT_EQ(error_of([] {
              (void)broadcast({2, 3}, {4});
            }).second,
            "broadcast: shapes [2, 3] and [4] do not fit: 3 against 4 on axis 1; sizes must be "
            "equal or one of them 1, "
            "counted from the last axis");
}

TEST(Shape, Axes) {
  EXPECT_EQ(normalize_axis(-1, 3, "softmax"), 2);
  EXPECT_EQ(normalize_axis(2, 3, "softmax"), 2);
  EXPECT_EQ(error_of([] { (void)normalize_axis(3, 2, "softmax"); }).second,
            "softmax: axis 3 is outside a shape of rank 2; use -2 to 1");
  EXPECT_THROW((void)normalize_axis(0, 0, "softmax"), Error);
  EXPECT_THROW((void)normalize_axis(INT64_MIN, 2, "softmax"), Error);
}

}  // namespace
}  // namespace tenon
