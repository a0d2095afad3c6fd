#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon {
namespace {

class Nothing final : public Attachment {};

std::string message_of(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(Tensor, Making) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(x.dtype(), DType::f32);
  EXPECT_EQ(x.shape(), Shape({2, 3}));
  EXPECT_EQ(x.strides(), Shape({3, 1}));
  EXPECT_EQ(x.bytes(), 24U);
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Tensor::zeros({2}).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(Tensor::ones({2}, DType::bf16).to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(Tensor::full({2}, -2.7, DType::i8).to_vector<int64_t>(),
            (std::vector<int64_t>{-2, -2}));
  EXPECT_EQ(Tensor::arange(4).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(Tensor::arange(3, DType::f16).to_vector<double>(), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(Tensor::ints({3, 4}).shape(), Shape({2}));
  EXPECT_EQ(Tensor::scalar(3).rank(), 0U);
  EXPECT_EQ(Tensor::strings({"a", "b"}, {2, 1}).to_vector<std::string>(),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Tensor::from<bool>({true, false}, {2}).to_vector<bool>(),
            (std::vector<bool>{true, false}));
  EXPECT_EQ(Tensor::zeros({3}, DType::string).to_vector<std::string>(),
            std::vector<std::string>(3));
  EXPECT_EQ(Tensor::empty({0, 5}).numel(), 0);
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, WrongCalls) {
  EXPECT_EQ(
      message_of([] {
        (void)Tensor::from<float>({1, 2}, {3});
      }),
      "Tensor::from: 2 values do not fill shape [3] of 3 elements; give one value an element");
  EXPECT_EQ(message_of([] { (void)Tensor::empty({2}, DType::undefined); }),
            "Tensor::empty: the element type is undefined; name one, such as f32");
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_EQ(message_of([&] { (void)x.data<double>(); }),
            "Tensor::data: the elements are f32, not f64; ask for their type or convert with to()");
  EXPECT_EQ(message_of([&] { (void)x.item<float>(); }),
            "Tensor::item: shape [2, 3] holds 6 elements; item() reads exactly one, to_vector() "
            "reads all");
  EXPECT_EQ(message_of([&] { (void)Tensor().item<float>(); }),
            "Tensor::item: the tensor is undefined; give one that holds elements");
  EXPECT_EQ(message_of([&] { (void)x.size(2); }),
            "Tensor::size: axis 2 is outside a shape of rank 2; use -2 to 1");
  EXPECT_EQ(message_of([&] {
              (void)Tensor::empty_strided({2, 3}, {4, 1}, DType::f32);
            }),
            "Tensor::empty_strided: strides [4, 1] do not lay out shape [2, 3] as one block "
            "without gaps; "
            "use a permutation of its row-major strides");
  EXPECT_THROW((void)Tensor::over(x.storage(), 1, {2, 3}, {3, 1}, DType::f32), Error);
  EXPECT_THROW((void)Tensor::over(x.storage(), 0, {2}, {INT64_MAX}, DType::f32), Error);
  EXPECT_THROW((void)Tensor::over(x.storage(), 0, {2}, {-1}, DType::f32), Error);
}

TEST(Tensor, ItemIsExactForIntegers) {
  const int64_t big = (int64_t{1} << 60) + 1;
  EXPECT_EQ(Tensor::ints({big}).item<int64_t>(), big);
  EXPECT_EQ(Tensor::from<uint64_t>({UINT64_MAX}, {1}).item<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(Tensor::scalar(2.9).item<int>(), 2);
  EXPECT_EQ(Tensor::scalar(2.5).item<float>(), 2.5F);
  EXPECT_TRUE(Tensor::scalar(0.5).item<bool>());
}

TEST(Tensor, BorrowedMemoryIsReleasedOnce) {
  int released = 0;
  std::vector<float> data = {1, 2, 3, 4};
  {
    Tensor view;
    {
      Tensor x = Tensor::borrow(data.data(), {2, 2}, DType::f32, [&] { ++released; });
      view = x.select(0, 1);
    }
    EXPECT_EQ(released, 0);
    view.fill(9);
  }
  EXPECT_EQ(released, 1);
  EXPECT_EQ(data, (std::vector<float>{1, 2, 9, 9}));
}

TEST(Tensor, VersionCountsInPlaceChanges) {
  Tensor x = Tensor::zeros({2, 2});
  const uint32_t before = x.version();
  x.select(0, 0).copy_from(Tensor::ones({2}));
  EXPECT_EQ(x.version(), before + 1);
  x.fill(3);
  EXPECT_EQ(x.version(), before + 2);
}

TEST(Tensor, Density) {
  const Tensor x = Tensor::zeros({2, 3, 4});
  EXPECT_TRUE(x.permute({2, 0, 1}).is_dense());
  EXPECT_FALSE(x.permute({2, 0, 1}).is_contiguous());
  EXPECT_FALSE(x.slice(2, 0, 2).is_dense());
  EXPECT_FALSE(x.slice(0, -1, INT64_MIN, -1).is_dense());
  EXPECT_FALSE(Tensor::zeros({1, 3}).expand({2, 3}).is_dense());
  EXPECT_TRUE(x.slice(0, 1, 2).is_contiguous());
  EXPECT_TRUE(x.slice(1, 0, 0).is_contiguous());
  EXPECT_TRUE(Tensor::empty_strided({2, 3}, {1, 2}, DType::f32).is_dense());
}

TEST(Tensor, Symbolic) {
  const Tensor x = Tensor::symbolic(DType::f32, {Dim::symbol("batch"), 3}, make_ref<Nothing>());
  EXPECT_TRUE(x.is_symbolic());
  EXPECT_EQ(x.rank(), 2U);
  EXPECT_EQ(x.size(1), 3);
  EXPECT_EQ(x.dims(), (Dims{Dim::symbol("batch"), 3}));
  EXPECT_EQ(x.str(), "f32 [batch, 3] symbolic");
  EXPECT_EQ(message_of([&] { (void)x.data<float>(); }),
            "Tensor::data: the tensor of shape [batch, 3] is symbolic and holds no elements yet; "
            "run the graph first");
  EXPECT_THROW((void)x.size(0), Error);
  EXPECT_THROW((void)x.transpose(0, 1), Error);
  const Tensor fixed = Tensor::symbolic(DType::f32, {2, 3}, make_ref<Nothing>());
  EXPECT_EQ(fixed.shape(), Shape({2, 3}));
  EXPECT_EQ(fixed.numel(), 6);
}

TEST(Tensor, Text) {
  EXPECT_EQ(Tensor::from<float>({1, -2, 3, 4}, {2, 2}).str(),
            "f32 [2, 2]\n[[ 1., -2.],\n [ 3.,  4.]]");
  EXPECT_EQ(Tensor::from<float>({1, 2.5}, {2}).str(), "f32 [2] [1.0000, 2.5000]");
  EXPECT_EQ(Tensor::from<double>({1e-9, 1e9}, {2}).str(), "f64 [2] [1.0000e-09, 1.0000e+09]");
  EXPECT_EQ(Tensor::from<float>({HUGE_VALF, -HUGE_VALF, NAN}, {3}).str(),
            "f32 [3] [inf, -inf, nan]");
  EXPECT_EQ(Tensor::scalar(2, DType::i32).str(), "i32 [] 2");
  EXPECT_EQ(Tensor::from<uint64_t>({UINT64_MAX}, {1}).str(), "u64 [1] [18446744073709551615]");
  EXPECT_EQ(Tensor::from<bool>({true, false}, {2}).str(), "bool [2] [true, false]");
  EXPECT_EQ(Tensor::strings({"a", "b\"c"}, {2}).str(), "string [2] [\"a\", \"b\\\"c\"]");
  EXPECT_EQ(Tensor::zeros({2, 0}).str(), "f32 [2, 0] []");
  EXPECT_EQ(Tensor::full({1}, 1.5, DType::c64).str(), "c64 [1] [1.5000+0.0000j]");
  EXPECT_EQ(Tensor::arange(1000).str(), "i64 [1000] [0, 1, 2, ..., 997, 998, 999]");
  EXPECT_EQ(Tensor::arange(8).reshape({2, 2, 2}).str(),
            "i64 [2, 2, 2]\n[[[0, 1],\n  [2, 3]],\n\n [[4, 5],\n  [6, 7]]]");
  EXPECT_EQ(Tensor().str(), "undefined tensor");
}

}  // namespace
}  // namespace tenon
