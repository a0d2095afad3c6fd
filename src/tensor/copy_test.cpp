#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numeric>
#include <random>

#include "tensor/tensor.h"

namespace tenon {
namespace {

constexpr DType kReal[] = {DType::f32, DType::u8,   DType::i8,     DType::u16, DType::i16,
                           DType::i32, DType::i64,  DType::f16,    DType::f64, DType::u32,
                           DType::u64, DType::bf16, DType::boolean};

template <class Body>
auto with_type(DType type, Body&& body) {
  switch (type) {
    case DType::f32: return body(float{});
    case DType::f64: return body(double{});
    case DType::f16: return body(f16{});
    case DType::bf16: return body(bf16{});
    case DType::u8: return body(uint8_t{});
    case DType::i8: return body(int8_t{});
    case DType::u16: return body(uint16_t{});
    case DType::i16: return body(int16_t{});
    case DType::u32: return body(uint32_t{});
    case DType::i32: return body(int32_t{});
    case DType::u64: return body(uint64_t{});
    case DType::i64: return body(int64_t{});
    default: return body(bool{});
  }
}

// 64 bits of mantissa: holds every value of every real type.
template <class T>
long double exact(T value) {
  if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>)
    return static_cast<float>(value);
  else
    return static_cast<long double>(value);
}

// Nearest even with `digits` bits of mantissa, by the book.
long double round_to(long double x, int digits, int min_exponent, int max_exponent) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), min_exponent);
  const long double quantum = std::ldexp(1.0L, exponent - digits + 1);
  const long double rounded = std::nearbyint(x / quantum) * quantum;
  return std::fabs(rounded) >= std::ldexp(1.0L, max_exponent + 1) ? std::copysign(HUGE_VALL, x)
                                                                  : rounded;
}

// What copy_elements() documents, said in another way.
template <class To, class From>
long double expected(From value) {
  const long double x = exact(value);
  if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_same_v<To, f16>) {
    return round_to(x, 11, -14, 15);
  } else if constexpr (std::is_same_v<To, bf16>) {
    return round_to(x, 8, -126, 127);
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_integral_v<From>) {
    return static_cast<To>(value);
  } else {
    if (std::isnan(x)) return 0;
    const long double whole = std::trunc(x) + 0.0L;  // no -0
    return std::clamp(whole, static_cast<long double>(std::numeric_limits<To>::min()),
                      static_cast<long double>(std::numeric_limits<To>::max()));
  }
}

template <class T>
std::vector<T> samples() {
  std::vector<T> list;
  if constexpr (std::is_same_v<T, bool>) {
    return {true, false};
  } else if constexpr (std::is_integral_v<T>) {
    for (const T edge :
         {std::numeric_limits<T>::min(), T{0}, T{100}, std::numeric_limits<T>::max()})
      for (int d = -3; d <= 3; ++d)
        list.push_back(static_cast<T>(static_cast<uint64_t>(edge) + static_cast<uint64_t>(d)));
    for (int bit = 0; bit < std::numeric_limits<T>::digits; ++bit)
      for (int d = -1; d <= 1; ++d)
        list.push_back(static_cast<T>((T{1} << bit) + static_cast<T>(d)));
    // Beside the halfway points of the 16-bit floats.
    for (const uint64_t x : {0x1010000001ULL, 0x10100000000001ULL, 0x1018000000000000ULL,
                             0x101ULL << 40, 0x1008001ULL})
      list.push_back(static_cast<T>(x));
  } else {
    for (const double x :
         {0.0,      -0.0,      0.5,         1.5,          2.5,          -0.999,        127.0,
          127.5,    128.0,     -128.5,      -129.0,       255.5,        256.0,         65504.0,
          65519.9,  65520.0,   1e5,         2147483647.0, 2147483648.0, -2147483649.0, 9.3e18,
          -9.3e18,  1.9e19,    1e30,        -1e300,       1e-8,         1e-40,         1e-310,
          HUGE_VAL, -HUGE_VAL, std::nan("")})
      list.push_back(T(static_cast<std::conditional_t<sizeof(T) == 2, float, T>>(x)));
    if constexpr (std::is_same_v<T,
                                 double>)  // a hair beside halfway: rounding twice gets these wrong
      for (const double x : {1 + 0x1p-11, 1 + 0x1p-8, 3 + 0x1p-10, 0x1.01p-30, 0x1p-25})
        for (const double d : {0x1p-45, -0x1p-45, 0x1p-30})
          list.insert(list.end(), {x, x + x * d, -x - x * d});
  }
  return list;
}

TEST(Copy, EveryPairOfTypes) {
  for (const DType from : kReal) {
    with_type(from, [&](auto from_tag) {
      using From = decltype(from_tag);
      const std::vector<From> list = samples<From>();
      const auto count = static_cast<int64_t>(list.size());
      Tensor source = Tensor::empty({count}, from);
      std::copy(list.begin(), list.end(), source.data<From>());
      Tensor spread = Tensor::empty({count, 3}, from);  // the same with gaps
      spread.select(1, 1).copy_from(source);
      for (const DType to : kReal) {
        with_type(to, [&](auto to_tag) {
          using To = decltype(to_tag);
          Tensor target = Tensor::empty({count}, to);
          copy_elements(source, target);
          Tensor gaps = Tensor::empty({count, 2}, to);
          gaps.select(1, 0).copy_from(spread.select(1, 1));
          for (int64_t i = 0; i < count; ++i) {
            const From value = source.data<From>()[i];
            const long double want = expected<To>(value);
            const long double got = exact(target.data<To>()[i]);
            if (std::isnan(want)) {
              EXPECT_TRUE(std::isnan(got));
            } else {
              EXPECT_EQ(got, want) << name(from) << " " << exact(value) << " to " << name(to);
              EXPECT_EQ(std::signbit(got), std::signbit(want));
              EXPECT_EQ(exact(gaps.data<To>()[i * 2]), want);
            }
          }
          return 0;
        });
      }
      return 0;
    });
  }
}

// An element found by its index, as bytes or as text.
std::string element(const Tensor& tensor, const Shape& index) {
  int64_t position = 0;
  for (size_t i = 0; i < index.rank(); ++i) position += index[i] * tensor.strides()[i];
  if (tensor.dtype() == DType::string) return tensor.data<std::string>()[position];
  const auto* first = static_cast<const char*>(tensor.raw()) +
                      position * static_cast<int64_t>(size_of(tensor.dtype()));
  return {first, size_of(tensor.dtype())};
}

Tensor random_bytes(const Shape& shape, DType type, std::mt19937& random) {
  Tensor tensor = Tensor::empty(shape, type);
  if (type == DType::string) {
    for (int64_t i = 0; i < tensor.numel(); ++i)
      tensor.data<std::string>()[i] =
          std::string(random() % 40, static_cast<char>('a' + random() % 26));
  } else {
    auto* bytes = static_cast<unsigned char*>(tensor.raw());
    for (size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<unsigned char>(random());
  }
  return tensor;
}

// A view of the wanted shape with a random layout: permuted, with gaps, backwards, at an offset.
Tensor random_view(const Shape& shape, DType type, std::mt19937& random) {
  Shape order(shape.rank(), 0);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  Shape outer(shape.rank(), 0);
  Shape gap(shape.rank(), 1);
  Shape inverse(shape.rank(), 0);
  for (size_t i = 0; i < shape.rank(); ++i) {
    const auto axis = static_cast<size_t>(order[i]);
    inverse[axis] = static_cast<int64_t>(i);
    if (random() % 3 == 0) gap[i] = 2;
    outer[i] = shape[axis] * gap[i] + static_cast<int64_t>(random() % 3 == 0);
  }
  Tensor view = random_bytes(outer, type, random).permute(inverse);
  for (size_t i = 0; i < shape.rank(); ++i) {
    const auto axis = static_cast<int64_t>(i);
    const int64_t step = gap[static_cast<size_t>(inverse[i])];
    view = view.slice(axis, 0, shape[i] * step, step);
    if (random() % 4 == 0) view = view.slice(axis, -1, INT64_MIN, -1);
  }
  EXPECT_EQ(view.shape(), shape);
  return view;
}

TEST(Copy, AnyLayoutToAnyLayout) {
  std::mt19937 random(5);
  const DType types[] = {DType::u8,  DType::bf16, DType::f32,
                         DType::i64, DType::c128, DType::string};
  for (int round = 0; round < 600; ++round) {
    Shape shape;
    for (size_t i = random() % 5; i > 0; --i) shape.push_back(static_cast<int64_t>(random() % 7));
    if (round % 10 == 0)
      shape = {static_cast<int64_t>(random() % 100), static_cast<int64_t>(random() % 100)};
    const DType type = types[random() % std::size(types)];
    Shape narrow = shape;  // what the source broadcasts from
    for (int64_t& size : narrow)
      if (random() % 5 == 0) size = 1;
    while (!narrow.empty() && random() % 5 == 0) narrow.erase(0);
    const Tensor source = random_view(narrow, type, random);
    Tensor target = random_view(shape, type, random);
    copy_elements(source, target);
    Shape index(shape.rank(), 0);
    for (int64_t n = shape.numel(); n > 0; --n) {
      Shape from(narrow.rank(), 0);
      for (size_t i = 0; i < narrow.rank(); ++i)
        from[i] = narrow[i] == 1 ? 0 : index[i + shape.rank() - narrow.rank()];
      ASSERT_EQ(element(target, index), element(source, from))
          << shape.str() << " from " << narrow.str();
      for (size_t i = shape.rank(); i-- > 0;) {
        if (++index[i] < shape[i]) break;
        index[i] = 0;
      }
    }
  }
}

TEST(Copy, ConvertsInAnyLayout) {
  std::mt19937 random(6);
  for (int round = 0; round < 300; ++round) {
    Shape shape;
    for (size_t i = random() % 4; i > 0; --i) shape.push_back(static_cast<int64_t>(random() % 50));
    Tensor source = random_view(shape, DType::i16, random);
    for (const DType to : {DType::f32, DType::i8, DType::f64, DType::i64}) {
      Tensor target = random_view(shape, to, random);
      copy_elements(source, target);
      const std::vector<int64_t> from = source.to_vector<int64_t>();
      const std::vector<int64_t> got = target.to_vector<int64_t>();
      for (size_t i = 0; i < from.size(); ++i)
        ASSERT_EQ(got[i], to == DType::i8 ? static_cast<int8_t>(from[i]) : from[i]) << shape.str();
    }
  }
}

TEST(Copy, LargeCopiesOnManyThreads) {
  const int64_t rows = 1500;
  const int64_t columns = 1100;
  const Tensor x = Tensor::arange(rows * columns).reshape({rows, columns});
  const Tensor t = x.transpose(0, 1).contiguous();
  const Tensor f = x.transpose(0, 1).slice(0, 0, columns);
  Tensor converted = Tensor::empty({columns, rows}, DType::f32);
  copy_elements(f, converted);
  const Tensor same = x.clone();
  Tensor wide = Tensor::empty({rows * columns}, DType::f64);
  copy_elements(x.reshape({rows * columns}), wide);
  int64_t wrong = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t value = i * columns + j;
      wrong += t.data<int64_t>()[j * rows + i] != value;
      wrong += converted.data<float>()[j * rows + i] != static_cast<float>(value);
      wrong += same.data<int64_t>()[value] != value;
      wrong += wide.data<double>()[value] != static_cast<double>(value);
    }
  EXPECT_EQ(wrong, 0);
}

TEST(Copy, OverlappingViews) {
  Tensor x = Tensor::arange(6);
  x.slice(0, 1, 6).copy_from(x.slice(0, 0, 5));
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 1, 2, 3, 4}));
  x = Tensor::arange(4);
  x.copy_from(x.slice(0, -1, INT64_MIN, -1));
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{3, 2, 1, 0}));
  x = Tensor::arange(4).reshape({2, 2});
  x.copy_from(x.transpose(0, 1));
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{0, 2, 1, 3}));
  x.copy_from(x);
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{0, 2, 1, 3}));
}

TEST(Copy, Complex) {
  Tensor x = Tensor::full({3}, 2, DType::c128);
  static_cast<std::complex<double>*>(x.raw())[1] = {1, -4};
  Tensor y = Tensor::empty({3}, DType::c64);
  copy_elements(x, y);
  EXPECT_EQ(static_cast<std::complex<float>*>(y.raw())[1], std::complex<float>(1, -4));
  Tensor real = Tensor::empty({3});
  EXPECT_THROW(copy_elements(x, real), Error);
}

TEST(Copy, BorrowedBoolsMayHoldAnyByte) {
  std::vector<uint8_t> bytes = {0, 1, 2, 255};
  const Tensor flags = Tensor::borrow(bytes.data(), {4}, DType::boolean);
  EXPECT_EQ(flags.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 1, 1}));
}

TEST(Copy, WrongCalls) {
  const auto message_of = [](auto&& body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  };
  Tensor x = Tensor::zeros({2, 3});
  EXPECT_EQ(message_of([&] { x.copy_from(Tensor::zeros({2})); }),
            "copy: shape [2] does not broadcast to [2, 3]; sizes must be equal or 1, counted from "
            "the last axis");
  EXPECT_EQ(message_of([&] { x.copy_from(Tensor::zeros({3}, DType::string)); }),
            "copy: there is no conversion from string to f32; convert with the Cast operator");
  EXPECT_EQ(message_of([&] { Tensor::zeros({1}).expand({3}).copy_from(Tensor::zeros({3})); }),
            "copy: axis 0 of the target of shape [3] is expanded, so its elements share memory; "
            "clone() it first");
  EXPECT_THROW(Tensor::zeros({2}, DType::string).fill(1), Error);
}

}  // namespace
}  // namespace tenon
