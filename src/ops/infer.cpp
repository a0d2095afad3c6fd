// Generic validation of a call, then the operator's own rule.
#include "ops/infer.h"

#include <algorithm>

#include "ops/ml/maps.h"

namespace tenon {

namespace {

constexpr int64_t kMaxKnownValues = 64;

const Port* port_of(const ConstList<Port, 16>& ports, size_t i) {
  if (i < ports.size()) return &ports[i];
  if (ports.size() && ports[ports.size() - 1].arity == Arity::variadic)
    return &ports[ports.size() - 1];
  return nullptr;
}

std::string port_name(const Port& port, const ConstList<Port, 16>& ports, size_t i) {
  if (port.arity != Arity::variadic) return std::string(port.name);
  return fmt::format("{}[{}]", port.name, i + 1 - ports.size());
}

void check_count(const OpDef& op, size_t given) {
  size_t least = 0, most = op.inputs.size();
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.inputs[i].arity == Arity::single) least = i + 1;
    if (op.inputs[i].arity == Arity::variadic) most = SIZE_MAX;
  }
  TENON_CHECK(given >= least && given <= most, usage, "{}: {} inputs given; it takes {}", op.name,
              given,
              most == SIZE_MAX ? fmt::format("{} or more", least)
              : least == most  ? fmt::format("{}", least)
                               : fmt::format("{} to {}", least, most));
}

// Binds type variables by the inputs; the first input of a variable decides its type.
std::vector<DType> bind_types(const OpDef& op, std::span<const TensorType> inputs) {
  std::vector<DType> bound(op.types.size(), DType::undefined);
  std::vector<size_t> binder(op.types.size(), 0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port& port = *port_of(op.inputs, i);
    if (inputs[i].dtype == DType::undefined) {
      TENON_CHECK(port.arity == Arity::optional, usage, "{}: input {} is missing; it is required",
                  op.name, port_name(port, op.inputs, i));
      continue;
    }
    const TypeVar* var = op.find_type(port.type_var);
    TENON_BUG_IF(!var, "{} has no type variable {}", op.name, port.type_var);
    TENON_CHECK(var->set.has(inputs[i].dtype), usage, "{}: input {} is {}; it takes {}", op.name,
                port_name(port, op.inputs, i), inputs[i].str(), var->set.str());
    if (port.heterogeneous) continue;
    const size_t at = static_cast<size_t>(var - op.types.begin());
    if (bound[at] == DType::undefined) {
      bound[at] = inputs[i].dtype;
      binder[at] = i;
    }
    TENON_CHECK(bound[at] == inputs[i].dtype, usage,
                "{}: input {} is {} but input {} is {}; cast one so that both have one type",
                op.name, port_name(port, op.inputs, i), name(inputs[i].dtype),
                port_name(*port_of(op.inputs, binder[at]), op.inputs, binder[at]), name(bound[at]));
  }
  return bound;
}

// The one type of a set of one, else undefined.
DType only_type(TypeSet set) {
  if (!std::has_single_bit(set.bits)) return DType::undefined;
  return static_cast<DType>(std::countr_zero(set.bits));
}

// The types of outputs that only the operator's rule knows (Cast's), for inputs of unknown rank:
// the rule is asked for the first rank it accepts, as no operator's types depend on ranks.
void find_types(const OpDef& op, const Attrs& attrs, std::span<const TensorType> inputs,
                std::span<TensorType> outputs) {
  for (size_t rank = 0; rank <= 5; ++rank) {
    std::vector<TensorType> guesses(inputs.begin(), inputs.end());
    for (TensorType& guess : guesses) {
      if (guess.ranked) continue;
      guess.ranked = true;
      guess.dims.assign(rank, Dim::unknown());
    }
    InferContext ctx(op, attrs, guesses, outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) ctx.outputs()[i].dtype = outputs[i].dtype;
    try {
      op.infer(ctx);
    } catch (const Error&) {
      continue;
    }
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].dtype = ctx.outputs()[i].dtype;
    return;
  }
}

}  // namespace

TensorType TensorType::of(const Tensor& tensor, bool with_contents) {
  TensorType type;
  if (!tensor.defined()) return type;
  type.dtype = tensor.dtype();
  type.dims = tensor.dims();
  if (tensor.dtype() == DType::map && !tensor.is_symbolic())
    return maps::map_type(tensor.elements()[0].dtype(), of(tensor.elements()[1], false));
  if (is_container(tensor.dtype()) && !tensor.is_symbolic() && tensor.numel() > 0) {
    TensorType element = of(tensor.elements()[0], false);
    for (const Tensor& other : tensor.elements().subspan(1))
      element = common_type(element, of(other, false));
    type.element = std::make_shared<const TensorType>(std::move(element));
  }
  if (!with_contents || tensor.is_symbolic()) return type;
  type.constant = tensor;
  if (is_int(tensor.dtype()) && tensor.numel() <= kMaxKnownValues && tensor.rank() <= 1) {
    const auto ints = tensor.to_vector<int64_t>();
    type.values.emplace(ints.begin(), ints.end());
  }
  return type;
}

TensorType TensorType::sequence_of(TensorType element) {
  TensorType type;
  type.dtype = DType::sequence;
  type.dims = {Dim::unknown()};
  if (element.dtype != DType::undefined)
    type.element = std::make_shared<const TensorType>(std::move(element));
  return type;
}

TensorType TensorType::optional_of(TensorType element) {
  TensorType type = sequence_of(std::move(element));
  type.dtype = DType::optional;
  return type;
}

std::string TensorType::str() const {
  if (dtype == DType::undefined) return "nothing";
  if (is_container(dtype))
    return element ? fmt::format("{} of {}", name(dtype), element->str())
                   : std::string(name(dtype));
  return fmt::format("{}{}", name(dtype), ranked ? tenon::str(dims) : "[...]");
}

InferContext::InferContext(const OpDef& op, const Attrs& attrs, std::span<const TensorType> inputs,
                           size_t output_count)
    : Call{op, attrs}, inputs_(inputs), outputs_(output_count) {}

void InferContext::fail_formatted(fmt::string_view format, fmt::format_args args) const {
  throw Error(ErrorKind::usage, fmt::format("{}: {}", op.name, fmt::vformat(format, args)));
}

const TensorType& InferContext::absent() {
  static const TensorType nothing;
  return nothing;
}

std::optional<std::vector<int64_t>> InferContext::ints_of(size_t i) const {
  if (!has_input(i)) return std::nullopt;
  if (inputs_[i].constant.defined() && is_int(inputs_[i].dtype))
    return inputs_[i].constant.to_vector<int64_t>();
  if (!inputs_[i].values) return std::nullopt;
  std::vector<int64_t> ints;
  for (const Dim& value : *inputs_[i].values) {
    if (!value.is_const()) return std::nullopt;
    ints.push_back(value.value());
  }
  return ints;
}

size_t InferContext::axis(int64_t axis, size_t rank) const {
  return static_cast<size_t>(normalize_axis(axis, rank, op.name));
}

void InferContext::output(size_t i, Dims dims) {
  if (i >= outputs_.size()) return;  // an optional output nobody asked for
  outputs_[i].dims = std::move(dims);
}
void InferContext::output(size_t i, Dims dims, DType dtype) {
  if (i >= outputs_.size()) return;
  outputs_[i].dims = std::move(dims);
  outputs_[i].dtype = dtype;
}
void InferContext::output(size_t i, TensorType type) {
  if (i < outputs_.size()) outputs_[i] = std::move(type);
}
void InferContext::output_unranked(size_t i) {
  if (i < outputs_.size()) outputs_[i].ranked = false;
}
void InferContext::output_values(size_t i, std::vector<Dim> values) {
  if (i < outputs_.size() && values.size() <= static_cast<size_t>(kMaxKnownValues))
    outputs_[i].values = std::move(values);
}

std::vector<TensorType> infer(const OpDef& op, const Attrs& attrs,
                              std::span<const TensorType> inputs, size_t output_count) {
  check_count(op, inputs.size());
  check_attrs(op, attrs);
  const std::vector<DType> bound = bind_types(op, inputs);
  const bool variadic_out =
      op.outputs.size() && op.outputs[op.outputs.size() - 1].arity == Arity::variadic;
  TENON_CHECK(output_count <= op.outputs.size() || variadic_out, usage,
              "{}: {} outputs asked for; it has {}", op.name, output_count, op.outputs.size());

  InferContext ctx(op, attrs, inputs, output_count);
  for (size_t i = 0; i < output_count; ++i) {
    const Port& port = op.outputs[std::min(i, op.outputs.size() - 1)];
    const TypeVar* var = op.find_type(port.type_var);
    TENON_BUG_IF(!var, "{} has no type variable {}", op.name, port.type_var);
    ctx.outputs()[i].dtype = bound[static_cast<size_t>(var - op.types.begin())];
    if (ctx.outputs()[i].dtype == DType::undefined) ctx.outputs()[i].dtype = only_type(var->set);
  }
  const bool ranked =
      std::all_of(inputs.begin(), inputs.end(), [](const TensorType& t) { return t.ranked; });
  if (ranked || op.structural) {
    op.infer(ctx);
  } else {
    for (TensorType& out : ctx.outputs()) out.ranked = false;
    if (std::ranges::any_of(ctx.outputs(),
                            [](const TensorType& t) { return t.dtype == DType::undefined; }))
      find_types(op, attrs, inputs, ctx.outputs());
  }
  return std::move(ctx.outputs());
}

TensorType common_type(const TensorType& a, const TensorType& b) {
  TENON_BUG_IF(a.dtype != b.dtype, "{} and {} have nothing in common", a.str(), b.str());
  TensorType type;
  type.dtype = a.dtype;
  type.ranked = a.ranked && b.ranked && a.dims.size() == b.dims.size();
  for (size_t i = 0; type.ranked && i < a.dims.size(); ++i)
    type.dims.push_back(a.dims[i] == b.dims[i] ? a.dims[i] : Dim::unknown());
  if (!a.element || !b.element)
    type.element = a.element ? a.element : b.element;
  else if (a.element->dtype == b.element->dtype)
    type.element = std::make_shared<const TensorType>(common_type(*a.element, *b.element));
  return type;
}

namespace infer_rules {

void same_shape(InferContext& ctx) {
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    ctx.output(i, ctx.dims(0));
    ctx.outputs()[i].element = ctx.input(0).element;
  }
}

void broadcast_all(InferContext& ctx) {
  Dims dims = ctx.dims(0);
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    if (!ctx.has_input(i)) continue;
    try {
      dims = broadcast(dims, ctx.dims(i));
    } catch (const Error&) {
      std::string shapes;
      for (size_t k = 0; k < ctx.input_count(); ++k)
        shapes += (k ? " and " : "") + str(ctx.dims(k));
      ctx.fail(
          "shapes {} cannot be broadcast together; sizes must be equal or 1, from the last axis",
          shapes);
    }
  }
  ctx.output(0, std::move(dims));
}

}  // namespace infer_rules

}  // namespace tenon
