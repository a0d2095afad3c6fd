// Choosing loops, types and buffers for an elementwise program.
#include "backends/cpu/tile_program.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "ops/math/catalog.h"
#include "ops/nn/precision.h"

namespace tenon::cpu {

namespace {

using fused::ElementwiseProgram;
using Operand = ElementwiseProgram::Operand;

constexpr int64_t kLongestTile = 1024;
constexpr int64_t kShortestTile = 128;
// What the buffers of a tile should stay under, so that inputs and outputs have room in the
// first-level cache too.
constexpr size_t kUsualBytes = 24576;
constexpr size_t kUniformBytes = 64;
// A thread is worth so many cheap operations, but no fewer elements than that.
constexpr double kGrainSteps = 65536;
constexpr int64_t kLeastGrain = 2048;

class Compiler {
 public:
  Compiler(const ElementwiseProgram& program, std::span<const DType> types,
           std::span<const TileInput> inputs, std::span<const TileOutput> outputs)
      : source_(program), types_(types), inputs_(inputs), outputs_(outputs) {
    tiles_.inputs.resize(inputs.size(), 0);
    wide_.resize(inputs.size(), 0);
  }

  std::variant<TileProgram, Refusal> compile() {
    count_readers();
    for (size_t s = 0; s < source_.steps.size() && refusal_.empty(); ++s)
      made_.push_back(needed_[s] ? lower(s) : TileValue{0});
    if (!refusal_.empty()) return refuse(refusal_);
    place_results();
    find_last_uses();
    if (!place_buffers())
      return refuse(fmt::format("its {} buffers do not fit into {} bytes", tiles_.buffers.size(),
                                TileProgram::kBytes));
    find_free_inputs();
    tiles_.values = values_.size();
    if (tiles_.values > TileProgram::kValues)
      return refuse(fmt::format("{} values, more than {}", tiles_.values, TileProgram::kValues));
    const double grain = kGrainSteps / std::max(cost_, 2.0);
    tiles_.grain = std::max(kLeastGrain, static_cast<int64_t>(grain));
    return std::move(tiles_);
  }

 private:
  static constexpr size_t kNever = SIZE_MAX;

  struct Value {
    DType type = DType::undefined;  // of the elements a tile holds
    bool uniform = false;
    size_t made = kNever;  // by which step of the tile
    size_t last = 0;       // the last step that reads it; all of them for results
    bool direct = false;
    size_t slot = kNever;
  };

  void count_readers() {
    needed_.assign(source_.steps.size(), false);
    read_.assign(source_.steps.size(), false);
    for (const size_t result : source_.results) needed_[result] = true;
    for (size_t s = source_.steps.size(); s-- > 0;) {
      if (!needed_[s]) continue;
      for (const Operand& operand : source_.steps[s].operands)
        if (operand.kind == Operand::Kind::step)
          needed_[operand.index] = read_[operand.index] = true;
    }
  }

  TileValue add_value(DType type, bool uniform) {
    values_.push_back({type, uniform});
    return static_cast<TileValue>(values_.size() - 1);
  }

  TileValue add_step(TileStep step, DType type, bool uniform) {
    step.uniform = uniform;
    step.out = add_value(type, uniform);
    values_[step.out].made = tiles_.steps.size();
    tiles_.steps.push_back(step);
    return step.out;
  }

  TileValue convert(TileValue x, DType to) {
    const DType from = values_[x].type;
    TileStep step;
    step.kind = TileStep::Kind::convert;
    step.in[0] = x;
    step.quick = half_conversion(from, to);
    if (!step.quick) step.quick = cast_conversion(from, to);
    if (!step.quick) step.any = convert_run(from, to);
    if (!step.quick && !step.any)
      return refuse_with("no conversion from {} to {}", name(from), name(to));
    cost_ += 1;
    return add_step(step, to, values_[x].uniform);
  }

  template <class... Args>
  TileValue refuse_with(fmt::format_string<Args...> format, Args&&... args) {
    refusal_ = fmt::format(format, std::forward<Args>(args)...);
    return 0;
  }

  // Brought into the tile where it is first read, so that it takes no room before.
  TileValue input(size_t i) {
    if (wide_[i] != 0) return wide_[i];
    const TileInput& given = inputs_[i];
    TileValue value;
    if (given.gathered) {
      TileStep step;
      step.kind = TileStep::Kind::gather;
      step.input = i;
      cost_ += 1;
      value = add_step(step, given.type, given.uniform);
    } else {
      value = tiles_.inputs[i] = add_value(given.type, given.uniform);
    }
    const DType wide = compute_type(given.type);
    if (wide != given.type) value = convert(value, wide);
    return wide_[i] = value;
  }

  TileValue number(const Tensor& given) {
    Tensor wide = Tensor::empty({}, compute_type(given.dtype()));
    wide.copy_from(given);
    if (wide.bytes() > sizeof(TileProgram::Number::bytes))
      return refuse_with("no numbers of {}", name(given.dtype()));
    TileProgram::Number number{add_value(wide.dtype(), true), {}};
    std::memcpy(number.bytes.data(), wide.raw(), wide.bytes());
    tiles_.numbers.push_back(number);
    return number.value;
  }

  TileValue operand(const Operand& operand) {
    switch (operand.kind) {
      case Operand::Kind::absent: return 0;
      case Operand::Kind::input: return input(operand.index);
      case Operand::Kind::step: return made_[operand.index];
      case Operand::Kind::number: return number(operand.number);
    }
    return 0;
  }

  DType type_of(const Operand& operand) const {
    switch (operand.kind) {
      case Operand::Kind::absent: return DType::undefined;
      case Operand::Kind::input: return inputs_[operand.index].type;
      case Operand::Kind::step: return types_[operand.index];
      case Operand::Kind::number: return operand.number.dtype();
    }
    return DType::undefined;
  }

  TileValue lower(size_t s) {
    const ElementwiseProgram::Step& step = source_.steps[s];
    if (step.op == &op::Cast) return cast(step.operands[0], types_[s], read_[s]);
    std::vector<TileValue> in;
    for (const Operand& each : step.operands) in.push_back(operand(each));
    const DType out = compute_type(types_[s]);
    if (step.op != &op::Min && step.op != &op::Max && step.op != &op::Sum)
      return compute({*step.op, step.attrs}, in, out);
    TileValue value = in[0];
    for (size_t i = 1; i < in.size() && refusal_.empty(); ++i)
      value = compute({*step.op, step.attrs}, std::array{value, in[i]}, out);
    return value;
  }

  TileValue compute(const Call& call, std::span<const TileValue> in, DType out) {
    if (!refusal_.empty()) return 0;
    std::vector<DType> types;
    std::string listed;
    for (const TileValue value : in) {
      types.push_back(values_[value].type);
      listed += fmt::format("{}{}", listed.empty() ? "" : ", ", name(types.back()));
    }
    const std::optional<ElementCall> found = element_call(call, types, out);
    bool fits = found && found->loop.out == out && in.size() <= 3;
    for (size_t i = 0; fits && i < in.size(); ++i)
      fits = in[i] == 0 || found->loop.in[i] == types[i];
    if (!fits) return refuse_with("no loop of {} for {}", call.op.name, listed);
    TileStep step;
    step.fn = found->loop.fn;
    step.attrs = found->attrs;
    bool uniform = true;
    for (size_t i = 0; i < in.size(); ++i) {
      step.in[i] = in[i];
      if (in[i] == 0) continue;
      if (values_[in[i]].uniform)
        step.scalars |= 1U << i;
      else
        uniform = false;
    }
    if (uniform)
      step.scalars = 0;
    else
      cost_ += static_cast<double>(kCheapGrain) / static_cast<double>(found->loop.grain);
    return add_step(step, out, uniform);
  }

  // Elements of 16 bits are f32 in a tile; casting to them rounds, unless storing does so anyway.
  TileValue cast(const Operand& given, DType to, bool is_read) {
    const DType from = type_of(given);
    const TileValue x = operand(given);
    if (!refusal_.empty()) return 0;
    const DType held = values_[x].type;
    if (from == to || (held == to && !is_half(to))) return x;
    if (!is_half(to)) return convert(x, to);
    if (held == DType::f32 && !is_read) return x;
    const TileValue rounded = convert(x, to);
    return refusal_.empty() ? convert(rounded, DType::f32) : TileValue{0};
  }

  // A step writes its result where it belongs, where that is what a tile holds.
  void place_results() {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      TileProgram::Result result;
      result.value = made_[source_.results[i]];
      Value& value = values_[result.value];
      result.type = value.type;
      result.uniform = value.uniform;
      result.direct = value.made != kNever && !value.uniform && !value.direct &&
                      value.type == outputs_[i].type && !outputs_[i].buffered;
      value.direct = value.direct || result.direct;
      tiles_.results.push_back(result);
    }
  }

  void find_last_uses() {
    for (size_t s = 0; s < tiles_.steps.size(); ++s)
      for (const TileValue in : tiles_.steps[s].in) values_[in].last = s;
    for (const TileProgram::Result& result : tiles_.results)
      if (!result.direct) values_[result.value].last = tiles_.steps.size();
  }

  // Buffers for what steps make, each free again after the last step that reads it.
  bool place_buffers() {
    std::vector<size_t> free;
    size_t slots = 0, element = 1, uniforms = 0;
    for (size_t s = 0; s < tiles_.steps.size(); ++s) {
      const TileStep& step = tiles_.steps[s];
      Value& out = values_[step.out];
      std::array<TileValue, 3> dying{};  // each value once
      for (size_t i = 0; i < step.in.size(); ++i) {
        const TileValue in = step.in[i];
        const bool dies = in != 0 && values_[in].slot != kNever && values_[in].last == s;
        if (dies && std::ranges::find(dying, in) == dying.end()) dying[i] = in;
      }
      if (out.uniform) {
        ++uniforms;
      } else if (!out.direct) {
        element = std::max(element, size_of(out.type));
        // A loop may write over an input of its own size; conversions may not.
        for (TileValue& in : dying) {
          if (step.kind != TileStep::Kind::compute || in == 0 || out.slot != kNever ||
              size_of(values_[in].type) != size_of(out.type))
            continue;
          out.slot = values_[in].slot;
          in = 0;
        }
        if (out.slot == kNever && !free.empty()) {
          out.slot = free.back();
          free.pop_back();
        }
        if (out.slot == kNever) out.slot = slots++;
      }
      for (const TileValue in : dying)
        if (in != 0) free.push_back(values_[in].slot);
    }
    const size_t least = slots * element * static_cast<size_t>(kShortestTile);
    const size_t small = uniforms * kUniformBytes;
    tiles_.tile = kLongestTile;
    while (tiles_.tile > kShortestTile &&
           slots * element * static_cast<size_t>(tiles_.tile) + small > kUsualBytes)
      tiles_.tile /= 2;
    const size_t slot_bytes = element * static_cast<size_t>(tiles_.tile);
    size_t next_uniform = slots * slot_bytes;
    for (const TileStep& step : tiles_.steps) {
      const Value& out = values_[step.out];
      if (out.direct) continue;
      tiles_.buffers.push_back({step.out, out.uniform ? next_uniform : out.slot * slot_bytes});
      if (out.uniform) next_uniform += kUniformBytes;
    }
    return least + small <= TileProgram::kBytes;
  }

  void find_free_inputs() {
    const TileProgram::Result& first = tiles_.results[0];
    const size_t written = first.direct ? values_[first.value].made : tiles_.steps.size();
    for (size_t i = 0; i < inputs_.size() && i < 32; ++i) {
      const TileValue input = tiles_.inputs[i];
      if (input == 0 || inputs_[i].uniform) continue;
      const size_t last = values_[input].last;
      const bool by_the_same =
          last == written && first.direct && tiles_.steps[written].kind == TileStep::Kind::compute;
      if (last < written || by_the_same) tiles_.free_inputs |= 1U << i;
    }
  }

  const ElementwiseProgram& source_;
  std::span<const DType> types_;
  std::span<const TileInput> inputs_;
  std::span<const TileOutput> outputs_;
  TileProgram tiles_;
  std::vector<Value> values_{1};
  std::vector<bool> needed_, read_;  // by step: by a result; by another step
  std::vector<TileValue> made_;      // by step of the source
  std::vector<TileValue> wide_;      // by input: as steps read it
  double cost_ = 0;                  // in cheap operations an element
  std::string refusal_;
};

}  // namespace

std::variant<TileProgram, Refusal> compile_tiles(const ElementwiseProgram& program,
                                                 std::span<const DType> types,
                                                 std::span<const TileInput> inputs,
                                                 std::span<const TileOutput> outputs) {
  return Compiler(program, types, inputs, outputs).compile();
}

}  // namespace tenon::cpu
