// Elementwise programs as text: what is written is read back.
#include "ops/fused/elementwise_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/fused/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::fused {
namespace {

using Operand = ElementwiseProgram::Operand;

ElementwiseProgram read(std::vector<std::string> steps, std::vector<int64_t> results,
                        size_t inputs) {
  const Attrs attrs{{"steps", AttrValue(std::move(steps))},
                    {"results", AttrValue(std::move(results))}};
  return ElementwiseProgram::parse({op::FusedElementwise, attrs}, inputs);
}

TEST(ElementwiseProgram, IsWrittenAsItIsRead) {
  const std::vector<std::string> lines{
      "Mul x0 f32(0.1)", "Clip t0 - x1",   "Elu t1 alpha=0.25",  "Gelu t2 approximate=tanh",
      "Cast t3 to=6",    "Add t4 i32(-7)", "Greater t3 f16(-2)", "And t6 bool(1)"};
  const ElementwiseProgram program = read(lines, {5, 7}, 2);
  ASSERT_EQ(program.steps.size(), lines.size());
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(program.steps[i].str(), lines[i]);
  EXPECT_EQ(program.steps[1].op, &op::Clip);
  EXPECT_EQ(program.steps[1].operands[1].kind, Operand::Kind::absent);
  EXPECT_EQ(program.results, (std::vector<size_t>{5, 7}));
  const Attrs attrs = program.attrs();
  const ElementwiseProgram again = ElementwiseProgram::parse({op::FusedElementwise, attrs}, 2);
  EXPECT_EQ(again.attrs(), attrs);
}

TEST(ElementwiseProgram, KeepsEveryBitOfANumber) {
  for (const float value :
       {0.1F, -0.0F, 1e-42F, 3.4e38F, 16777217.0F, std::numeric_limits<float>::infinity()}) {
    ElementwiseProgram program;
    program.steps.push_back({&op::Neg, {}, {{Operand::Kind::number, 0, Tensor::scalar(value)}}});
    program.results = {0};
    const Attrs attrs = program.attrs();
    const auto back = ElementwiseProgram::parse({op::FusedElementwise, attrs}, 0);
    const auto got = back.steps[0].operands[0].number.item<float>();
    EXPECT_EQ(got, value);
    EXPECT_EQ(std::signbit(got), std::signbit(value));
  }
  const auto big = read({"Add x0 i64(9007199254740993)"}, {0}, 1);
  EXPECT_EQ(big.steps[0].operands[1].number.item<int64_t>(), 9007199254740993);
}

TEST(ElementwiseProgram, KnowsWhatCanBeAStep) {
  const auto can = [](const OpDef& op, std::vector<DType> operands, const Attrs& attrs = {}) {
    return can_be_step(op, attrs, operands);
  };
  constexpr DType f = DType::f32, i = DType::i64, b = DType::boolean, none = DType::undefined;
  EXPECT_TRUE(can(op::Add, {f, f}));
  EXPECT_TRUE(can(op::Add, {i, i}));
  EXPECT_FALSE(can(op::Add, {DType::u8, DType::u8}));
  EXPECT_TRUE(can(op::Where, {b, f, f}));
  EXPECT_FALSE(can(op::Where, {b, DType::string, DType::string}));
  EXPECT_TRUE(can(op::Clip, {f, none, f}));
  EXPECT_FALSE(can(op::Add, {f, none}));
  EXPECT_TRUE(can(op::Pow, {f, f}));
  EXPECT_FALSE(can(op::Pow, {f, DType::f16}));
  EXPECT_TRUE(can(op::Cast, {i}, {{"to", static_cast<int64_t>(f)}}));
  EXPECT_FALSE(can(op::Cast, {i}, {{"to", static_cast<int64_t>(DType::string)}}));
  EXPECT_FALSE(can(op::MatMul, {f, f}));
}

}  // namespace
}  // namespace tenon::fused
