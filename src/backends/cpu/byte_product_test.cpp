// The kernels of 8-bit products with packed weights: exactly what the reference computes, on every
// instruction set, in all forms of packing.
#include "backends/cpu/byte_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "backends/cpu/testing.h"
#include "base/random.h"
#include "ops/microsoft/catalog.h"
#include "ops/quant/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/packed_store.h"
#include "runtime/prepared_call.h"

namespace tenon {
namespace {

Tensor random(const Shape& shape, double low, double high, DType type) {
  Generator generator(static_cast<uint64_t>(shape.numel()) + 7);
  Tensor x = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>(low + (high - low) * generator.uniform());
  Tensor y = Tensor::empty(shape, type);
  y.copy_from(x);
  return y;
}
Tensor bytes(const Shape& shape, DType type) {
  return type == DType::i8 ? random(shape, -128, 127.9, type) : random(shape, 0, 255.9, type);
}
Tensor scales(const Shape& shape, double low = 0.001, double high = 0.01) {
  return random(shape, low, high, DType::f32);
}

// One call by the kernel of that name, its inputs from the second on being constants. Undefined
// where it refuses.
Tensor by_kernel(const OpDef& op, const TensorList& inputs, const Attrs& attrs,
                 std::string_view kernel) {
  PackedStore store;
  PrepareOptions options;
  options.packed = &store;
  options.kernel = kernel;
  options.backend = Backend::cpu;
  for (size_t i = 0; i < inputs.size(); ++i)
    options.constant.push_back(i > 0 && inputs[i].defined());
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  std::unique_ptr<PreparedCall> call;
  try {
    call = prepare_call(op, pointers, attrs, 1, options);
  } catch (const Error&) {
    return {};
  }
  if (call->how != PreparedCall::How::kernel) return {};
  const TensorSpec& spec = call->outputs[0];
  Tensor y = Tensor::empty_strided(spec.shape, spec.strides, spec.dtype);
  Tensor scratch =
      Tensor::empty({static_cast<int64_t>(call->kernel->scratch_bytes) + 64}, DType::u8);
  std::vector<const void*> in;
  for (const Tensor& input : inputs) in.push_back(input.defined() ? input.raw() : nullptr);
  in.resize(std::max(in.size(), op.inputs.size()), nullptr);
  void* out[] = {y.raw()};
  call->kernel->run({in.data(), out, scratch.raw(), {}, nullptr});
  return y;
}

void expect_exact(const OpDef& op, const TensorList& inputs, const Attrs& attrs,
                  std::string_view kernel) {
  const Tensor made = by_kernel(op, inputs, attrs, kernel);
  ASSERT_TRUE(made.defined()) << kernel << " refuses";
  const BackendScope scope(Backend::expansion);
  const Tensor wanted = op.all(inputs, attrs)[0];
  EXPECT_EQ(made.to_vector<double>(), wanted.to_vector<double>())
      << kernel << " " << inputs[0].shape().str() << " " << attrs.str();
}

// Channels-last, as convolutions hand images on.
Tensor last(const Tensor& x) {
  Shape order{0}, back{0};
  const auto rank = static_cast<int64_t>(x.rank());
  for (int64_t i = 2; i < rank; ++i) order.push_back(i);
  order.push_back(1);
  back.push_back(rank - 1);
  for (int64_t i = 1; i + 1 < rank; ++i) back.push_back(i);
  return x.permute(order).contiguous().permute(back);
}

struct ConvCase {
  Shape x, w;
  Attrs attrs;
};
const ConvCase kConvs[] = {
    {{1, 8, 5, 7}, {12, 8, 1, 1}, {}},
    {{2, 3, 9, 8}, {17, 3, 3, 3}, {{"pads", {1, 1, 1, 1}}, {"strides", {2, 2}}}},
    {{1, 6, 7, 7}, {40, 6, 3, 2}, {{"pads", {0, 1, 2, 1}}, {"dilations", {2, 1}}}},
    {{1, 6, 6, 9}, {6, 3, 3, 3}, {{"group", 2}, {"pads", {1, 1, 1, 1}}, {"dilations", {1, 2}}}},
    {{1, 5, 20}, {9, 5, 4}, {{"auto_pad", "SAME_UPPER"}, {"strides", {3}}}},
    {{1, 4, 3, 4, 5}, {7, 4, 2, 2, 2}, {{"pads", {0, 1, 0, 1, 0, 1}}}},
};
const ConvCase kDepthwise[] = {
    {{1, 64, 6, 7}, {64, 1, 3, 3}, {{"group", 64}, {"pads", {1, 1, 1, 1}}}},
    {{2, 75, 9, 8}, {75, 1, 5, 4}, {{"group", 75}, {"pads", {2, 1, 2, 2}}, {"strides", {2, 1}}}},
    {{1, 40, 19}, {40, 1, 3}, {{"group", 40}, {"dilations", {2}}}},
};

void check_convs(std::span<const ConvCase> cases, std::string_view kernel) {
  for (const ConvCase& c : cases)
    for (const DType x_type : {DType::u8, DType::i8})
      for (const DType w_type : {DType::i8, DType::u8})
        for (const DType y_type : {DType::u8, DType::i8}) {
          const int64_t maps = c.w[0];
          const Tensor x = bytes(c.x, x_type), w = bytes(c.w, w_type);
          const Tensor zero = Tensor::scalar(x_type == DType::u8 ? 113 : -5, x_type);
          const Tensor y_zero = Tensor::scalar(3, y_type);
          const Tensor bias = random({maps}, -9000, 9000, DType::i32);
          const auto inputs = [&](const Tensor& image, const Tensor& w_zero) {
            return TensorList{image,  Tensor::scalar(0.02), zero,   w,   scales({maps}),
                              w_zero, Tensor::scalar(0.11), y_zero, bias};
          };
          // A zero point that lets bytes stay bytes, and one that does not.
          const Tensor none = Tensor::full({maps}, w_type == DType::i8 ? 0 : 128, w_type);
          expect_exact(op::QLinearConv, inputs(x, none), c.attrs, kernel);
          expect_exact(op::QLinearConv, inputs(last(x), none), c.attrs, kernel);
          expect_exact(op::QLinearConv, inputs(x, random({maps}, 1, 90, w_type)), c.attrs, kernel);
          TensorList without = inputs(x, none);
          without.pop_back();
          expect_exact(op::QLinearConv, without, c.attrs, kernel);
        }
}
TEST(ByteProduct, ConvolvesAsTheReference) {
  cpu::on_every_target([] {
    check_convs(kConvs, "cpu.byte_q_linear_conv");
    check_convs(kDepthwise, "cpu.byte_q_linear_conv");
  });
}
TEST(ByteProduct, ConvolvesChannelByChannel) {
  cpu::on_every_target([] { check_convs(kDepthwise, "cpu.byte_depthwise"); });
}

TEST(ByteProduct, SumsConvolutions) {
  cpu::on_every_target([] {
    for (const ConvCase& c : kConvs)
      expect_exact(op::ConvInteger,
                   {bytes(c.x, DType::u8), bytes(c.w, DType::i8), Tensor::scalar(9, DType::u8),
                    Tensor::full({c.w[0]}, 0, DType::i8)},
                   c.attrs, "cpu.byte_conv_integer");
  });
}

// Weights within 64 of their zero points, for which AVX2 has a form of its own.
TEST(ByteProduct, NarrowWeightsAsTheReference) {
  cpu::on_every_target([] {
    for (const DType x_type : {DType::u8, DType::i8}) {
      const Tensor zero = Tensor::scalar(9, x_type);
      for (const ConvCase& c : kConvs) {
        const Tensor x = bytes(c.x, x_type), w_zero = Tensor::full({c.w[0]}, 3, DType::i8);
        const Tensor w = random(c.w, -61, 67.9, DType::i8);
        for (const Tensor& image : {x, last(x)})
          expect_exact(op::ConvInteger, {image, w, zero, w_zero}, c.attrs, "cpu.byte_conv_integer");
      }
      for (const int64_t inner : {1, 4, 27})
        expect_exact(op::MatMulInteger,
                     {bytes({13, inner}, x_type), random({inner, 35}, -64, 64.9, DType::i8), zero,
                      Tensor::scalar(0, DType::i8)},
                     {}, "cpu.byte_mat_mul_integer");
    }
  });
}

TEST(ByteProduct, RefusesWeightsThatMayChange) {
  PackedStore store;
  PrepareOptions options;
  options.packed = &store;
  options.backend = Backend::cpu;
  options.kernel = "cpu.byte_q_linear_mat_mul";
  const Tensor a = bytes({3, 4}, DType::u8), b = bytes({4, 5}, DType::i8), one = Tensor::scalar(1);
  const Tensor a_zero = Tensor::scalar(0, DType::u8), b_zero = Tensor::scalar(0, DType::i8);
  const Tensor* inputs[] = {&a, &one, &a_zero, &b, &one, &b_zero, &one, &a_zero};
  const auto call = prepare_call(op::QLinearMatMul, inputs, {}, 1, options);
  EXPECT_TRUE(!call->entry || call->entry->name != options.kernel);
}

void check_products() {
  for (const int64_t inner : {1, 4, 7, 64, 131})
    for (const int64_t columns : {1, 5, 33, 70})
      for (const DType a_type : {DType::u8, DType::i8})
        for (const DType b_type : {DType::i8, DType::u8}) {
          const Tensor a = bytes({2, 5, inner}, a_type), b = bytes({inner, columns}, b_type);
          const Tensor a_zero = Tensor::scalar(17, a_type);
          const Tensor b_zero = Tensor::full({columns}, b_type == DType::i8 ? 0 : 128, b_type);
          const Tensor other = random({columns}, 1, 100, b_type);
          const Tensor a_scale = Tensor::scalar(0.03), y_scale = Tensor::scalar(0.2);
          const Tensor b_scale = scales({columns}), y_zero = Tensor::scalar(100, DType::u8);
          expect_exact(op::MatMulInteger, {a, b, a_zero, b_zero}, {}, "cpu.byte_mat_mul_integer");
          expect_exact(op::MatMulInteger, {a, b, a_zero, other}, {}, "cpu.byte_mat_mul_integer");
          expect_exact(op::MatMulInteger, {a, b}, {}, "cpu.byte_mat_mul_integer");
          expect_exact(op::QLinearMatMul, {a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero},
                       {}, "cpu.byte_q_linear_mat_mul");
          expect_exact(op::MatMulIntegerToFloat,
                       {a, b, a_scale, b_scale, a_zero, b_zero, scales({columns})}, {},
                       "cpu.byte_mat_mul_to_float");
          const Tensor rows = bytes({9, inner}, a_type),
                       sums = random({columns}, -900, 900, DType::i32);
          expect_exact(op::QGemm,
                       {rows, a_scale, a_zero, b.permute({1, 0}).contiguous(), b_scale, b_zero,
                        sums, y_scale, y_zero},
                       {{"transB", 1}}, "cpu.byte_q_gemm");
          expect_exact(op::QGemm, {rows, a_scale, a_zero, b, b_scale, b_zero, sums}, {},
                       "cpu.byte_q_gemm");
        }
}
TEST(ByteProduct, MultipliesAsTheReference) { cpu::on_every_target(check_products); }

// All forms, whatever the processor prefers: quads have a tile in plain C++ too.
TEST(ByteProduct, FormsAgree) {
  for (const int64_t inner : {1, 3, 4, 18, 65})
    for (const int64_t columns : {1, 31, 32, 50}) {
      constexpr int64_t kRows = 11;
      constexpr int32_t kZero = -7;
      const Tensor a = bytes({kRows, inner}, DType::i8);
      Tensor b = bytes({inner, columns}, DType::i8);
      std::transform(b.data<int8_t>(), b.data<int8_t>() + b.numel(), b.data<int8_t>(),
                     [](int8_t weight) { return static_cast<int8_t>(weight / 2); });
      std::vector<std::vector<int32_t>> results;
      for (const cpu::ByteForm form :
           {cpu::ByteForm::pairs, cpu::ByteForm::quads, cpu::ByteForm::narrow_quads}) {
        const cpu::ByteProduct product(form, inner, columns);
        std::vector<int32_t> packed(static_cast<size_t>(product.packed_size()));
        product.pack([&](int64_t k, int64_t j) { return b.data<int8_t>()[k * columns + j]; },
                     packed.data());
        std::vector<int32_t> bias(static_cast<size_t>(columns), 0);
        product.correct(packed.data(), DType::i8, kZero, bias.data());
        std::vector<std::byte> rows(static_cast<size_t>(kRows * product.row_bytes()));
        for (int64_t r = 0; r < kRows; ++r) {
          std::byte* row = rows.data() + r * product.row_bytes();
          product.lay(a.data<int8_t>() + r * inner, DType::i8, inner, kZero, row);
          product.finish_row(row);
        }
        std::vector<int32_t> y(static_cast<size_t>(kRows * columns));
        product.multiply(
            rows.data(), product.row_bytes(), kRows, packed.data(), 0, product.panels(),
            [&](const cpu::ByteTile& tile) { tile.add(bias.data(), y.data(), columns); });
        results.push_back(std::move(y));
      }
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t j = 0; j < columns; ++j) {
          int32_t wanted = 0;
          for (int64_t k = 0; k < inner; ++k)
            wanted += (a.data<int8_t>()[r * inner + k] - kZero) * b.data<int8_t>()[k * columns + j];
          for (const std::vector<int32_t>& y : results)
            ASSERT_EQ(y[static_cast<size_t>(r * columns + j)], wanted) << inner << " " << columns;
        }
    }
}

// Where every weight is as large as narrow quads allow and every element 255, pairs of products are
// the largest that 16 bits see.
void check_ends() {
  constexpr int64_t kRows = 7, kInner = 22, kColumns = 19;
  constexpr int32_t kMost = cpu::kNarrowest;
  const cpu::ByteProduct product(cpu::ByteForm::narrow_quads, kInner, kColumns);
  for (const int32_t weight : {kMost, -kMost}) {
    std::vector<int32_t> packed(static_cast<size_t>(product.packed_size()));
    product.pack([&](int64_t, int64_t) { return weight; }, packed.data());
    std::vector<std::byte> rows(static_cast<size_t>(kRows * product.row_bytes()), std::byte{255});
    for (int64_t r = 0; r < kRows; ++r) product.finish_row(rows.data() + r * product.row_bytes());
    int64_t seen = 0;
    product.multiply(rows.data(), product.row_bytes(), kRows, packed.data(), 0, product.panels(),
                     [&](const cpu::ByteTile& tile) {
                       for (int64_t r = 0; r < tile.rows; ++r)
                         for (int64_t j = 0; j < tile.columns; ++j, ++seen)
                           ASSERT_EQ(tile.of(r)[j], 255 * weight * kInner);
                     });
    EXPECT_EQ(seen, kRows * kColumns);
  }
}
TEST(ByteProduct, NarrowQuadsAreExactAtTheirEnds) { cpu::on_every_target(check_ends); }

// One weight too large, or a zero point that makes it so, and the form is another.
TEST(ByteProduct, WeightsAreNarrowOnlyWithinTheirEnds) {
  const cpu::ByteForm narrow = cpu::best_byte_form(true, true);
  const cpu::ByteForm wide = cpu::best_byte_form(true, false);
  EXPECT_NE(wide, cpu::ByteForm::narrow_quads);
  EXPECT_EQ(cpu::best_byte_form(false, false), cpu::ByteForm::pairs);
  std::vector<int8_t> weights{-64, 64, 0, 63, -1, 2};
  const cpu::ByteZeroPoints none{nullptr, DType::i8, 1};
  EXPECT_EQ(none.form_of(weights.data(), DType::i8, 6, 2, true), narrow);
  weights[4] = -65;
  EXPECT_EQ(none.form_of(weights.data(), DType::i8, 6, 2, true), wide);
  // Columns of their own zero points: the large one is in the second of [2][3].
  const int8_t zeros[] = {0, -1};
  const cpu::ByteZeroPoints two{zeros, DType::i8, 2};
  EXPECT_EQ(two.form_of(weights.data(), DType::i8, 6, 2, true), cpu::best_byte_form(false, true));
  EXPECT_EQ(two.form_of(weights.data(), DType::i8, 6, 2, false), cpu::ByteForm::pairs);
}

TEST(ByteProduct, PoolsAsTheExpansion) {
  // Scales that make no ties, which sums of floats may round to either side.
  const Tensor scale = Tensor::scalar(0.02137), y_scale = Tensor::scalar(0.017911);
  for (const DType type : {DType::u8, DType::i8}) {
    const Tensor zero = Tensor::scalar(5, type), y_zero = Tensor::scalar(9, type);
    const Tensor x = bytes({2, 21, 6, 5}, type);
    for (const Tensor& image : {x, last(x)}) {
      expect_exact(op::QLinearGlobalAveragePool, {image, scale, zero, y_scale, y_zero}, {},
                   "cpu.q_linear_global_average_pool");
      for (const int64_t counted : {0, 1})
        expect_exact(op::QLinearAveragePool, {image, scale, zero, y_scale, y_zero},
                     {{"kernel_shape", {3, 2}},
                      {"pads", {1, 1, 1, 0}},
                      {"strides", {2, 1}},
                      {"count_include_pad", counted}},
                     "cpu.q_linear_average_pool");
    }
  }
}

TEST(ByteProduct, JoinsAndAddsInAnyOrder) {
  const Tensor a = bytes({2, 8, 3, 5}, DType::u8), b = bytes({2, 11, 3, 5}, DType::u8);
  const Tensor one = Tensor::scalar(0.02), two = Tensor::scalar(0.03), y = Tensor::scalar(0.05);
  const Tensor z0 = Tensor::scalar(3, DType::u8), z1 = Tensor::scalar(130, DType::u8);
  for (const bool channels_last : {false, true}) {
    const auto given = [&](const Tensor& x) { return channels_last ? last(x) : x; };
    expect_exact(op::QLinearConcat, {y, z1, given(a), one, z0, given(b), two, z1}, {{"axis", 1}},
                 "cpu.q_linear_concat");
    expect_exact(op::QLinearConcat, {two, z1, given(a), one, z0, given(b), two, z1}, {{"axis", 1}},
                 "cpu.q_linear_concat");
    expect_exact(op::QLinearAdd,
                 {given(a), one, z0, given(bytes({2, 8, 3, 5}, DType::u8)), two, z1, y, z0}, {},
                 "cpu.q_linear_add");
    expect_exact(op::QLinearAdd, {given(a), one, z0, bytes({8, 1, 1}, DType::u8), two, z1, y, z0},
                 {}, "cpu.q_linear_add");
    // One operand in another order than the other.
    expect_exact(op::QLinearMul,
                 {bytes({2, 8, 3, 5}, DType::u8), one, z0, given(a), two, z1, y, z0}, {},
                 "cpu.q_linear_mul");
    expect_exact(op::TableLookup, {given(a), bytes({256}, DType::i8)}, {}, "cpu.table_lookup");
  }
}

}  // namespace
}  // namespace tenon
