// OpDef: everything about an operator that is not a device, in one constant. Read this first.
//
//   constinit const OpDef Relu{
//       .name = "Relu",
//       .doc = "max(x, 0), element by element.",
//       .inputs = {{"X", "T"}},
//       .outputs = {{"Y", "T"}},
//       .types = {{"T", kFloats | kSignedInts}},
//       .infer = infer::same_shape,
//       .expand = no_expansion,
//       .grad = {relu_grad, saves::output(0)},
//       .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
//       .samples = relu_samples,
//   };
//
// Names, inputs, attributes and semantics are ONNX's (https://onnx.ai/onnx/operators), in the
// newest form that Tenon knows; older forms are rewritten on import.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "ops/attrs.h"
#include "tensor/tensor.h"

namespace tenon {

struct OpDef;
class InferContext;   // ops/infer.h
class GradContext;    // ops/grad.h
class ExpandContext;  // ops/grad.h
struct OnnxNode;      // ops/onnx_node.h
class Samples;        // ops/samples.h

// A constant list of at most N items.
template <class T, size_t N>
struct ConstList {
  T items[N]{};
  size_t count = 0;

  constexpr ConstList() = default;
  constexpr ConstList(std::initializer_list<T> list) {
    for (const T& item : list) items[count++] = item;  // past N: fails to compile
  }
  constexpr const T* begin() const { return items; }
  constexpr const T* end() const { return items + count; }
  constexpr size_t size() const { return count; }
  constexpr const T& operator[](size_t i) const { return items[i]; }
};

enum class Arity : uint8_t { single, optional, variadic };

struct Port {
  std::string_view name;
  std::string_view type_var;  // a name in OpDef::types
  Arity arity = Arity::single;
  // Inputs: the contents decide the output's shape, so `infer` needs them (Reshape's shape).
  bool value = false;
  // Variadic: each one may have its own type and no common type is enforced.
  bool heterogeneous = false;
};
constexpr Port optional(std::string_view name, std::string_view type_var) {
  return {name, type_var, Arity::optional};
}
constexpr Port variadic(std::string_view name, std::string_view type_var) {
  return {name, type_var, Arity::variadic};
}
constexpr Port value(std::string_view name, std::string_view type_var) {
  return {name, type_var, Arity::single, true};
}
constexpr Port optional_value(std::string_view name, std::string_view type_var) {
  return {name, type_var, Arity::optional, true};
}

struct TypeVar {
  std::string_view name;
  TypeSet set;
};

enum class AttrType : uint8_t { i, f, s, ints, floats, strings, tensor, graph };

struct AttrSpec {
  std::string_view name;
  AttrType type = AttrType::i;
  bool required = false;
  bool has_default = false;
  int64_t i = 0;
  double f = 0;
  std::string_view s{};
  std::string_view choices{};  // "NOTSET|SAME_UPPER": the strings accepted; empty: any
};
// has no default: absent unless given
constexpr AttrSpec attr(std::string_view name, AttrType type) { return {name, type}; }
constexpr AttrSpec required(std::string_view name, AttrType type) { return {name, type, true}; }
constexpr AttrSpec attr_i(std::string_view name, int64_t i) {
  return {name, AttrType::i, false, true, i};
}
constexpr AttrSpec attr_f(std::string_view name, double f) {
  return {name, AttrType::f, false, true, 0, f};
}
constexpr AttrSpec attr_s(std::string_view name, std::string_view s,
                          std::string_view choices = {}) {
  return {name, AttrType::s, false, true, 0, 0, s, choices};
}

using InferFn = void (*)(InferContext&);
using ExpandFn = TensorList (*)(const ExpandContext&);
using GradFn = TensorList (*)(const GradContext&);
using UpgradeFn = TensorList (*)(const OnnxNode&);
using LowerFn = void (*)(OnnxNode&);
using SamplesFn = void (*)(Samples&);
using FlopsFn = double (*)(const InferContext&);

// The operator in simpler operators, or why it has none.
struct Expansion {
  ExpandFn fn = nullptr;
  constexpr Expansion(ExpandFn f) : fn(f) {}
};
inline constexpr Expansion primitive{nullptr};  // every device owes a kernel

// Which tensors a gradient reads; the tape keeps these alive and watches their versions.
struct Saves {
  uint32_t inputs = 0;
  uint32_t outputs = 0;
  constexpr Saves operator|(Saves other) const {
    return {inputs | other.inputs, outputs | other.outputs};
  }
};
namespace saves {
inline constexpr Saves nothing{};
constexpr Saves input(int i) { return {1U << i, 0}; }
constexpr Saves output(int i) { return {0, 1U << i}; }
inline constexpr Saves all_inputs{~0U, 0};
inline constexpr Saves all_outputs{0, ~0U};
}  // namespace saves

// d(loss)/d(inputs) from d(loss)/d(outputs), written in operators; or why there is none.
struct Gradient {
  GradFn fn = nullptr;
  Saves saves;
  std::string_view reason;
  bool expansion = false;  // differentiate OpDef::expand instead

  constexpr Gradient(GradFn f, Saves s) : fn(f), saves(s) {}
  constexpr explicit Gradient(std::string_view why) : reason(why) {}
  static constexpr Gradient of_expansion() {
    Gradient gradient("");
    gradient.saves = saves::all_inputs;
    gradient.expansion = true;
    return gradient;
  }
};
inline constexpr Gradient through_expansion = Gradient::of_expansion();
// `why` ends the sentence "Shape is not differentiable: ...".
consteval Gradient not_differentiable(std::string_view why) { return Gradient(why); }

// The operator in ONNX files.
struct OnnxForm {
  std::string_view domain = "";  // "" is ai.onnx
  int since = 0;                 // the opset from which the canonical form holds; 0: not in ONNX
  // Earlier forms, oldest first: from which opset, and how a node is rewritten.
  struct Older {
    int since = 0;
    UpgradeFn upgrade = nullptr;
  };
  ConstList<Older, 6> older{};
  // Rewrites a canonical node for an opset below `since` in place; null: refuse.
  LowerFn lower = nullptr;
  std::string_view reason{};  // why ONNX has no such operator
};
consteval OnnxForm no_onnx(std::string_view why) { return {.reason = why}; }

// How quantisation treats the operator.
enum class QuantRole : uint8_t {
  none,      // runs in float
  weighted,  // input 1 is a weight: Conv, MatMul, Gemm
  passes,    // moves values without computing: keeps scale and zero point
  compute,   // has an integer form of its own: Add, pooling
};

struct OpDef {
  std::string_view name;
  std::string_view doc;  // one line; details in the ONNX documentation
  ConstList<Port, 16> inputs;
  ConstList<Port, 8> outputs;
  ConstList<TypeVar, 6> types;
  ConstList<AttrSpec, 24> attrs{};
  // Shapes and types of the outputs; validates everything a caller can get wrong.
  InferFn infer;
  Expansion expand;
  Gradient grad;
  OnnxForm onnx;
  QuantRole quant = QuantRole::none;
  // Draws random numbers: never folded, cached or merged.
  bool random = false;
  // Control flow and containers, which arrange calls and tensors but compute nothing themselves: on
  // concrete inputs the expansion is called in place, whatever the backend, and autograd sees what
  // it calls instead of the operator. Only symbolic inputs record it as a node.
  bool structural = false;
  // The outputs may be a strided view of input 0; the runtime shares storage instead of copying.
  Tensor (*view)(std::span<const Tensor* const> inputs, const Attrs& attrs,
                 const Shape& output) = nullptr;
  FlopsFn flops = nullptr;  // null: one per output element
  SamplesFn samples;

  // Calling an operator: computed now, recorded by autograd when an input requires a gradient,
  // or recorded into a graph when an input is symbolic. Defined in runtime/dispatch.cpp.
  //   Tensor y = op::Softmax(x, {{"axis", -1}});
  Tensor operator()(const Tensor& a) const;
  Tensor operator()(const Tensor& a, const Tensor& b) const;
  Tensor operator()(const Tensor& a, const Attrs& attrs) const;
  Tensor operator()(const Tensor& a, const Tensor& b, const Attrs& attrs) const;
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& c,
                    const Attrs& attrs = {}) const;
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& d,
                    const Attrs& attrs = {}) const;
  // Any number of inputs and outputs. `output_count` asks for that many leading outputs.
  TensorList all(std::span<const Tensor> inputs, const Attrs& attrs = {},
                 size_t output_count = 1) const;
  TensorList all(std::initializer_list<Tensor> inputs, const Attrs& attrs = {},
                 size_t output_count = 1) const {
    return all(std::span(inputs.begin(), inputs.size()), attrs, output_count);
  }

  const AttrSpec* find_attr(std::string_view attr_name) const;
  const TypeVar* find_type(std::string_view type_name) const;
};

// An operator with the attributes of one call; getters fall back to the operator's defaults.
struct Call {
  const OpDef& op;
  const Attrs& attrs;

  int64_t i(std::string_view name) const;
  double f(std::string_view name) const;
  std::string_view s(std::string_view name) const;
  std::span<const int64_t> ints(std::string_view name) const;  // empty when absent
  std::span<const double> floats(std::string_view name) const;
  std::span<const std::string> strings(std::string_view name) const;
  Tensor tensor(std::string_view name) const;          // undefined when absent
  const Subgraph& graph(std::string_view name) const;  // fails (bug) when absent
  bool has(std::string_view name) const { return attrs.has(name); }
};

// Fails (usage) on unknown ("did you mean"), missing or mistyped attributes.
void check_attrs(const OpDef& op, const Attrs& attrs);

namespace op {
// Every operator, in catalogue order; by ONNX name and domain (null when there is none).
std::span<const OpDef* const> all();
const OpDef* find(std::string_view name, std::string_view domain = "");
}  // namespace op

}  // namespace tenon
