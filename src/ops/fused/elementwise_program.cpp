// Reading, writing and checking elementwise programs.
#include "ops/fused/elementwise_program.h"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>

#include "base/text.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::fused {

namespace {

constexpr std::string_view kWhere = "FusedElementwise";

constexpr TypeSet kReal = kHalves | kFloat32;
constexpr TypeSet kArithmetic = kReal | kIndex;
constexpr TypeSet kMoved = kArithmetic | kBool;
constexpr TypeSet kCast = kMoved | types(DType::u8, DType::i8);

const StepOperator* find(const OpDef& op) {
  for (const StepOperator& row : step_operators())
    if (row.op == &op) return &row;
  return nullptr;
}

const OpDef& find(std::string_view name, size_t step) {
  std::vector<std::string_view> names;
  for (const StepOperator& row : step_operators()) {
    if (row.op->name == name) return *row.op;
    names.push_back(row.op->name);
  }
  const std::string near = text::did_you_mean(name, names);
  fail(ErrorKind::usage, "{}: step {} begins with {}, which is no elementwise operator; {}", kWhere,
       step, text::quoted(name),
       near.empty() ? "begin it with one" : fmt::format("did you mean {}?", near));
}

// A tensor of rank 0 from what stands between the parentheses.
std::optional<Tensor> number_of(DType type, std::string_view digits) {
  const auto converted = [&](const Tensor& tensor) {
    Tensor number = Tensor::empty({}, type);
    number.copy_from(tensor);
    return number;
  };
  if (type == DType::f64) {
    const auto value = text::parse_number<double>(digits);
    return value ? std::optional(Tensor::from<double>({*value}, Shape{})) : std::nullopt;
  }
  if (is_float(type)) {
    const auto value = text::parse_number<float>(digits);
    return value ? std::optional(converted(Tensor::from<float>({*value}, Shape{}))) : std::nullopt;
  }
  const auto value = text::parse_number<int64_t>(digits);
  return value ? std::optional(converted(Tensor::from<int64_t>({*value}, Shape{}))) : std::nullopt;
}

std::string number_text(const Tensor& number) {
  const DType type = number.dtype();
  std::string digits;
  if (type == DType::f64)
    digits = fmt::format("{}", number.item<double>());
  else if (is_float(type))
    digits = fmt::format("{}", static_cast<float>(number.item<double>()));
  else
    digits = fmt::format("{}", number.item<int64_t>());
  return fmt::format("{}({})", name(type), digits);
}

using Operand = ElementwiseProgram::Operand;

std::optional<Operand> operand_of(std::string_view word) {
  if (word == "-") return Operand{};
  const size_t open = word.find('(');
  if (open != std::string_view::npos && word.ends_with(')')) {
    const DType type = parse_dtype(word.substr(0, open));
    if (!(kNumeric | kBool).has(type)) return std::nullopt;
    const auto number = number_of(type, word.substr(open + 1, word.size() - open - 2));
    if (!number) return std::nullopt;
    return Operand{Operand::Kind::number, 0, *number};
  }
  if (!word.starts_with('x') && !word.starts_with('t')) return std::nullopt;
  const auto index = text::parse_number<unsigned>(word.substr(1));
  if (!index) return std::nullopt;
  return Operand{word[0] == 'x' ? Operand::Kind::input : Operand::Kind::step, *index, {}};
}

Operand read_operand(std::string_view word, size_t step, size_t input_count) {
  const std::optional<Operand> operand = operand_of(word);
  TENON_CHECK(operand, usage,
              "{}: step {} has the operand {}; write x0 for input 0, t0 for the result of step 0, "
              "f32(0.5) for a number or - for none",
              kWhere, step, text::quoted(word));
  TENON_CHECK(operand->kind != Operand::Kind::input || operand->index < input_count, usage,
              "{}: step {} reads {}, but {} inputs are given; count them from x0", kWhere, step,
              word, input_count);
  TENON_CHECK(operand->kind != Operand::Kind::step || operand->index < step, usage,
              "{}: step {} reads {}, which does not come before it; use t0 to t{}", kWhere, step,
              word, static_cast<int64_t>(step) - 1);
  return *operand;
}

Attr read_attr(const OpDef& op, std::string_view word, size_t step) {
  const size_t equals = word.find('=');
  const std::string_view attr_name = word.substr(0, equals), value = word.substr(equals + 1);
  const AttrSpec* spec = op.find_attr(attr_name);
  TENON_CHECK(spec, usage,
              "{}: step {} gives {} the attribute {}, which it does not have; leave it out", kWhere,
              step, op.name, text::quoted(attr_name));
  const auto given = [&](const auto& number) {
    TENON_CHECK(number, usage,
                "{}: step {} gives {} the attribute {}; write a number behind the =", kWhere, step,
                op.name, text::quoted(word));
    return Attr(attr_name, *number);
  };
  if (spec->type == AttrType::i) return given(text::parse_number<int64_t>(value));
  if (spec->type == AttrType::f) return given(text::parse_number<double>(value));
  return {attr_name, std::string(value)};
}

ElementwiseProgram::Step read_step(std::string_view line, size_t step, size_t input_count) {
  const std::vector<std::string_view> words = text::split_words(line);
  TENON_CHECK(!words.empty(), usage, "{}: step {} is empty; write an operator and its operands",
              kWhere, step);
  ElementwiseProgram::Step read;
  read.op = &find(words[0], step);
  std::vector<Attr> attrs;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].find('=') != std::string_view::npos)
      attrs.push_back(read_attr(*read.op, words[i], step));
    else
      read.operands.push_back(read_operand(words[i], step, input_count));
  }
  read.attrs = Attrs(std::move(attrs));
  return read;
}

std::string attr_text(const AttrValue& value) {
  return std::visit(
      []<class T>(const T& v) -> std::string {
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)
          return fmt::format("{}", v);
        fail_bug(__FILE__, __LINE__, "an elementwise operator has a list for an attribute");
      },
      value);
}

}  // namespace

std::string ElementwiseProgram::Step::str() const {
  std::string line(op->name);
  for (const Operand& operand : operands) {
    switch (operand.kind) {
      case Operand::Kind::absent: line += " -"; break;
      case Operand::Kind::input: line += fmt::format(" x{}", operand.index); break;
      case Operand::Kind::step: line += fmt::format(" t{}", operand.index); break;
      case Operand::Kind::number: line += " " + number_text(operand.number); break;
    }
  }
  for (const Attr& attr : attrs.list())
    line += fmt::format(" {}={}", attr.name, attr_text(attr.value));
  return line;
}

ElementwiseProgram ElementwiseProgram::parse(const Call& call, size_t input_count) {
  ElementwiseProgram program;
  for (const std::string& line : call.strings("steps"))
    program.steps.push_back(read_step(line, program.steps.size(), input_count));
  TENON_CHECK(!program.steps.empty(), usage, "{}: steps is empty; give it one step or more",
              kWhere);
  for (const int64_t result : call.ints("results")) {
    const auto step = static_cast<size_t>(result);
    TENON_CHECK(result >= 0 && step < program.steps.size(), usage,
                "{}: results names step {}; use 0 to {}", kWhere, result, program.steps.size() - 1);
    TENON_CHECK(std::ranges::find(program.results, step) == program.results.end(), usage,
                "{}: results names step {} twice; name it once", kWhere, result);
    program.results.push_back(step);
  }
  TENON_CHECK(!program.results.empty(), usage, "{}: results is empty; name the steps to give out",
              kWhere);
  return program;
}

Attrs ElementwiseProgram::attrs() const {
  std::vector<std::string> lines;
  for (const Step& step : steps) lines.push_back(step.str());
  return {{"steps", AttrValue(std::move(lines))},
          {"results", AttrValue(std::vector<int64_t>(results.begin(), results.end()))}};
}

std::vector<TensorType> ElementwiseProgram::types(std::span<const TensorType> inputs) const {
  std::vector<TensorType> types;
  for (const Step& step : steps) {
    std::vector<TensorType> given;
    for (const Operand& operand : step.operands) {
      switch (operand.kind) {
        case Operand::Kind::absent: given.emplace_back(); break;
        case Operand::Kind::input: given.push_back(inputs[operand.index]); break;
        case Operand::Kind::step: given.push_back(types[operand.index]); break;
        case Operand::Kind::number: given.push_back(TensorType::of(operand.number, true)); break;
      }
    }
    try {
      types.push_back(infer(*step.op, step.attrs, given, 1)[0]);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage) throw;
      fail(ErrorKind::usage, "{}: step {}, {}", kWhere, types.size(), error.message());
    }
  }
  return types;
}

TensorList ElementwiseProgram::run(std::span<const Tensor> inputs) const {
  TensorList made;
  for (const Step& step : steps) {
    TensorList given;
    for (const Operand& operand : step.operands) {
      switch (operand.kind) {
        case Operand::Kind::absent: given.emplace_back(); break;
        case Operand::Kind::input: given.push_back(inputs[operand.index]); break;
        case Operand::Kind::step: given.push_back(made[operand.index]); break;
        case Operand::Kind::number: given.push_back(operand.number); break;
      }
    }
    made.push_back(step.op->all(given, step.attrs, 1)[0]);
  }
  TensorList outputs;
  for (const size_t result : results) outputs.push_back(made[result]);
  return outputs;
}

std::span<const StepOperator> step_operators() {
  static constexpr StepOperator rows[] = {
      {&op::Abs, kArithmetic},
      {&op::Acos, kReal},
      {&op::Acosh, kReal},
      {&op::Add, kArithmetic},
      {&op::And, kBool},
      {&op::Asin, kReal},
      {&op::Asinh, kReal},
      {&op::Atan, kReal},
      {&op::Atanh, kReal},
      {&op::Cast, kCast},
      {&op::Ceil, kReal},
      {&op::Celu, kReal},
      {&op::Clip, kArithmetic},
      {&op::Cos, kReal},
      {&op::Cosh, kReal},
      {&op::Div, kArithmetic},
      {&op::Elu, kReal},
      {&op::Equal, kMoved},
      {&op::Erf, kReal},
      {&op::Exp, kReal},
      {&op::Floor, kReal},
      {&op::Gelu, kReal},
      {&op::Greater, kArithmetic},
      {&op::GreaterOrEqual, kArithmetic},
      {&op::HardSigmoid, kReal},
      {&op::HardSwish, kReal},
      {&op::IsInf, kReal},
      {&op::IsNaN, kReal},
      {&op::LeakyRelu, kReal},
      {&op::Less, kArithmetic},
      {&op::LessOrEqual, kArithmetic},
      {&op::Log, kReal},
      {&op::Max, kArithmetic},
      {&op::Min, kArithmetic},
      {&op::Mish, kReal},
      {&op::Mul, kArithmetic},
      {&op::Neg, kArithmetic},
      {&op::Not, kBool},
      {&op::Or, kBool},
      {&op::PRelu, kReal},
      {&op::Pow, kReal},
      {&op::Reciprocal, kReal},
      {&op::Relu, kArithmetic},
      {&op::ReluGrad, kArithmetic},
      {&op::Round, kReal},
      {&op::Selu, kReal},
      {&op::Sigmoid, kReal},
      {&op::Sign, kReal},
      {&op::Sin, kReal},
      {&op::Sinh, kReal},
      {&op::Softplus, kReal},
      {&op::Softsign, kReal},
      {&op::Sqrt, kReal},
      {&op::Sub, kArithmetic},
      {&op::Sum, kReal},
      {&op::Swish, kReal},
      {&op::Tan, kReal},
      {&op::Tanh, kReal},
      {&op::ThresholdedRelu, kReal},
      {&op::Where, kMoved},
      {&op::Xor, kBool},
  };
  return rows;
}

bool can_be_step(const OpDef& op, const Attrs& attrs, std::span<const DType> operands) {
  const StepOperator* row = find(op);
  if (!row || operands.empty()) return false;
  for (size_t i = 0; i < operands.size(); ++i) {
    const bool absent = operands[i] == DType::undefined && op.inputs.size() > i &&
                        op.inputs[i].arity == Arity::optional;
    const bool condition = &op == &op::Where && i == 0 && operands[i] == DType::boolean;
    if (!absent && !condition && !row->types.has(operands[i])) return false;
  }
  if (&op == &op::Cast) return row->types.has(static_cast<DType>(Call{op, attrs}.i("to")));
  // Kernels of powers take an exponent of the base's type.
  return &op != &op::Pow || (operands.size() == 2 && operands[0] == operands[1]);
}

}  // namespace tenon::fused
