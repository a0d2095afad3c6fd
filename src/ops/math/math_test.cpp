// Values that are fixed by definition, where agreement between backends and finite differences says
// nothing: integers at their limits, text, ties, the point 0, older ONNX forms.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "ops/infer.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"

namespace tenon {
namespace {

template <class T>
Tensor vector_of(std::initializer_list<T> values) {
  return Tensor::from<T>(values, {static_cast<int64_t>(values.size())});
}

Tensor cast(const Tensor& x, DType to) { return op::Cast(x, {{"to", static_cast<int64_t>(to)}}); }

using Ints = std::vector<int32_t>;
using Floats = std::vector<float>;
using Texts = std::vector<std::string>;

TEST(Div, TruncatesIntegersAndNeverTraps) {
  const Tensor y = op::Div(vector_of<int32_t>({7, -7, 7, -7, INT32_MIN, 5, 0}),
                           vector_of<int32_t>({2, 2, -2, -2, -1, 0, 0}));
  EXPECT_EQ(y.to_vector<int32_t>(), (Ints{3, -3, -3, 3, INT32_MIN, 0, 0}));
  const Tensor wide =
      op::Div(vector_of<int64_t>({INT64_MIN, INT64_MIN}), vector_of<int64_t>({-1, 0}));
  EXPECT_EQ(wide.to_vector<int64_t>(), (std::vector<int64_t>{INT64_MIN, 0}));
}

TEST(Mod, TakesTheSignOfTheDivisorOrOfTheDividend) {
  const Tensor a = vector_of<int32_t>({-4, 7, 5, 4, -7, 8, INT32_MIN, 3});
  const Tensor b = vector_of<int32_t>({2, -3, 8, -2, 3, 5, -1, 0});
  EXPECT_EQ(op::Mod(a, b).to_vector<int32_t>(), (Ints{0, -2, 5, 0, 2, 3, 0, 0}));
  EXPECT_EQ(op::Mod(a, b, {{"fmod", 1}}).to_vector<int32_t>(), (Ints{0, 1, 5, 0, -1, 3, 0, 0}));
}

TEST(Pow, OfIntegersIsExact) {
  const Tensor y = op::Pow(vector_of<int64_t>({3, -3, 2, -1, -1, 1, 0, 0}),
                           vector_of<int32_t>({39, 3, -1, -3, -4, -9, -1, 0}));
  EXPECT_EQ(y.to_vector<int64_t>(),
            (std::vector<int64_t>{4052555153018976267, -27, 0, -1, 1, 1, 0, 1}));
  const Tensor by_float = op::Pow(vector_of<int32_t>({1, 2, 3}), vector_of<float>({4, 5, 6}));
  EXPECT_EQ(by_float.to_vector<int32_t>(), (Ints{1, 32, 729}));
}

TEST(Pow, HasGradientsAtZero) {
  Tensor x = vector_of<double>({0, 0, 0, 2}), y = vector_of<double>({0, 1, 2, 3});
  x.requires_grad_();
  y.requires_grad_();
  op::Pow(x, y).backward(Tensor::ones({4}, DType::f64));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 1, 0, 12}));
  EXPECT_EQ(y.grad().to_vector<double>(), (std::vector<double>{0, 0, 0, 8 * std::log(2.0)}));
}

TEST(Round, SendsHalvesToEven) {
  const Tensor y =
      op::Round(vector_of<float>({0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 2.4F, -2.6F}));
  EXPECT_EQ(y.to_vector<float>(), (Floats{0, 2, 2, 0, -2, -2, 2, -3}));
}

TEST(MinMax, NanWinsAndTiesShareTheGradient) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = vector_of<float>({nan, 1, 1}), b = vector_of<float>({1, nan, 1});
  for (const OpDef* op : {&op::Min, &op::Max}) {
    const auto y = (*op)(a, b).to_vector<float>();
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << op->name;
    EXPECT_EQ(y[2], 1) << op->name;
  }
  Tensor x = vector_of<float>({1, 5}), y = vector_of<float>({1, 2}), z = vector_of<float>({0, 5});
  for (Tensor* tensor : {&x, &y, &z}) tensor->requires_grad_();
  op::Max(x, y, z).backward(Tensor::ones({2}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0.5F, 0.5F}));
  EXPECT_EQ(y.grad().to_vector<float>(), (Floats{0.5F, 0}));
  EXPECT_EQ(z.grad().to_vector<float>(), (Floats{0, 0.5F}));
}

TEST(Clip, LetsTheUpperBoundWin) {
  const Tensor y = op::Clip(vector_of<float>({0, 2, 9}), Tensor::scalar(5), Tensor::scalar(3));
  EXPECT_EQ(y.to_vector<float>(), (Floats{3, 3, 3}));
}

TEST(Cast, SaturatesFloatsAndWrapsIntegers) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      cast(vector_of<float>({-1.9F, 1.9F, 300, -300, inf, NAN}), DType::i8).to_vector<int8_t>(),
      (std::vector<int8_t>{-1, 1, 127, -128, 127, 0}));
  EXPECT_EQ(cast(vector_of<int16_t>({200, -200, 256}), DType::i8).to_vector<int8_t>(),
            (std::vector<int8_t>{-56, 56, 0}));
  EXPECT_EQ(cast(vector_of<float>({0.5F, -0.0F, NAN}), DType::boolean).to_vector<bool>(),
            (std::vector<bool>{true, false, true}));
  // 1 + 2^-11 + 2^-40 lies above the midpoint of two halves; by way of f32 it would fall onto it.
  EXPECT_EQ(
      cast(cast(vector_of<double>({1 + 0x1p-11 + 0x1p-40}), DType::f16), DType::f64).item<double>(),
      1 + 0x1p-10);
}

TEST(Cast, WritesTheShortestTextThatReadsBack) {
  const auto text = [](const Tensor& x) { return cast(x, DType::string).to_vector<std::string>(); };
  EXPECT_EQ(
      text(vector_of<float>({0.97676112F, 0.1F, 1, -2.5F, 1e-5F, 1e16F, 123456789.0F, 0, -0.0F})),
      (Texts{"0.9767611", "0.1", "1.0", "-2.5", "1e-05", "1e+16", "123456790.0", "0.0", "-0.0"}));
  EXPECT_EQ(text(vector_of<double>({0.1, 1e-4, 12345.678, 1.5e300, INFINITY, -INFINITY, NAN})),
            (Texts{"0.1", "0.0001", "12345.678", "1.5e+300", "INF", "-INF", "NaN"}));
  EXPECT_EQ(text(cast(vector_of<float>({0.1F, 65504}), DType::f16)), (Texts{"0.1", "65500.0"}));
  EXPECT_EQ(text(vector_of<int64_t>({INT64_MIN, 7})), (Texts{"-9223372036854775808", "7"}));
  EXPECT_EQ(text(vector_of<uint64_t>({UINT64_MAX})), (Texts{"18446744073709551615"}));
  EXPECT_EQ(text(vector_of<bool>({true, false})), (Texts{"True", "False"}));
}

TEST(Cast, ReadsText) {
  const auto read = [](const std::vector<std::string>& texts, DType to) {
    return cast(Tensor::strings(texts, {static_cast<int64_t>(texts.size())}), to);
  };
  EXPECT_EQ(read({"3.25", "1000", " +1e-2 ", "1E8", "1e999", "-1e999", "1e-999"}, DType::f64)
                .to_vector<double>(),
            (std::vector<double>{3.25, 1000, 1e-2, 1e8, INFINITY, -INFINITY, 0}));
  const auto special = read({"nan", "NaN", "+INF", "inf", "-Inf"}, DType::f32).to_vector<float>();
  EXPECT_TRUE(std::isnan(special[0]) && std::isnan(special[1]));
  EXPECT_EQ(Floats(special.begin() + 2, special.end()), (Floats{INFINITY, INFINITY, -INFINITY}));
  EXPECT_EQ(read({"42", "-7", "100.5", "9223372036854775807"}, DType::i64).to_vector<int64_t>(),
            (std::vector<int64_t>{42, -7, 100, INT64_MAX}));
  EXPECT_EQ(read({"18446744073709551615"}, DType::u64).to_vector<uint64_t>(),
            (std::vector<uint64_t>{UINT64_MAX}));
  EXPECT_EQ(read({"True", "false", "0", "2"}, DType::boolean).to_vector<bool>(),
            (std::vector<bool>{true, false, false, true}));
  try {
    read({"1", "Hello"}, DType::f32);
    FAIL() << "read a word as a number";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(error.message().find("element 1 is \"Hello\", which is no number; use"),
              std::string::npos)
        << error.what();
  }
}

// -- Sizes ----------------------------------------------------------------------------------------

TensorType sizes(std::vector<Dim> values) {
  TensorType type{.dtype = DType::i64};
  type.dims = {Dim(static_cast<int64_t>(values.size()))};
  type.values = std::move(values);
  return type;
}

std::vector<Dim> values_of(const OpDef& op, const std::vector<TensorType>& inputs,
                           const Attrs& attrs = {}) {
  return infer(op, attrs, inputs, 1)[0].values.value();
}

TEST(Sizes, GoThroughArithmetic) {
  const Dim batch = Dim::symbol("batch"), seq = Dim::symbol("seq");
  const TensorType shape = sizes({batch, seq, 64});
  EXPECT_EQ(values_of(op::Mul, {shape, sizes({2})}), (std::vector<Dim>{batch * 2, seq * 2, 128}));
  EXPECT_EQ(values_of(op::Div, {shape, sizes({4})}),
            (std::vector<Dim>{batch.floor_div(4), seq.floor_div(4), 16}));
  EXPECT_EQ(values_of(op::Cast, {shape}, {{"to", static_cast<int64_t>(DType::i32)}}),
            (std::vector<Dim>{batch, seq, 64}));
  // seq - 5 may be negative, where rounding down is not truncation.
  const TensorType below = sizes({seq - 5});
  EXPECT_TRUE(values_of(op::Div, {below, sizes({2})})[0].is_unknown());
  EXPECT_TRUE(values_of(op::Mod, {below, sizes({2})})[0].is_unknown());
}

TEST(Sizes, AreNotFollowedWhereIntegersWrap) {
  EXPECT_TRUE(values_of(op::Mul, {sizes({INT64_MAX}), sizes({2})})[0].is_unknown());
  TensorType narrow = sizes({INT32_MAX});
  narrow.dtype = DType::i32;
  EXPECT_TRUE(values_of(op::Add, {narrow, narrow})[0].is_unknown());
  narrow.dtype = DType::u8;
  EXPECT_FALSE(infer(op::Add, {}, std::vector{narrow, narrow}, 1)[0].values.has_value());
}

TEST(Sizes, GoThroughComparisons) {
  const Dim batch = Dim::symbol("batch");
  const TensorType given = sizes({-1, batch, 3});
  TensorType mask = infer(op::Equal, {}, std::vector{given, sizes({-1})}, 1)[0];
  EXPECT_EQ(mask.dtype, DType::boolean);
  EXPECT_EQ(mask.values.value(), (std::vector<Dim>{1, 0, 0}));
  EXPECT_EQ(values_of(op::Where, {mask, sizes({1}), given}), (std::vector<Dim>{1, batch, 3}));
}

TEST(MatMul, KeepsSymbolicSizes) {
  const auto matrix = [](Dims dims) {
    TensorType type{.dtype = DType::f32};
    type.dims = std::move(dims);
    return type;
  };
  const Dim batch = Dim::symbol("batch"), seq = Dim::symbol("seq");
  const auto y =
      infer(op::MatMul, {}, std::vector{matrix({batch, seq, 64}), matrix({64, 3})}, 1)[0];
  EXPECT_EQ(str(y.dims), "[batch, seq, 3]");
}

// -- Older ONNX forms -----------------------------------------------------------------------------

OnnxNode node(std::string_view type, int opset, TensorList inputs, Attrs attrs = {}) {
  return {.name = "n",
          .domain = "",
          .op_type = std::string(type),
          .opset = opset,
          .inputs = std::move(inputs),
          .attrs = std::move(attrs)};
}

Tensor upgraded(const OpDef& op, size_t form, TensorList inputs, const Attrs& attrs) {
  const OnnxForm::Older& older = op.onnx.older[form];
  return older.upgrade(node(op.name, older.since, std::move(inputs), attrs)).at(0);
}

TEST(OlderForms, KeepTheirMeaning) {
  const Tensor x = vector_of<float>({-3, 0.5F, 3});
  EXPECT_EQ(upgraded(op::Clip, 0, {x}, {{"max", 1.0}}).to_vector<float>(), (Floats{-3, 0.5F, 1}));
  EXPECT_EQ(upgraded(op::Clip, 0, {x}, {{"min", -1.0}, {"max", 1.0}}).to_vector<float>(),
            (Floats{-1, 0.5F, 1}));
  EXPECT_EQ(upgraded(op::Cast, 0, {x}, {{"to", "INT64"}}).dtype(), DType::i64);
  EXPECT_FLOAT_EQ(upgraded(op::Selu, 0, {vector_of<float>({1})}, {}).item<float>(), 1.0507F);
  // A slope a channel, and B aligned with A from an axis.
  const Tensor ones = Tensor::full({1, 2, 2}, -1);
  EXPECT_EQ(upgraded(op::PRelu, 0, {ones, vector_of<float>({2, 3})}, {}).to_vector<float>(),
            (Floats{-2, -2, -3, -3}));
  EXPECT_EQ(upgraded(op::Add, 0, {ones, vector_of<float>({2, 3})}, {{"broadcast", 1}, {"axis", 1}})
                .to_vector<float>(),
            (Floats{1, 1, 2, 2}));
}

TEST(OlderForms, AreWrittenWhereTheyCanSayIt) {
  OnnxNode clip = node("Clip", 10, {vector_of<float>({1}), Tensor::scalar(-1), Tensor()});
  op::Clip.onnx.lower(clip);
  EXPECT_EQ(clip.inputs.size(), 1U);
  EXPECT_EQ(clip.attrs.str(), Attrs({{"min", -1.0}}).str());

  OnnxNode gemm = node("Gemm", 9, {Tensor::ones({2, 2}), Tensor::ones({2, 2})});
  op::Gemm.onnx.lower(gemm);
  EXPECT_EQ(gemm.inputs.size(), 3U);

  OnnxNode pow = node("Pow", 7, {vector_of<float>({1}), vector_of<int64_t>({2})});
  EXPECT_THROW(op::Pow.onnx.lower(pow), Error);
}

}  // namespace
}  // namespace tenon
