// FusedElementwise: a chain of elementwise operators in one.
#include "ops/fused/catalog.h"
#include "ops/fused/elementwise_program.h"
#include "ops/grad.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

using fused::ElementwiseProgram;

void infer(InferContext& ctx) {
  const ElementwiseProgram program = ElementwiseProgram::parse(ctx, ctx.input_count());
  ctx.check(ctx.output_count() == program.results.size(),
            "{} outputs asked for, but results names {} steps; ask for as many", ctx.output_count(),
            program.results.size());
  std::vector<TensorType> inputs;
  for (size_t i = 0; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  std::vector<TensorType> types = program.types(inputs);
  for (size_t i = 0; i < program.results.size(); ++i)
    ctx.output(i, std::move(types[program.results[i]]));
}

TensorList expand(const ExpandContext& ctx) {
  TensorList inputs;
  for (size_t i = 0; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  return ElementwiseProgram::parse(ctx, ctx.input_count()).run(inputs);
}

double flops(const InferContext& ctx) {
  const auto shape = to_shape(ctx.outputs()[0].dims);
  const auto steps = static_cast<double>(ctx.strings("steps").size());
  return shape ? steps * static_cast<double>(shape->numel()) : 0;
}

Attrs program(std::initializer_list<const char*> steps, std::initializer_list<int64_t> results) {
  return {{"steps", AttrValue(std::vector<std::string>(steps.begin(), steps.end()))},
          {"results", results}};
}

void samples(Samples& s) {
  constexpr TypeSet kArithmetic = kFloats | kIndex;
  const auto add = [&](std::vector<Arg> inputs, const Attrs& attrs, TypeSet given) -> Sample& {
    Sample& sample = s.add(inputs, attrs);
    sample.outputs = Call{FusedElementwise, attrs}.ints("results").size();
    sample.types = given;
    return sample;
  };
  add({arg::any({2, 3}), arg::any({3})}, program({"Mul x0 x1", "Add t0 x0"}, {1}), kArithmetic);
  add({arg::any({2, 3}), arg::any({2, 1})},
      program({"Sub x0 x1", "Tanh t0", "Mul t1 t1", "Exp t2"}, {3, 1}), kFloats);
  add({arg::any({}), arg::any({1, 1})}, program({"Add x0 x1", "Sum t0 x0 x1"}, {1}), kFloats);
  add({arg::any({0, 3}), arg::any({3})}, program({"Add x0 x1", "Neg t0"}, {1}), kArithmetic);
  add({arg::any({3, 40, 33}), arg::any({40, 1}), arg::any({33})},
      program({"Mul x0 x1", "Add t0 x2", "Sigmoid t1", "Mul t1 t2"}, {3}), kFloats)
      .grad = false;  // too many elements for finite differences, as what follows
  add({arg::any({2, 700}), arg::any({2, 1})},
      program({"Sub x0 x1", "Softplus t0", "Mul t1 x0"}, {2, 1}), kFloats)
      .grad = false;
  add({arg::any({2, 3, 5, 7}), arg::any({3, 1, 1}), arg::any({3, 1, 1})},
      program({"Mul x0 x1", "Add t0 x2", "Erf t1", "Mul t2 f32(0.5)"}, {3}), kFloat32)
      .grad = false;
  add({arg::any({2, 3}), arg::any({})},
      program({"Mul x0 f32(3)", "Clip t0 - f32(1.5)", "LeakyRelu t1 alpha=0.25", "Sub t2 x1"}, {3}),
      kFloat32)
      .grad = false;  // kinks
  add({arg::any({4, 6}), arg::any({4, 1})},
      program({"Greater x0 x1", "Not t0", "Where t1 x0 x1", "Cast t2 to=6", "Max t3 i32(0)"},
              {4, 1}),
      kArithmetic)
      .grad = false;
  s.bad({arg::any({2})}, {}, "attribute steps is missing");
  s.bad({arg::any({2})}, program({}, {0}), "steps is empty");
  s.bad({arg::any({2})}, program({"Sigmod x0"}, {0}),
        "step 0 begins with 'Sigmod', which is no elementwise operator; did you mean Sigmoid?");
  s.bad({arg::any({2})}, program({"Neg x1"}, {0}), "step 0 reads x1, but 1 inputs are given");
  s.bad({arg::any({2})}, program({"Neg x0", "Add t0 t1"}, {1}),
        "step 1 reads t1, which does not come before it");
  s.bad({arg::any({2})}, program({"Add x0 f99(1)"}, {0}), "step 0 has the operand 'f99(1)'");
  s.bad({arg::any({2})}, program({"Elu x0 beta=1"}, {0}), "gives Elu the attribute 'beta'");
  s.bad({arg::any({2})}, program({"Elu x0 alpha=one"}, {0}), "write a number behind the =");
  s.bad({arg::any({2})}, program({"Neg x0"}, {1}), "results names step 1; use 0 to 0");
  s.bad({arg::any({2}), arg::any({3})}, program({"Neg x0", "Add t0 x1"}, {1}),
        "FusedElementwise: step 1, Add: shapes [2] and [3] cannot be broadcast together");
}

}  // namespace

constinit const OpDef FusedElementwise{
    .name = "FusedElementwise",
    .doc = "Elementwise operators one after the other, in one pass over memory.",
    .inputs = {{"inputs", "T", Arity::variadic, false, true}},
    .outputs = {{"outputs", "T", Arity::variadic, false, true}},
    .types = {{"T", kNumeric | kBool}},
    .attrs = {required("steps", AttrType::strings), required("results", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("ONNX has the operators one by one; export writes the expansion"),
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
