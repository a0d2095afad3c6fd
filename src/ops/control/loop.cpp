// Loop: a graph run a number of times, or while a condition holds, over values carried along.
#include <limits>

#include "ops/control/body.h"
#include "ops/control/catalog.h"
#include "ops/control/sample_body.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

// Inputs: trip count, condition, carried values, captures.
// Body: iteration, condition, carried values, captures -> condition, carried values, scan outputs.
constexpr size_t kFirstCarried = 2;

size_t carried_count(size_t inputs, int64_t captures) {
  return inputs - std::min(inputs, kFirstCarried + static_cast<size_t>(captures));
}

void infer(InferContext& ctx) {
  const Subgraph& body = ctx.graph("body");
  ctx.check(ctx.i("captures") >= 0, "captures={}; use 0 or more", ctx.i("captures"));
  const size_t carried = carried_count(ctx.input_count(), ctx.i("captures"));
  ctx.check(body.input_count() == std::max(ctx.input_count(), kFirstCarried),
            "the body takes {} inputs, but {} come in: an iteration number, a condition, {} "
            "loop-carried values and {} captures; make them agree",
            body.input_count(), ctx.input_count(), carried, ctx.i("captures"));
  ctx.check(body.output_count() > carried,
            "the body has {} outputs; it needs a condition and {} loop-carried values",
            body.output_count(), carried);
  ctx.check(ctx.output_count() < body.output_count(), "{} outputs asked for; its body has {}",
            ctx.output_count(), body.output_count() - 1);

  std::vector<TensorType> initial;
  for (size_t i = 0; i < carried; ++i) initial.push_back(ctx.input(kFirstCarried + i));
  std::vector<TensorType> made;
  const auto types = control::settle(ctx, initial, [&](const std::vector<TensorType>& now) {
    std::vector<TensorType> given{control::scalar_of(DType::i64),
                                  control::scalar_of(DType::boolean)};
    given.insert(given.end(), now.begin(), now.end());
    for (size_t i = kFirstCarried + carried; i < ctx.input_count(); ++i)
      given.push_back(ctx.input(i));
    made = body.infer(given);
    return std::vector<TensorType>(made.begin() + 1, made.end());
  });
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    if (i < carried) {
      ctx.output(i, types[i]);
      continue;
    }
    TensorType row = control::without_contents(made[i + 1]);
    if (row.ranked) row.dims.insert(row.dims.begin(), Dim::unknown());
    ctx.output(i, row);
  }
}

TensorList expand(const ExpandContext& ctx) {
  const auto carried = static_cast<ptrdiff_t>(carried_count(ctx.input_count(), ctx.i("captures")));
  const int64_t trips = ctx.has_input(0) ? control::decide<int64_t>(ctx, ctx.input(0), "M")
                                         : std::numeric_limits<int64_t>::max();
  Tensor condition = ctx.has_input(1) ? ctx.input(1) : Tensor::full({}, 1, DType::boolean);
  condition = condition.is_symbolic() ? condition : condition.reshape({});
  TensorList state{Tensor(), condition};
  for (size_t i = kFirstCarried; i < ctx.input_count(); ++i) state.push_back(ctx.input(i));

  const Subgraph& body = ctx.graph("body");
  const auto run = body.runner();
  std::vector<TensorList> rows(body.output_count() - 1 - static_cast<size_t>(carried));
  for (int64_t i = 0; i < trips && control::decide<bool>(ctx, state[1], "cond"); ++i) {
    state[0] = Tensor::from<int64_t>({i}, {});
    TensorList made = run(state);
    for (size_t k = 0; k < rows.size(); ++k)
      rows[k].push_back(std::move(made[static_cast<size_t>(carried) + 1 + k]));
    std::move(made.begin(), made.begin() + carried + 1, state.begin() + 1);
  }

  TensorList outputs(state.begin() + kFirstCarried, state.begin() + kFirstCarried + carried);
  std::vector<TensorType> of_none;
  if (!rows.empty() && rows[0].empty()) {
    std::vector<TensorType> types{control::scalar_of(DType::i64),
                                  control::scalar_of(DType::boolean)};
    for (size_t i = kFirstCarried; i < state.size(); ++i)
      types.push_back(TensorType::of(state[i], false));
    of_none = body.infer(types);
  }
  for (size_t k = 0; k < rows.size(); ++k)
    outputs.push_back(control::stack(
        rows[k], 0,
        of_none.empty() ? TensorType() : of_none[static_cast<size_t>(carried) + 1 + k]));
  return outputs;
}

// x becomes x * y; what x was is collected. y is captured.
Attr product_body() {
  return control::SampleBody::attr(
      "body", 4, 3,
      [](std::span<const TensorType> in) {
        return std::vector<TensorType>{in[1], in[2], in[2]};
      },
      [](const TensorList& x) -> TensorList {
        return {x[1], x[2] * x[3], x[2]};
      });
}

void samples(Samples& s) {
  const Arg yes = arg::fixed(Tensor::full({}, 1, DType::boolean));
  const Arg no = arg::fixed(Tensor::full({}, 0, DType::boolean));
  const Arg x = arg::typed({2}, DType::f64);
  const Attrs attrs{product_body(), {"captures", 1}};
  s.add({arg::int_scalar(3), arg::none(), x, x}, attrs).outputs = 2;
  s.add({arg::int_scalar(1), yes, x, x}, attrs).outputs = 2;
  s.add({arg::int_scalar(0), yes, x, x}, attrs).outputs = 2;
  s.add({arg::int_scalar(2), no, x, x}, attrs).outputs = 1;
  s.bad({arg::int_scalar(3), arg::none()}, {}, "body");
  s.bad({arg::int_scalar(3), arg::none(), x}, attrs, "the body takes 4 inputs, but 3 come in");
  s.bad({arg::int_scalar(3), arg::none(), x, x}, {product_body(), {"captures", -1}}, "captures=-1");
}

}  // namespace

constinit const OpDef Loop{
    .name = "Loop",
    .doc =
        "Runs `body` M times, or while its condition holds, over loop-carried values; its further "
        "outputs are collected along a new first axis.",
    .inputs = {optional_value("M", "I"),
               optional("cond", "B"),
               {"v_initial", "V", Arity::variadic, false, true}},
    .outputs = {{"v_final_and_scan_outputs", "V", Arity::variadic, false, true}},
    .types = {{"I", kInt64}, {"B", kBool}, {"V", kAnyType | kStored | kContainers}},
    // The last `captures` inputs are what the body uses of the graph around it.
    .attrs = {required("body", AttrType::graph), attr_i("captures", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
