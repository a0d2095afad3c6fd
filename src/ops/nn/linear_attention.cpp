// LinearAttention: attention whose memory is one matrix a head, S [keys, values], changed at every
// step: S *= exp(decay); S += k (beta * (v - S^T k))^T, as far as the rule has them; o = S^T q.
#include "ops/nn/linear_attention.h"

#include <cmath>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::linear_attention {

Sizes sizes_of(const Call& call, const Shape& query, const Shape& value, const Shape* decay,
               const Shape* beta) {
  Sizes s;
  s.batch = query[0];
  s.steps = query[1];
  s.heads = call.i("kv_num_heads");
  s.shares = call.i("q_num_heads") / s.heads;
  s.keys = query[2] / call.i("q_num_heads");
  s.values = value[2] / s.heads;
  if (decay) s.decay_width = (*decay)[2] == s.heads ? 1 : s.keys;
  if (beta) s.beta_heads = (*beta)[2];
  const double scale = call.f("scale");
  s.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(s.keys));
  return s;
}

}  // namespace tenon::linear_attention

namespace tenon::op {

namespace {

using namespace linear_attention;  // NOLINT: the ports of this operator

// Fails unless input `at`, where given, is there exactly when the rule uses it.
void check_presence(const InferContext& ctx, size_t at, bool used) {
  ctx.check(ctx.has_input(at) == used, "update_rule '{}' {} {}", ctx.s("update_rule"),
            used ? "needs" : "has no", ctx.op.inputs[at].name);
}

// A third axis split into `heads`; fails where that cannot be.
Dim head_size(const InferContext& ctx, size_t at, int64_t heads) {
  const Dim& size = ctx.dims(at)[2];
  ctx.check(!size.is_const() || size.value() % heads == 0,
            "{} is {}; its last axis must be a multiple of {} heads", ctx.op.inputs[at].name,
            ctx.str(at), heads);
  return size.floor_div(heads);
}

void infer(InferContext& ctx) {
  const int64_t q_heads = ctx.i("q_num_heads"), heads = ctx.i("kv_num_heads");
  ctx.check(q_heads > 0 && heads > 0 && q_heads % heads == 0,
            "q_num_heads is {} and kv_num_heads {}; the first must be a positive multiple of the "
            "second",
            q_heads, heads);
  const std::string_view rule = ctx.s("update_rule");
  const bool gated = rule.starts_with("gated"), delta = rule.ends_with("delta");
  check_presence(ctx, kDecay, gated);
  check_presence(ctx, kBeta, delta);
  if (!delta) check_presence(ctx, kEraseGate, false);
  const Dims& q = ctx.dims(kQuery);
  for (const size_t at : {size_t{kQuery}, size_t{kKey}, size_t{kValue}, size_t{kDecay},
                          size_t{kBeta}, size_t{kEraseGate}}) {
    if (!ctx.has_input(at)) continue;
    const Dims& dims = ctx.dims(at);
    ctx.check(dims.size() == 3 && !differ(dims[0], q[0]) && !differ(dims[1], q[1]),
              "{} is {}; it takes [batch, steps, heads * size], as query {} does",
              ctx.op.inputs[at].name, ctx.str(at), ctx.str(kQuery));
  }
  const Dim keys = head_size(ctx, kQuery, q_heads);
  const Dim values = head_size(ctx, kValue, heads);
  ctx.check(!differ(head_size(ctx, kKey, heads), keys),
            "key is {}, {} numbers a head, but query {} has {}; make them equal", ctx.str(kKey),
            head_size(ctx, kKey, heads).str(), ctx.str(kQuery), keys.str());
  if (gated) {
    const Dim& width = ctx.dims(kDecay)[2];
    ctx.check(!differ(width, Dim(heads)) || !differ(width, keys * Dim(heads)),
              "decay is {}; its last axis must be {} or {}", ctx.str(kDecay), heads,
              (keys * Dim(heads)).str());
  }
  if (delta) {
    const Dim& width = ctx.dims(kBeta)[2];
    ctx.check(!differ(width, Dim(heads)) || !differ(width, Dim(1)),
              "beta is {}; its last axis must be {} or 1", ctx.str(kBeta), heads);
  }
  if (ctx.has_input(kEraseGate))
    ctx.check(!differ(ctx.dims(kEraseGate)[2], keys * Dim(heads)),
              "erase_gate is {}; its last axis must be {}", ctx.str(kEraseGate),
              (keys * Dim(heads)).str());
  const Dims state{q[0], Dim(heads), keys, values};
  if (ctx.has_input(kPastState)) {
    const Dims& past = ctx.dims(kPastState);
    bool same = past.size() == 4;
    for (size_t i = 0; same && i < 4; ++i) same = !differ(past[i], state[i]);
    ctx.check(same, "past_state is {}; it must have shape {}", ctx.str(kPastState), str(state));
  }
  ctx.output(0, {q[0], q[1], values * Dim(q_heads)});
  ctx.output(1, state, ctx.dtype(ctx.has_input(kPastState) ? kPastState : kQuery));
}

// Step by step, for gradients: a fixed number of steps.
TensorList expand(const ExpandContext& ctx) {
  const Dims query = ctx.input(kQuery).dims(), value = ctx.input(kValue).dims();
  const int64_t heads = ctx.i("kv_num_heads"), shares = ctx.i("q_num_heads") / heads;
  TENON_CHECK(query[1].is_const() && query[2].is_const() && value[2].is_const(), unsupported,
              "LinearAttention: it is written out step by step, and query has shape {}; give steps "
              "and heads fixed sizes",
              str(query));
  const int64_t steps = query[1].value(), keys = query[2].value() / (heads * shares),
                values = value[2].value() / heads;
  const DType stored = ctx.input(kQuery).dtype();
  const bool has_past = ctx.has_input(kPastState);
  const DType state_type = has_past ? ctx.input(kPastState).dtype() : stored;
  const DType type = compute_type(stored, state_type);
  const double given = ctx.f("scale");
  const double scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(keys));
  // [batch, steps, heads, rows, columns]
  const auto unpack = [&](size_t at, int64_t of, int64_t rows, int64_t columns) {
    if (!ctx.has_input(at)) return Tensor();
    return Reshape(ctx.input(at).to(type), Tensor::ints({0, 0, of, rows, columns}));
  };
  const auto width_of = [&](size_t at) { return ctx.input(at).dims()[2]; };
  const Tensor q = unpack(kQuery, heads, shares, keys), k = unpack(kKey, heads, keys, 1),
               v = unpack(kValue, heads, 1, values), erase = unpack(kEraseGate, heads, keys, 1);
  Tensor decay, beta;
  if (ctx.has_input(kDecay))
    decay = unpack(kDecay, heads, width_of(kDecay) == Dim(heads) ? 1 : keys, 1);
  if (ctx.has_input(kBeta)) beta = unpack(kBeta, width_of(kBeta) == Dim(1) ? 1 : heads, 1, 1);
  const Tensor decays = decay ? Exp(decay) : Tensor(), erased = erase ? k * erase : k;
  Tensor state = has_past ? ctx.input(kPastState).to(type)
                          : full({query[0], Dim(heads), Dim(keys), Dim(values)}, 0, type, q);
  TensorList outputs;
  for (int64_t t = 0; t < steps; ++t) {
    const auto at = [&](const Tensor& x) {
      return Gather(x, Tensor::from<int64_t>({t}, tenon::Shape{}), {{"axis", 1}});
    };
    if (decay) state = state * at(decays);
    Tensor write = at(v);
    if (beta) {
      const Tensor row = Transpose(at(erased), {{"perm", {0, 1, 3, 2}}});
      write = at(beta) * (write - MatMul(row, state));
    }
    state = state + at(k) * write;
    outputs.push_back(Unsqueeze(MatMul(at(q), state), Tensor::ints({1})));
  }
  const int64_t width = heads * shares * values;
  const Tensor y = outputs.empty() ? full({query[0], Dim(0), Dim(width)}, 0, type, q)
                                   : Reshape(Concat.all(outputs, {{"axis", 1}})[0] * scale,
                                             Tensor::ints({0, 0, width}));
  return {y.to(stored), state.to(state_type)};
}

void samples(Samples& s) {
  const Arg none = arg::none(), q = arg::any({1, 3, 4}), v = arg::any({1, 3, 6});
  const Attrs two{{"q_num_heads", 2}, {"kv_num_heads", 2}};
  const auto rule = [&](const char* name) { return two.with({"update_rule", name}); };
  s.add({q, q, v}, rule("linear")).outputs = 2;
  // A state in f32 beside f64 is too coarse for finite differences.
  const auto past = [](DType type) { return arg::typed({1, 2, 2, 3}, type); };
  Sample& coarse = s.add({q, q, v, past(DType::f32), arg::range({1, 3, 2}, -1, 0)}, rule("gated"));
  coarse.outputs = 2;
  coarse.grad = false;
  s.add({q, q, v, none, none, arg::range({1, 3, 1}, 0, 1)}, rule("delta").with({"scale", 0.25}))
      .outputs = 2;
  s.add({q, q, v, past(DType::f64), arg::range({1, 3, 4}, -1, 0), arg::range({1, 3, 2}, 0, 1)}, two)
      .outputs = 2;
  s.add({arg::any({2, 2, 8}), arg::any({2, 2, 2}), arg::any({2, 2, 3}), none,
         arg::range({2, 2, 1}, -1, 0), arg::range({2, 2, 1}, 0, 1), arg::any({2, 2, 2})},
        {{"q_num_heads", 4}, {"kv_num_heads", 1}, {"chunk_size", 1}})
      .outputs = 2;
  s.add({arg::any({1, 0, 4}), arg::any({1, 0, 4}), arg::any({1, 0, 6})}, rule("linear")).outputs =
      2;
  s.bad({q, q, v}, rule("gated"), "LinearAttention: update_rule 'gated' needs decay");
  s.bad({q, q, v, none, q}, rule("linear"), "update_rule 'linear' has no decay");
  s.bad({q, q, v, none, none, none, q}, rule("linear"), "has no erase_gate");
  s.bad({q, q, v}, {{"q_num_heads", 3}, {"kv_num_heads", 2}, {"update_rule", "linear"}},
        "q_num_heads is 3 and kv_num_heads 2");
  s.bad({q, q, arg::any({1, 2, 6})}, rule("linear"), "value is f32[1, 2, 6]; it takes");
  s.bad({q, q, arg::any({1, 3, 5})}, rule("linear"), "must be a multiple of 2 heads");
  s.bad({q, v, v}, rule("linear"), "key is f32[1, 3, 6], 3 numbers a head");
  s.bad({q, q, v, none, v}, rule("gated"), "its last axis must be 2 or 4");
  s.bad({q, q, v, none, none, v}, rule("delta"), "its last axis must be 2 or 1");
  s.bad({q, q, v, arg::any({1, 2, 3, 2})}, rule("linear"), "it must have shape [1, 2, 2, 3]");
}

}  // namespace

constinit const OpDef LinearAttention{
    .name = "LinearAttention",
    .doc = "Attention by a matrix of memory a head, decayed, corrected and written at every step.",
    .inputs = {{"query", "T"},
               {"key", "T"},
               {"value", "T"},
               optional("past_state", "S"),
               optional("decay", "T"),
               optional("beta", "T"),
               optional("erase_gate", "T")},
    .outputs = {{"output", "T"}, optional("present_state", "S")},
    .types = {{"T", kFloats}, {"S", kFloats}},
    .attrs = {attr_i("chunk_size", 64), required("kv_num_heads", AttrType::i),
              required("q_num_heads", AttrType::i), attr_f("scale", 0),
              attr_s("update_rule", "gated_delta", "linear|gated|delta|gated_delta")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 27},
    .samples = samples,
};

}  // namespace tenon::op
