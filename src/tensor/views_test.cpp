#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "tensor/tensor.h"

namespace tenon {
namespace {

using Values = std::vector<int64_t>;

Values values(const Tensor& tensor) { return tensor.to_vector<int64_t>(); }

TEST(Views, ShareStorage) {
  Tensor x = Tensor::arange(6).reshape({2, 3});
  x.slice(1, 1, 2).fill(-1);
  EXPECT_EQ(values(x), (Values{0, -1, 2, 3, -1, 5}));
  EXPECT_EQ(x.transpose(0, 1).storage(), x.storage());
}

TEST(Views, SliceLikeNumPy) {
  const Tensor x = Tensor::arange(5);
  EXPECT_EQ(values(x.slice(0, 1, 3)), (Values{1, 2}));
  EXPECT_EQ(values(x.slice(0, -2, 100)), (Values{3, 4}));
  EXPECT_EQ(values(x.slice(0, 0, INT64_MAX, 2)), (Values{0, 2, 4}));
  EXPECT_EQ(values(x.slice(0, 3, 1)), Values{});
  EXPECT_EQ(values(x.slice(0, -1, INT64_MIN, -1)), (Values{4, 3, 2, 1, 0}));
  EXPECT_EQ(values(x.slice(0, 100, 0, -2)), (Values{4, 2}));
  EXPECT_EQ(values(x.slice(0, 3, -4, -1)), (Values{3, 2}));
  EXPECT_EQ(values(x.slice(0, 0, 5, INT64_MAX)), (Values{0}));
  EXPECT_EQ(values(x.slice(0, 4, INT64_MIN, INT64_MIN)), (Values{4}));
  EXPECT_EQ(values(x.slice(0, INT64_MIN, INT64_MAX)), values(x));
  EXPECT_EQ(values(Tensor::arange(0).slice(0, 0, 5)), Values{});
  EXPECT_EQ(values(Tensor::arange(0).slice(0, -1, INT64_MIN, -1)), Values{});
  EXPECT_THROW((void)x.slice(0, 0, 5, 0), Error);
  EXPECT_THROW((void)x.slice(1, 0, 5), Error);
}

TEST(Views, SelectPermuteExpand) {
  const Tensor x = Tensor::arange(6).reshape({2, 3});
  EXPECT_EQ(values(x.select(1, -1)), (Values{2, 5}));
  EXPECT_EQ(values(x.select(0, 1).select(0, 0)), Values{3});
  EXPECT_EQ(values(x.permute({1, 0})), (Values{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(values(x.select(0, 0).expand({2, 3})), (Values{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(values(Tensor::scalar(7, DType::i64).expand({3})), (Values{7, 7, 7}));
  EXPECT_THROW((void)x.select(0, 2), Error);
  EXPECT_THROW((void)x.permute({0, 0}), Error);
  EXPECT_THROW((void)x.permute({0}), Error);
  EXPECT_THROW((void)x.expand({3, 3}), Error);
  EXPECT_THROW((void)x.expand({3}), Error);
}

TEST(Views, SqueezeAndUnsqueeze) {
  const Tensor x = Tensor::arange(6).reshape({2, 3});
  EXPECT_EQ(x.unsqueeze(-1).shape(), Shape({2, 3, 1}));
  EXPECT_EQ(x.unsqueeze(0).strides(), Shape({6, 3, 1}));
  EXPECT_TRUE(x.unsqueeze(1).is_contiguous());
  EXPECT_EQ(x.unsqueeze(1).squeeze(1).shape(), x.shape());
  EXPECT_THROW((void)x.squeeze(0), Error);
  EXPECT_THROW((void)x.unsqueeze(4), Error);
}

TEST(Views, ViewsWhereStridesAllow) {
  const Tensor x = Tensor::arange(24).reshape({2, 3, 4});
  const Tensor t = x.transpose(0, 1);  // [3, 2, 4]
  EXPECT_FALSE(t.try_view({6, 4}).defined());
  EXPECT_EQ(t.try_view({3, 2, 2, 2}).strides(), Shape({4, 12, 2, 1}));
  EXPECT_EQ(x.slice(2, 0, 2).try_view({6, 2}).strides(), Shape({4, 1}));
  EXPECT_FALSE(x.slice(2, 0, 2).try_view({12}).defined());
  EXPECT_EQ(values(t.reshape({24})), values(t));
  EXPECT_EQ(t.unsqueeze(1).try_view({3, 1, 2, 1, 4, 1}).shape(), Shape({3, 1, 2, 1, 4, 1}));
  EXPECT_EQ(Tensor::zeros({1}).expand({6}).try_view({2, 3}).strides(), Shape({0, 0}));
  EXPECT_EQ(Tensor::zeros({0, 3}).try_view({3, 0}).shape(), Shape({3, 0}));
  EXPECT_EQ(Tensor::scalar(1).try_view({1, 1}).shape(), Shape({1, 1}));
  EXPECT_EQ(Tensor::zeros({1, 1}).try_view({}).rank(), 0U);
  EXPECT_THROW((void)x.try_view({23}), Error);
}

// A model of a view: the values it must show, in row-major order.
struct Model {
  Shape shape;
  Values values;

  int64_t at(const Shape& index) const {
    int64_t position = 0;
    for (size_t i = 0; i < shape.rank(); ++i) position = position * shape[i] + index[i];
    return values[static_cast<size_t>(position)];
  }
};

template <class Source>
Model remake(const Shape& shape, Source&& source) {
  Model model{shape, {}};
  Shape index(shape.rank(), 0);
  for (int64_t n = shape.numel(); n > 0; --n) {
    model.values.push_back(source(index));
    for (size_t i = shape.rank(); i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
  return model;
}

// Random chains of views against the model, checked by to_vector() and by the strides alone.
TEST(Views, RandomChainsAgreeWithIndexArithmetic) {
  std::mt19937 random(11);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int round = 0; round < 500; ++round) {
    Shape shape;
    for (int64_t i = pick(0, 4); i > 0; --i) shape.push_back(pick(1, 4));
    Tensor x = Tensor::arange(shape.numel()).reshape(shape);
    Model model{shape, values(x)};
    for (int step = 0; step < 5; ++step) {
      const auto rank = static_cast<int64_t>(x.rank());
      const int64_t axis = rank ? pick(0, rank - 1) : 0;
      const auto a = static_cast<size_t>(axis);
      const int64_t size = rank ? x.shape()[a] : 0;
      Shape next = x.shape();
      switch (pick(0, 6)) {
        case 0: {
          if (rank == 0 || size == 0) break;
          const int64_t start = pick(0, size - 1);
          const int64_t stride = pick(1, 2);
          const bool back = pick(0, 1) == 1;
          next[a] = back ? start / stride + 1 : (size - start + stride - 1) / stride;
          x = back ? x.slice(axis, start, INT64_MIN, -stride) : x.slice(axis, start, size, stride);
          model = remake(next, [&](Shape i) {
            i[a] = start + (back ? -stride : stride) * i[a];
            return model.at(i);
          });
          break;
        }
        case 1: {
          if (rank == 0) break;
          Shape order(x.rank(), 0);
          std::iota(order.begin(), order.end(), 0);
          std::shuffle(order.begin(), order.end(), random);
          for (size_t i = 0; i < x.rank(); ++i) next[i] = x.shape()[static_cast<size_t>(order[i])];
          x = x.permute(order);
          model = remake(next, [&](const Shape& i) {
            Shape source(i.rank(), 0);
            for (size_t k = 0; k < i.rank(); ++k) source[static_cast<size_t>(order[k])] = i[k];
            return model.at(source);
          });
          break;
        }
        case 2: {
          if (rank == 0 || size == 0) break;
          const int64_t index = pick(0, size - 1);
          next.erase(a);
          x = x.select(axis, pick(0, 1) ? index : index - size);
          model = remake(next, [&](Shape i) {
            i.insert(a, index);
            return model.at(i);
          });
          break;
        }
        case 3: {
          if (rank > 4) break;
          const int64_t place = pick(0, rank);
          next.insert(static_cast<size_t>(place), 1);
          x = x.unsqueeze(place);
          model.shape = next;
          break;
        }
        case 4: {
          if (rank > 4) break;
          const int64_t copies = pick(1, 3);
          next.insert(0, copies);
          x = x.expand(next);
          model = remake(next, [&](Shape i) {
            i.erase(0);
            return model.at(i);
          });
          break;
        }
        case 5: {
          const Shape flat{x.numel()};
          const Tensor view = x.try_view(flat);
          x = view ? view : x.reshape(flat);
          model.shape = flat;
          break;
        }
        default:
          if (rank == 0 || size % 2 != 0) break;
          next[a] = size / 2;
          next.insert(a + 1, 2);
          if (next.rank() > 6) break;
          ASSERT_TRUE(x.try_view(next).defined()) << "splitting an axis never needs a copy";
          x = x.try_view(next);
          model.shape = next;
      }
      ASSERT_EQ(x.shape(), model.shape);
      ASSERT_EQ(values(x), model.values) << x.str();
      const auto* first = x.data<int64_t>();
      const Model read = remake(x.shape(), [&](const Shape& i) {
        int64_t position = 0;
        for (size_t k = 0; k < i.rank(); ++k) position += i[k] * x.strides()[k];
        return first[position];
      });
      ASSERT_EQ(read.values, model.values);
      if (!x.is_contiguous()) continue;
      ASSERT_EQ(Values(first, first + x.numel()), model.values);
    }
  }
}

}  // namespace
}  // namespace tenon
