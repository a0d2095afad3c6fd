// What shape operators say of symbolic sizes: the generated tests run on concrete ones only.
#include <gtest/gtest.h>

#include <limits>

#include "ops/infer.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

const Dim batch = Dim::symbol("batch"), seq = Dim::symbol("seq");

TensorType floats(Dims dims) {
  TensorType type;
  type.dtype = DType::f32;
  type.dims = std::move(dims);
  return type;
}

TensorType constant(const Tensor& tensor) { return TensorType::of(tensor, true); }
TensorType ints(std::initializer_list<int64_t> values) { return constant(Tensor::ints(values)); }

// An int64 vector whose elements are known as Dims.
TensorType known(std::vector<Dim> values) {
  TensorType type;
  type.dtype = DType::i64;
  type.dims = {static_cast<int64_t>(values.size())};
  type.values = std::move(values);
  return type;
}

// An int64 vector of which only the length is known.
TensorType computed(const Dim& length) {
  TensorType type;
  type.dtype = DType::i64;
  type.dims = {length};
  return type;
}

TensorType infer_one(const OpDef& op, const std::vector<TensorType>& inputs,
                     const Attrs& attrs = {}) {
  return infer(op, attrs, inputs, 1)[0];
}

std::string shape_of(const TensorType& type) { return type.ranked ? str(type.dims) : "[...]"; }

std::string reshaped(const Dims& dims, const TensorType& target) {
  return shape_of(infer_one(op::Reshape, {floats(dims), target}));
}

TEST(SymbolicShapes, ReshapeSolvesForWhatIsLeft) {
  EXPECT_EQ(reshaped({batch, seq, 768}, ints({0, 0, 12, -1})), "[batch, seq, 12, 64]");
  EXPECT_EQ(reshaped({batch, seq, 12, 64}, ints({0, 0, -1})), "[batch, seq, 768]");
  EXPECT_EQ(reshaped({batch, 3, 4}, ints({-1, 12})), "[batch, 12]");
  EXPECT_EQ(reshaped({batch, seq, 4}, ints({-1, 4})), str({batch * seq, 4}));
  EXPECT_EQ(reshaped({batch * seq, 8}, known({batch, seq, -1})), "[batch, seq, 8]");
  EXPECT_EQ(reshaped({0, 3}, ints({0, -1})), "[0, 3]");
}

TEST(SymbolicShapes, ReshapeToAComputedTargetKnowsTheRank) {
  const TensorType type = infer_one(op::Reshape, {floats({batch, 6}), computed(3)});
  ASSERT_EQ(type.dims.size(), 3U);
  EXPECT_TRUE(type.dims[0].is_unknown());
  EXPECT_EQ(reshaped({batch, 6}, computed(Dim::unknown())), "[...]");
}

TEST(SymbolicShapes, ATargetBuiltFromShapesStaysSymbolic) {
  const TensorType shape = infer_one(op::Shape, {floats({batch, seq, 768})});
  const TensorType first = infer_one(op::Gather, {shape, ints({0})});
  const TensorType rest = infer_one(op::Slice, {shape, ints({1}), ints({3})});
  const TensorType merged = infer_one(op::ReduceProd, {rest}, {{"keepdims", 1}});
  const TensorType target = infer_one(op::Concat, {first, merged}, {{"axis", 0}});
  EXPECT_EQ(reshaped({batch, seq, 768}, target), str({batch, seq * 768}));

  const TensorType scalar = infer_one(op::Gather, {shape, constant(Tensor::scalar(1, DType::i64))});
  const TensorType back = infer_one(op::Unsqueeze, {scalar, ints({0})});
  const TensorType filled = infer_one(op::ConstantOfShape, {back});
  EXPECT_EQ(shape_of(filled), "[seq]");
}

TEST(SymbolicShapes, SliceKeepsWhatIsProvable) {
  const auto sliced = [](const Dim& size, const TensorType& start, const TensorType& end,
                         int64_t step = 1) {
    return infer_one(op::Slice, {floats({size}), start, end, ints({0}), ints({step})}).dims[0];
  };
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(),
                    kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(sliced(seq, ints({0}), ints({kMax})), seq);
  EXPECT_EQ(sliced(seq + 1, ints({1}), ints({kMax})), seq);
  EXPECT_EQ(sliced(seq + 1, ints({0}), ints({-1})), seq);
  EXPECT_EQ(sliced(seq + batch, known({batch}), ints({kMax})), seq);
  EXPECT_EQ(sliced(seq * 2, ints({0}), ints({kMax}), 2), seq);
  EXPECT_EQ(sliced(seq, ints({-1}), ints({kMin}), -1), seq);
  // Whether batch has two elements, or 512 is beyond seq, is not known.
  EXPECT_TRUE(sliced(batch, ints({0}), ints({2})).is_unknown());
  EXPECT_TRUE(sliced(batch, ints({1}), ints({kMax})).is_unknown());
  EXPECT_TRUE(sliced(512, ints({0}), known({seq})).is_unknown());
  EXPECT_TRUE(sliced(seq, computed(1), ints({kMax})).is_unknown());
}

TEST(SymbolicShapes, PiecesAndRepetitions) {
  const std::vector<TensorType> halves = infer(op::Split, Attrs{{"axis", 0}, {"num_outputs", 2}},
                                               std::vector{floats({seq * 2, 3})}, 2);
  EXPECT_EQ(shape_of(halves[0]), "[seq, 3]");
  EXPECT_EQ(shape_of(halves[1]), "[seq, 3]");
  const std::vector<TensorType> uneven =
      infer(op::Split, Attrs{{"num_outputs", 2}}, std::vector{floats({seq})}, 2);
  EXPECT_TRUE(uneven[0].dims[0].is_unknown());

  EXPECT_EQ(
      infer_one(op::Concat, {floats({batch, seq}), floats({batch, 1})}, {{"axis", 1}}).dims[1],
      seq + 1);
  EXPECT_EQ(infer_one(op::Tile, {floats({seq, 2}), known({2, batch})}).dims,
            (Dims{seq * 2, batch * 2}));
  EXPECT_EQ(infer_one(op::Expand, {floats({1, 3}), known({batch, 1})}).dims, (Dims{batch, 3}));
  EXPECT_EQ(infer_one(op::Pad, {floats({seq}), ints({1, 2})}).dims[0], seq + 3);
}

TEST(SymbolicShapes, RangeCountsSymbols) {
  const auto count = [](const Dim& start, const Dim& limit, int64_t delta) {
    const auto scalar = [](const Dim& value) {
      TensorType type = known({value});
      type.dims = {};
      return type;
    };
    return infer_one(op::Range, {scalar(start), scalar(limit), scalar(delta)}).dims[0];
  };
  EXPECT_EQ(count(0, seq, 1), seq);
  EXPECT_EQ(count(batch, batch + seq, 1), seq);
  EXPECT_EQ(count(seq * 2, 0, -2), seq);
  EXPECT_TRUE(count(1, seq, 1).is_unknown());
}

TEST(SymbolicShapes, ReductionsDropOrKeepAxes) {
  const TensorType x = floats({batch, seq, 4});
  EXPECT_EQ(shape_of(infer_one(op::ReduceSum, {x, ints({-1})})), "[batch, seq, 1]");
  EXPECT_EQ(shape_of(infer_one(op::ReduceSum, {x, ints({1, 2})}, {{"keepdims", 0}})), "[batch]");
  EXPECT_EQ(infer_one(op::ReduceSum, {x, computed(2)}, {{"keepdims", 0}}).dims.size(), 1U);
  EXPECT_EQ(shape_of(infer_one(op::ReduceSum, {x, computed(seq)}, {{"keepdims", 0}})), "[...]");
}

TEST(SymbolicShapes, SqueezeWithoutAxesNeedsSizes) {
  EXPECT_EQ(shape_of(infer_one(op::Squeeze, {floats({batch, 1})})), "[...]");
  EXPECT_EQ(shape_of(infer_one(op::Squeeze, {floats({batch, 1}), ints({1})})), "[batch]");
}

}  // namespace

}  // namespace tenon
