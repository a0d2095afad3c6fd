// Attributes and shapes of RNN, GRU and LSTM.
#include "ops/nn/recurrent.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "ops/nn/windows.h"

namespace tenon::recurrent {

namespace {

struct FunctionDef {
  std::string_view name;
  Function function;
  bool takes_alpha, takes_beta;
  double alpha, beta;  // those of the operator of that name
};
constexpr std::array kFunctions{
    FunctionDef{"Affine", Function::affine, true, true, 1, 0},
    FunctionDef{"Elu", Function::elu, true, false, 1, 0},
    FunctionDef{"HardSigmoid", Function::hard_sigmoid, true, true, 0.2, 0.5},
    FunctionDef{"LeakyRelu", Function::leaky_relu, true, false, 0.01, 0},
    FunctionDef{"Relu", Function::relu, false, false, 0, 0},
    FunctionDef{"ScaledTanh", Function::scaled_tanh, true, true, 1, 1},
    FunctionDef{"Sigmoid", Function::sigmoid, false, false, 0, 0},
    FunctionDef{"Softplus", Function::softplus, false, false, 0, 0},
    FunctionDef{"Softsign", Function::softsign, false, false, 0, 0},
    FunctionDef{"Tanh", Function::tanh, false, false, 0, 0},
    FunctionDef{"ThresholdedRelu", Function::thresholded_relu, true, false, 1, 0},
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const FunctionDef& find_function(const Call& call, std::string_view name) {
  std::vector<std::string_view> names;
  for (const FunctionDef& def : kFunctions) {
    if (equal_ignoring_case(def.name, name)) return def;
    names.push_back(def.name);
  }
  const std::string near = text::did_you_mean(name, names);
  fail(ErrorKind::usage, "{}: no activation is called '{}'; {}", call.op.name, name,
       near.empty() ? "they are " + text::join(names, ", ") : "did you mean '" + near + "'?");
}

std::vector<std::string_view> default_activations(Cell cell) {
  switch (cell) {
    case Cell::rnn: return {"Tanh"};
    case Cell::gru: return {"Sigmoid", "Tanh"};
    case Cell::lstm: return {"Sigmoid", "Tanh", "Tanh"};
  }
  return {};
}

// Values of activation_alpha and activation_beta go to those activations that take one, in order.
std::vector<Activation> activations_of(const Call& call, Cell cell, int64_t directions) {
  std::vector<std::string_view> names;
  for (int64_t d = 0; d < directions; ++d)
    for (std::string_view name : default_activations(cell)) names.push_back(name);
  if (const auto given = call.strings("activations"); !given.empty()) {
    TENON_CHECK(given.size() == names.size(), usage,
                "{}: activations has {} names; give {}, {} a direction", call.op.name, given.size(),
                names.size(), names.size() / static_cast<size_t>(directions));
    names.assign(given.begin(), given.end());
  }
  const auto alphas = call.floats("activation_alpha"), betas = call.floats("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<Activation> list;
  for (std::string_view name : names) {
    const FunctionDef& def = find_function(call, name);
    Activation activation{def.function, def.alpha, def.beta};
    if (def.takes_alpha && alpha < alphas.size()) activation.alpha = alphas[alpha++];
    if (def.takes_beta && beta < betas.size()) activation.beta = betas[beta++];
    list.push_back(activation);
  }
  return list;
}

// Fails unless input `at`, where given, has the shape `wanted`.
void check_shape(const InferContext& ctx, size_t at, const Dims& wanted) {
  if (!ctx.has_input(at)) return;
  bool same = ctx.rank(at) == wanted.size();
  for (size_t i = 0; same && i < wanted.size(); ++i) same = !differ(ctx.dims(at)[i], wanted[i]);
  ctx.check(same, "{} is {}; with X {} and R {} it must have shape {}", ctx.op.inputs[at].name,
            ctx.str(at), ctx.str(kX), ctx.str(kR), str(wanted));
}

struct SymbolicSizes {
  Dim steps, batch, input, hidden, directions, gates;
};

// Validates what the forward operators and the gradients share.
SymbolicSizes check_inputs(InferContext& ctx, const Settings& settings) {
  const Cell cell = settings.cell;
  ctx.check(ctx.rank(kX) == 3, "X is {}; it takes {}", ctx.str(kX),
            settings.batch_first ? "[batch, steps, input] with layout 1" : "[steps, batch, input]");
  for (const size_t at : {size_t{kW}, size_t{kR}})
    ctx.check(ctx.rank(at) == 3, "{} is {}; it takes [directions, {} * hidden, {}]",
              ctx.op.inputs[at].name, ctx.str(at), gates_of(cell), at == kW ? "input" : "hidden");
  const Dims& x = ctx.dims(kX);
  SymbolicSizes s{x[settings.batch_first ? 1 : 0],
                  x[settings.batch_first ? 0 : 1],
                  x[2],
                  ctx.dims(kR)[2],
                  Dim(settings.directions),
                  Dim(gates_of(cell))};
  if (ctx.has("hidden_size")) {
    const int64_t hidden = ctx.i("hidden_size");
    ctx.check(!differ(s.hidden, Dim(hidden)), "hidden_size is {}, but R is {}; make them agree",
              hidden, ctx.str(kR));
    s.hidden = Dim(hidden);
  }
  check_shape(ctx, kR, {s.directions, s.gates * s.hidden, s.hidden});
  check_shape(ctx, kW, {s.directions, s.gates * s.hidden, s.input});
  check_shape(ctx, kB, {s.directions, s.gates * s.hidden * 2});
  check_shape(ctx, kSequenceLens, {s.batch});
  const Dims state = settings.batch_first ? Dims{s.batch, s.directions, s.hidden}
                                          : Dims{s.directions, s.batch, s.hidden};
  check_shape(ctx, kInitialH, state);
  if (cell == Cell::lstm) {
    check_shape(ctx, kInitialC, state);
    check_shape(ctx, kP, {s.directions, s.hidden * 3});
  }
  return s;
}

Dims state_dims(const Settings& settings, const SymbolicSizes& s) {
  return settings.batch_first ? Dims{s.batch, s.directions, s.hidden}
                              : Dims{s.directions, s.batch, s.hidden};
}
Dims sequence_dims(const Settings& settings, const SymbolicSizes& s) {
  return settings.batch_first ? Dims{s.batch, s.steps, s.directions, s.hidden}
                              : Dims{s.steps, s.directions, s.batch, s.hidden};
}

}  // namespace

Settings settings_of(const Call& call, Cell cell) {
  Settings settings;
  settings.cell = cell;
  const std::string_view direction = call.s("direction");
  settings.directions = direction == "bidirectional" ? 2 : 1;
  settings.only_reverse = direction == "reverse";
  const int64_t layout = call.i("layout");
  TENON_CHECK(layout == 0 || layout == 1, usage,
              "{}: layout is {}; use 0 for [steps, batch, ...] or 1 for [batch, steps, ...]",
              call.op.name, layout);
  settings.batch_first = layout == 1;
  settings.has_clip = call.has("clip");
  if (settings.has_clip) settings.clip = call.f("clip");
  TENON_CHECK(!settings.has_clip || settings.clip > 0, usage,
              "{}: clip is {}; it is a bound, so give a positive number", call.op.name,
              settings.clip);
  if (cell == Cell::lstm) settings.input_forget = call.i("input_forget") != 0;
  if (cell == Cell::gru) settings.linear_before_reset = call.i("linear_before_reset") != 0;
  settings.activations = activations_of(call, cell, settings.directions);
  return settings;
}

Sizes sizes_of(const Settings& settings, const Shape& x, const Shape& r) {
  return {.steps = x[settings.batch_first ? 1 : 0],
          .batch = x[settings.batch_first ? 0 : 1],
          .input = x[2],
          .hidden = r[2],
          .directions = settings.directions,
          .gates = gates_of(settings.cell)};
}

template <Cell cell>
void infer(InferContext& ctx) {
  const Settings settings = settings_of(ctx, cell);
  const SymbolicSizes s = check_inputs(ctx, settings);
  ctx.output(0, sequence_dims(settings, s));
  for (size_t i = 1; i < 3; ++i) ctx.output(i, state_dims(settings, s));
}

double flops(const InferContext& ctx) {
  const Dim weights = product(ctx.dims(kW)) + product(ctx.dims(kR));
  const Dim steps = ctx.dims(kX)[0] * ctx.dims(kX)[1] * weights;
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

template <Cell cell>
void infer_grad(InferContext& ctx) {
  const Settings settings = settings_of(ctx, cell);
  const SymbolicSizes s = check_inputs(ctx, settings);
  const size_t y = y_port(cell);
  check_shape(ctx, y, sequence_dims(settings, s));
  check_shape(ctx, y + 1, sequence_dims(settings, s));
  for (size_t i = y + 2; i < ctx.input_count(); ++i) check_shape(ctx, i, state_dims(settings, s));
  ctx.output(0, ctx.dims(kX));
  ctx.output(1, ctx.dims(kW));
  ctx.output(2, ctx.dims(kR));
  ctx.output(3, {s.directions, s.gates * s.hidden * 2});
  ctx.output(4, state_dims(settings, s));
  ctx.output(5, state_dims(settings, s));
  ctx.output(6, {s.directions, s.hidden * 3});
}

template void infer<Cell::rnn>(InferContext&);
template void infer<Cell::gru>(InferContext&);
template void infer<Cell::lstm>(InferContext&);
template void infer_grad<Cell::rnn>(InferContext&);
template void infer_grad<Cell::gru>(InferContext&);
template void infer_grad<Cell::lstm>(InferContext&);

TensorList upgrade_1(const OnnxNode& node) {
  OnnxNode now = node;
  now.attrs = node.attrs.without("output_sequence");
  return upgrade::as_is(now);
}

void lower(OnnxNode& node) {
  const AttrValue* layout = node.attrs.find("layout");
  TENON_CHECK(!layout || std::get<int64_t>(*layout) == 0, unsupported,
              "{} '{}': layout 1 needs opset 14, and opset {} was asked for; export opset 14 or "
              "newer",
              node.op_type, node.name, node.opset);
  node.attrs = node.attrs.without("layout");
}

Arg lengths(std::initializer_list<int32_t> values) {
  return arg::fixed(Tensor::from<int32_t>(values, {static_cast<int64_t>(values.size())}));
}
std::vector<std::string> names(std::initializer_list<std::string> list) { return list; }

}  // namespace tenon::recurrent
