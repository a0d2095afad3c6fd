// Kernels that only move elements, on strided inputs, for every size of element.
#include <gtest/gtest.h>

#include <vector>

#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {
namespace {

TensorList on(Backend backend, const OpDef& op, std::initializer_list<Tensor> inputs,
              const Attrs& attrs, size_t outputs) {
  const BackendScope scope(backend);
  return op.all(inputs, attrs, outputs);
}

void expect_equal(const OpDef& op, std::initializer_list<Tensor> inputs, const Attrs& attrs = {},
                  size_t outputs = 1) {
  const TensorList got = on(Backend::cpu, op, inputs, attrs, outputs);
  const TensorList want = on(Backend::reference, op, inputs, attrs, outputs);
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].shape(), want[i].shape()) << op.name;
    ASSERT_EQ(got[i].to_vector<double>(), want[i].to_vector<double>())
        << op.name << " of " << name(got[i].dtype()) << inputs.begin()->shape().str() << " "
        << attrs.str();
  }
}

TEST(CpuCopy, EveryElementSizeAndStride) {
  for (const DType type : {DType::u8, DType::bf16, DType::f32, DType::f64}) {
    const Tensor base = Tensor::arange(6 * 40 * 70, type).view({6, 40, 70});
    for (const Tensor& x : {base, base.transpose(0, 2), base.transpose(1, 2),
                            base.slice(2, 60, 3, -2), base.slice(1, 0, 1).expand({6, 40, 70})}) {
      expect_equal(op::Transpose, {x}, {{"perm", {2, 0, 1}}});
      expect_equal(op::Concat, {x, x, x}, {{"axis", 1}});
      expect_equal(op::Split, {x}, {{"axis", 2}, {"num_outputs", 3}}, 3);
      expect_equal(op::Tile, {x, Tensor::ints({2, 1, 3})});
      expect_equal(op::Pad, {x, Tensor::ints({1, -2, 3, 0, 5, -1}), Tensor::scalar(7, type)});
      expect_equal(op::Slice, {x, Tensor::ints({-1, 2}), Tensor::ints({0, 30}),
                               Tensor::ints({1, 0}), Tensor::ints({-3, 1})});
      expect_equal(op::Gather, {x, Tensor::ints({1, -1, 0})}, {{"axis", 1}});
      expect_equal(op::Cast, {x}, {{"to", static_cast<int64_t>(DType::f32)}});
      expect_equal(op::Cast, {x}, {{"to", static_cast<int64_t>(DType::bf16)}});
    }
  }
}

TEST(CpuCopy, LargeTranspositions) {
  for (const DType type : {DType::i32, DType::f64, DType::u8}) {
    const Tensor x = Tensor::arange(int64_t{1030} * 517, type).view({1030, 517});
    expect_equal(op::Transpose, {x});
    // Added to a transposed operand, which is copied by tiles first.
    if (type != DType::u8) expect_equal(op::Add, {x.t(), Tensor::arange(1030, type)});
  }
}

TEST(CpuCopy, GradientsOfEmbeddingsAddUp) {
  const BackendScope cpu(Backend::cpu);
  const Tensor dy = Tensor::ones({5000, 24}), indices = Tensor::zeros({5000}, DType::i64);
  const std::vector<float> dx =
      op::GatherGrad(dy, indices, Tensor::ints({3, 24})).to_vector<float>();
  for (size_t i = 0; i < dx.size(); ++i) EXPECT_EQ(dx[i], i < 24 ? 5000 : 0) << i;
}

}  // namespace
}  // namespace tenon
