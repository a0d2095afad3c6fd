// The program of FusedElementwise: elementwise operators, one after the other. As attributes:
//
//   steps = ["Mul x0 f32(0.5)", "LeakyRelu t0 alpha=0.2", "Clip t1 - x1"], results = [2]
//
// A step is an operator of ONNX, its operands and its attributes. x0 is input 0 of the call, t0 the
// result of step 0, f32(0.5) a number (a tensor of rank 0), - an absent optional operand. `results`
// are the steps whose results are the outputs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ops/infer.h"

namespace tenon::fused {

struct ElementwiseProgram {
  struct Operand {
    enum class Kind : uint8_t { absent, input, step, number };
    Kind kind = Kind::absent;
    size_t index = 0;  // of the input or the step
    Tensor number;
  };
  struct Step {
    const OpDef* op = nullptr;
    Attrs attrs;
    std::vector<Operand> operands;

    std::string str() const;
  };

  std::vector<Step> steps;
  std::vector<size_t> results;

  // Reads the attributes of a call with so many inputs. Fails (usage) naming the step that is
  // wrong.
  static ElementwiseProgram parse(const Call& call, size_t input_count);
  Attrs attrs() const;

  // What each step gives. Fails (usage) naming the step whose operands do not fit.
  std::vector<TensorType> types(std::span<const TensorType> inputs) const;
  // Calls the operators; one tensor a result.
  TensorList run(std::span<const Tensor> inputs) const;
};

// An operator that can be a step, and the types of its operands that devices owe a loop for: of all
// but Where's condition. Cast's are the types it casts between.
struct StepOperator {
  const OpDef* op;
  TypeSet types;
};
std::span<const StepOperator> step_operators();
// Whether programs are made of such calls; an absent operand has the type `undefined`.
bool can_be_step(const OpDef& op, const Attrs& attrs, std::span<const DType> operands);

}  // namespace tenon::fused
