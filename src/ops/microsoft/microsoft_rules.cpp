// Phrases and checks of the operators of com.microsoft.
#include "ops/microsoft/microsoft_rules.h"

#include "base/text.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/attention_rules.h"
#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::microsoft {

namespace {

// Activations, and the attributes that their parameters are, in order.
struct KnownActivation {
  const OpDef* op;
  ConstList<std::string_view, 2> attrs;
  std::string_view own_name = {};  // where it is not the operator's
  Attrs fixed = {};

  std::string_view name() const { return own_name.empty() ? op->name : own_name; }
};

std::span<const KnownActivation> known_activations() {
  static const KnownActivation list[] = {
      {&op::Relu, {}},
      {&op::Tanh, {}},
      {&op::Sigmoid, {}},
      {&op::Softplus, {}},
      {&op::Softsign, {}},
      {&op::LeakyRelu, {"alpha"}},
      {&op::Elu, {"alpha"}},
      {&op::ThresholdedRelu, {"alpha"}},
      {&op::HardSigmoid, {"alpha", "beta"}},
      {&op::Selu, {"alpha", "gamma"}},
      {&op::HardSwish, {}},
      {&op::Swish, {"alpha"}},
      {&op::Mish, {}},
      {&op::Gelu, {}},
      {&op::Gelu, {}, "GeluTanh", Attrs{{"approximate", "tanh"}}},
  };
  return list;
}

}  // namespace

std::vector<TensorType> like(const InferContext& ctx, const OpDef& op, const Attrs& attrs,
                             const std::vector<TensorType>& inputs, size_t outputs) {
  try {
    return infer(op, attrs, inputs, outputs);
  } catch (const Error& error) {
    std::string_view message = error.message();
    if (error.kind() != ErrorKind::usage || !message.starts_with(op.name)) throw;
    message.remove_prefix(op.name.size());
    if (message.starts_with(": ")) message.remove_prefix(2);
    ctx.fail("{}", message);
  }
}

void check_activation(const InferContext& ctx, const Activation& activation) {
  if (activation.name.empty()) return;
  std::vector<std::string_view> names{"Clip"};
  size_t most = activation.name == "Clip" ? 2 : 0;
  bool found = activation.name == "Clip";
  for (const KnownActivation& known : known_activations()) {
    names.push_back(known.name());
    if (known.name() != activation.name) continue;
    found = true;
    most = known.attrs.size();
  }
  const std::string near = text::did_you_mean(activation.name, names);
  ctx.check(found, "activation is '{}'; {}", activation.name,
            near.empty() ? "use Relu, Tanh, Sigmoid, LeakyRelu, Clip or HardSigmoid"
                         : fmt::format("did you mean {}?", near));
  ctx.check(activation.parameters.size() <= most, "activation {} has {} parameters; {} are given",
            activation.name, most, activation.parameters.size());
}

Tensor activate(const Tensor& x, const Activation& activation) {
  if (activation.name.empty()) return x;
  const std::vector<double>& given = activation.parameters;
  if (activation.name == "Clip") {
    const auto bound = [&](size_t i) {
      return i < given.size() ? constant_like(x, given[i]) : Tensor();
    };
    return op::Clip.all({x, bound(0), bound(1)})[0];
  }
  for (const KnownActivation& known : known_activations()) {
    if (known.name() != activation.name) continue;
    Attrs attrs = known.fixed;
    for (size_t i = 0; i < given.size(); ++i) attrs = attrs.with({known.attrs[i], given[i]});
    return known.op->all({x}, attrs)[0];
  }
  fail_bug(__FILE__, __LINE__, fmt::format("no activation {}", activation.name));
}

Attrs pick(const Attrs& attrs, std::initializer_list<std::string_view> names) {
  Attrs picked;
  for (std::string_view name : names)
    if (const AttrValue* value = attrs.find(name)) picked = picked.with({name, *value});
  return picked;
}

void check_bias(const InferContext& ctx, size_t at, const Dim& size) {
  if (!ctx.has_input(at)) return;
  ctx.check(ctx.rank(at) == 1 && !differ(ctx.dims(at)[0], size),
            "{} is {}; it must have shape [{}]", ctx.op.inputs[at].name, ctx.str(at), size.str());
}

void check_key_mask(const InferContext& ctx, size_t at, const Dim& batch) {
  if (!ctx.has_input(at)) return;
  const Dims& mask = ctx.dims(at);
  const bool fits = mask.size() == 1
                        ? !differ(mask[0], batch) || !differ(mask[0], batch * 2)
                        : (mask.size() == 2 || mask.size() == 3) && !differ(mask[0], batch);
  ctx.check(fits,
            "{} is {}; it must be [{}] (lengths), [2 * {}] (ends and starts), [{}, keys] or [{}, "
            "queries, keys]",
            ctx.op.inputs[at].name, ctx.str(at), batch.str(), batch.str(), batch.str(),
            batch.str());
}

Tensor key_mask(const Tensor& mask, const Tensor& keys, double filter, DType type) {
  const Tensor zero = Tensor::scalar(0, type), filtered = Tensor::scalar(filter, type);
  if (mask.rank() > 1) {
    const Tensor counts = op::Greater(mask, constant_like(mask, 0));
    const Tensor placed =
        op::Unsqueeze(counts, mask.rank() == 2 ? Tensor::ints({1, 2}) : Tensor::ints({1}));
    return op::Where(placed, zero, filtered);
  }
  const Tensor places = attention_rules::positions(keys, 2);
  const auto column = [](const Tensor& x) {
    return op::Unsqueeze(x.to(DType::i64), Tensor::ints({1, 2, 3}));
  };
  if (mask.dims()[0] == keys.dims()[0])
    return op::Where(op::Less(places, column(mask)), zero, filtered);
  const TensorList bounds = op::Split.all({mask}, {{"num_outputs", 2}}, 2);
  const Tensor counts =
      op::And(op::Less(places, column(bounds[0])), op::GreaterOrEqual(places, column(bounds[1])));
  return op::Where(counts, zero, filtered);
}

}  // namespace tenon::microsoft
