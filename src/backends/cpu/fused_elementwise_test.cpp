// FusedElementwise against its operators one by one, which must agree to the last bit: they run the
// same loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/rows.h"
#include "backends/cpu/testing.h"
#include "base/random.h"
#include "base/threads.h"
#include "ops/fused/catalog.h"
#include "ops/fused/elementwise_program.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/prepared_call.h"

namespace tenon {
namespace {

using fused::ElementwiseProgram;
using Steps = std::vector<std::string>;

Tensor random(const Shape& shape, DType type, uint64_t seed) {
  Generator generator(seed);
  Tensor x = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = generator.uniform() * 8 - 4;
  Tensor y = Tensor::empty(shape, type);
  y.copy_from(x);
  return y;
}

Attrs attrs_of(const Steps& steps, std::vector<int64_t> results) {
  return {{"steps", AttrValue(steps)}, {"results", AttrValue(std::move(results))}};
}

// Elements of 16 bits are f32 until they are stored.
TensorList one_by_one(const TensorList& inputs, const Attrs& attrs, const TensorList& like) {
  TensorList wide;
  for (const Tensor& x : inputs) wide.push_back(is_half(x.dtype()) ? x.to(DType::f32) : x);
  TensorList results =
      ElementwiseProgram::parse({op::FusedElementwise, attrs}, inputs.size()).run(wide);
  for (size_t i = 0; i < results.size(); ++i) results[i] = results[i].to(like[i].dtype());
  return results;
}

void expect_same(const Tensor& got, const Tensor& want, const std::string& what) {
  ASSERT_EQ(name(got.dtype()), name(want.dtype())) << what;
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))
        << what << " at " << i << ": " << a[i] << " instead of " << b[i];
}

std::string chosen_kernel(const TensorList& inputs, const Attrs& attrs, size_t outputs) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& x : inputs) pointers.push_back(&x);
  const auto call =
      prepare_call(op::FusedElementwise, pointers, attrs, outputs, {.backend = Backend::cpu});
  return call->how == PreparedCall::How::kernel ? std::string(call->entry->name) : "expansion";
}

void check(const TensorList& inputs, const Steps& steps, const std::vector<int64_t>& results,
           const std::string& what) {
  const BackendScope cpu(Backend::cpu);
  const Attrs attrs = attrs_of(steps, results);
  ASSERT_EQ(chosen_kernel(inputs, attrs, results.size()), "cpu.fused_elementwise") << what;
  const TensorList got = op::FusedElementwise.all(inputs, attrs, results.size());
  const TensorList want = one_by_one(inputs, attrs, got);
  for (size_t i = 0; i < got.size(); ++i)
    expect_same(got[i], want[i], fmt::format("{}, output {}", what, i));
}

// Every operator that programs may have, in every type they may have it.
void check_operators() {
  for (const fused::StepOperator& row : fused::step_operators()) {
    for (int t = 1; t < kDTypeCount; ++t) {
      const auto type = static_cast<DType>(t);
      if (!row.types.has(type)) continue;
      TensorList inputs;
      std::string step(row.op->name);
      const size_t operands =
          row.op->inputs[0].arity == Arity::variadic ? 3 : row.op->inputs.size();
      for (size_t i = 0; i < operands; ++i) {
        const bool condition = row.op == &op::Where && i == 0;
        const bool bound = row.op == &op::Clip && i > 0;
        inputs.push_back(
            random(bound ? Shape{} : Shape{3, 211}, condition ? DType::boolean : type, i + 1));
        step += fmt::format(" x{}", i);
      }
      if (row.op != &op::Cast) {
        check(inputs, {step}, {0}, fmt::format("{} of {}", row.op->name, name(type)));
        continue;
      }
      for (int to = 1; to < kDTypeCount; ++to)
        if (row.types.has(static_cast<DType>(to)))
          check(inputs, {fmt::format("{} to={}", step, to)}, {0},
                fmt::format("Cast of {} to {}", name(type), name(static_cast<DType>(to))));
    }
  }
}
TEST(CpuFusedElementwise, HasALoopForEveryStep) { check_operators(); }

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i64};

void check_layouts() {
  const Steps steps{"Mul x0 x1", "Add t0 x2", "Max t1 x0", "Sub t2 t0"};
  const std::vector<int64_t> results{3, 1};
  struct Case {
    Shape a, b, c;
  };
  const Case cases[] = {
      {{}, {}, {}},
      {{1}, {1, 1}, {}},
      {{5}, {}, {5}},
      {{3000}, {3000}, {3000}},
      {{3, 700}, {700}, {3, 1}},
      {{300, 7}, {7}, {300, 1}},
      {{2, 3, 200}, {3, 1}, {2, 1, 200}},
      {{2, 3, 4, 50}, {3, 1, 1}, {3, 1, 1}},
      {{40, 1}, {1, 300}, {}},
      {{40, 1}, {1, 30}, {40, 30}},
      {{4, 1, 6, 1}, {5, 1, 7}, {1}},
      {{0, 3}, {3}, {1}},
  };
  for (const DType type : kTypes) {
    for (const Case& c : cases) {
      const std::string what =
          fmt::format("{} {} {} {}", name(type), c.a.str(), c.b.str(), c.c.str());
      // The second output has all of the shape only where it depends on all inputs: it does.
      check({random(c.a, type, 1), random(c.b, type, 2), random(c.c, type, 3)}, steps, results,
            what);
    }
    const Tensor x = random({6, 7, 8, 9}, type, 1), y = random({6, 7, 8, 9}, type, 2);
    const Tensor z = random({9, 1, 1}, type, 3);
    const auto named = [&](const char* what) { return fmt::format("{} {}", name(type), what); };
    check({x.permute({0, 3, 1, 2}), y.permute({0, 3, 1, 2}), z}, steps, results,
          named("channels-last"));
    check({x.permute({0, 3, 1, 2}), y.reshape({6, 9, 7, 8}), z}, steps, results,
          named("one channels-last"));
    check({x.transpose(2, 3), y.transpose(2, 3), random({8}, type, 3)}, steps, results,
          named("transposed"));
    check({x.slice(3, 1, 9, 2), y.slice(3, 0, 8, 2), random({}, type, 3)}, steps, results,
          named("every second"));
    check({x.slice(2, 7, 0, -1), y.slice(2, 0, 7), random({9}, type, 3)}, steps, results,
          named("backwards"));
    check({x.slice(3, 0, 1).expand({6, 7, 8, 9}), y.slice(3, 1, 2).expand({6, 7, 8, 9}),
           random({1}, type, 3)},
          steps, results, named("expanded along the last"));
    check({random({300, 200}, type, 1).t(), random({200, 300}, type, 2), random({200, 1}, type, 3)},
          steps, results, named("scattered"));
  }
}
TEST(CpuFusedElementwise, AnyLayout) { cpu::on_every_target(check_layouts); }

void check_lengths() {
  const Steps steps{"Sigmoid x0", "Mul t0 x0", "Greater t1 x1", "Where t2 t1 x1", "Cast t3 to=6"};
  for (const DType type : {DType::f32, DType::bf16})
    for (const int64_t n : {1, 2, 15, 16, 17, 63, 127, 128, 129, 1023, 1024, 1025, 2049, 70'001})
      check({random({n}, type, 1), random({n}, type, 2)}, steps, {4, 3, 2},
            fmt::format("{} n={}", name(type), n));
}
TEST(CpuFusedElementwise, EveryLength) { cpu::on_every_target(check_lengths); }

TEST(CpuFusedElementwise, RoundsWhereACastSaysSo) {
  check(
      {random({500}, DType::f32, 1)},
      {"Cast x0 to=16", "Cast t0 to=1", "Sub x0 t1", "Cast x0 to=10", "Cast t3 to=1", "Sub x0 t4"},
      {2, 5, 0}, "f32 through 16 bits");
  check({random({500}, DType::i64, 1)},
        {"Cast x0 to=1", "Mul t0 f32(0.3)", "Cast t1 to=10", "Cast t2 to=7", "Cast x0 to=9",
         "Not t4"},
        {3, 5, 2, 1}, "integers and floats");
}

TEST(CpuFusedElementwise, NumbersAndWhatIsOneInARow) {
  const Tensor x = random({30, 400}, DType::f32, 1), mean = random({30, 1}, DType::f32, 2);
  const Tensor gamma = random({400}, DType::f32, 3);
  check({x, mean, gamma},
        {"Mul x1 x1", "Add t0 f32(1e-5)", "Sqrt t1", "Sub x0 x1", "Div t3 t2", "Mul t4 x2",
         "Clip t5 f32(-1) f32(1.5)", "Pow t6 f32(2)", "Pow t6 f32(3)", "Min t7 t8 f32(0.5)"},
        {9, 6}, "a norm's tail");
  check({x}, {"Add f32(1) f32(2)", "Mul x0 t0", "Where bool(1) t1 f32(0)"}, {2}, "numbers alone");
}

TEST(CpuFusedElementwise, ManyValuesAtOnce) {
  TensorList inputs;
  Steps steps;
  for (size_t i = 0; i < 30; ++i) {
    inputs.push_back(random({700}, i % 3 == 0 ? DType::bf16 : DType::f32, i));
    steps.push_back(i % 3 == 0 ? fmt::format("Cast x{} to=1", i) : fmt::format("Abs x{}", i));
  }
  steps.push_back("Add t0 t1");
  for (size_t i = 2; i < 30; ++i) steps.push_back(fmt::format("Add t{} t{}", 28 + i, i));
  const auto last = static_cast<int64_t>(steps.size()) - 1;
  check(inputs, steps, {last, last - 1, 3}, "a sum of thirty");
}

TEST(CpuFusedElementwise, SaysWhichInputsMayBeWrittenOver) {
  const TensorList inputs{random({4, 300}, DType::f32, 1), random({4, 300}, DType::f32, 2),
                          random({300}, DType::f32, 3), random({4, 300}, DType::i64, 4)};
  std::vector<const Tensor*> pointers;
  for (const Tensor& x : inputs) pointers.push_back(&x);
  const auto in_place = [&](const Steps& steps, std::vector<int64_t> results) {
    const size_t count = results.size();
    return prepare_call(op::FusedElementwise, pointers, attrs_of(steps, std::move(results)), count,
                        {.backend = Backend::cpu})
        ->kernel->in_place;
  };
  EXPECT_EQ(in_place({"Mul x0 x2", "Add t0 x1"}, {1}), 3U);
  EXPECT_EQ(in_place({"Mul x0 x2", "Add t0 x1"}, {1, 0}), 3U);
  EXPECT_EQ(in_place({"Mul x0 x2", "Add t0 x1"}, {0, 1}), 1U);  // x1 is read after t0 is written
  EXPECT_EQ(in_place({"Cast x3 to=1", "Add t0 x1"}, {1}), 2U);  // not of the same size
}

TEST(CpuFusedElementwise, InPlace) {
  const BackendScope cpu(Backend::cpu);
  const Attrs attrs = attrs_of({"Exp x0", "Mul t0 x1", "Sub t1 x0"}, {2});
  for (const int64_t n : {1, 33, 1500, 100'000}) {
    const Tensor a = random({n}, DType::f32, 1), b = random({n}, DType::f32, 2);
    const Tensor want = op::Sub(op::Mul(op::Exp(a), b), a);
    for (const bool first : {true, false}) {
      std::vector<Tensor> out{(first ? a : b).clone()};
      const Tensor* inputs[] = {first ? &out[0] : &a, first ? &b : &out[0]};
      apply_into(op::FusedElementwise, inputs, attrs, out);
      expect_same(out[0], want, fmt::format("n={} over input {}", n, first ? 0 : 1));
    }
  }
}

TEST(CpuFusedElementwise, KeepsChannelsLast) {
  const BackendScope cpu(Backend::cpu);
  const Tensor x = random({2, 4, 5, 3}, DType::f32, 1).permute({0, 3, 1, 2});
  const TensorList y = op::FusedElementwise.all({x, random({3, 1, 1}, DType::f32, 2)},
                                                attrs_of({"Mul x0 x1", "Relu t0"}, {1, 0}), 2);
  EXPECT_EQ(y[0].strides(), x.strides());
  EXPECT_EQ(y[1].strides(), x.strides());
}

TEST(CpuFusedElementwise, LargeResultsAndAnyThreadCount) {
  // Enough to be streamed past the caches.
  const auto n =
      static_cast<int64_t>(std::min(cpu::stream_threshold() / sizeof(float), size_t{64} << 20)) + 5;
  const BackendScope cpu(Backend::cpu);
  Tensor x = Tensor::empty({n});
  for (int64_t i = 0; i < n; ++i) x.data<float>()[i] = static_cast<float>(i % 1021) - 500;
  const int before = thread_count();
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    const TensorList y =
        op::FusedElementwise.all({x}, attrs_of({"Add x0 f32(1)", "Relu t0"}, {1}), 1);
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(y[0].data<float>()[i], std::max(x.data<float>()[i] + 1, 0.0F))
          << i << " with " << threads;
  }
  set_thread_count(before);
}

TEST(CpuFusedElementwise, LeavesWhatItHasNoLoopForToTheExpansion) {
  const TensorList inputs{random({8}, DType::f64, 1)};
  EXPECT_EQ(chosen_kernel(inputs, attrs_of({"Exp x0", "Neg t0"}, {1}), 1), "expansion");
  EXPECT_EQ(chosen_kernel({random({3, 4}, DType::f32, 1), random({4}, DType::f32, 2)},
                          attrs_of({"Add x0 x1", "Neg x1"}, {0, 1}), 2),
            "expansion");  // outputs of two shapes
}

}  // namespace
}  // namespace tenon
