// Range: numbers from a start to before a limit.
#include <algorithm>
#include <cmath>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

// One element of an input: a Dim where it is a known integer.
std::optional<Dim> integer(const InferContext& ctx, size_t i) {
  if (!ctx.values(i) || ctx.values(i)->size() != 1) return std::nullopt;
  return ctx.values(i)->front();
}

// max(ceil((limit - start) / delta), 0), where symbols do not hide the sign.
Dim integer_count(const InferContext& ctx) {
  const auto start = integer(ctx, 0), limit = integer(ctx, 1), delta = integer(ctx, 2);
  if (!start || !limit || !delta || !delta->is_const()) return Dim::unknown();
  const int64_t step = delta->value();
  ctx.check(step != 0, "delta is 0; use a positive or negative one");
  const Dim distance = step > 0 ? *limit - *start : *start - *limit;
  if (distance.is_const()) {
    const auto size = static_cast<uint64_t>(std::max<int64_t>(distance.value(), 0));
    const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
    return static_cast<int64_t>(size / stride + (size % stride != 0));
  }
  if (distance.is_unknown() || !distance.is_nonnegative() || step == INT64_MIN)
    return Dim::unknown();
  return distance.ceil_div(step > 0 ? step : -step);
}

Dim float_count(const InferContext& ctx) {
  double places[3];
  for (size_t i = 0; i < 3; ++i) {
    if (!ctx.input(i).constant.defined()) return Dim::unknown();
    places[i] = ctx.input(i).constant.item<double>();
  }
  const double count = std::ceil((places[1] - places[0]) / places[2]);
  ctx.check(places[2] != 0, "delta is 0; use a positive or negative one");
  ctx.check(std::isfinite(count) && count < 0x1p62,
            "start {}, limit {} and delta {} give no finite number of "
            "elements; use finite values",
            places[0], places[1], places[2]);
  return static_cast<int64_t>(std::max(count, 0.0));
}

void infer(InferContext& ctx) {
  for (size_t i = 0; i < 3; ++i) {
    const Dim count = product(ctx.dims(i));
    ctx.check(!count.is_const() || count.value() == 1, "{} is {}; give one number",
              ctx.op.inputs[i].name, ctx.str(i));
  }
  if (is_float(ctx.dtype(0))) return ctx.output(0, {float_count(ctx)});
  ctx.output(0, {integer_count(ctx)});
  if (const auto start = integer(ctx, 0), delta = integer(ctx, 2); start && delta)
    say_values(ctx, 0, [&](const tenon::Shape& index) { return *start + *delta * Dim(index[0]); });
}

// Opset 27 says in which type 16-bit floats are added up; here elements are computed apart, in
// double, and rounded once.
void lowered(OnnxNode& node) {
  const DType type = node.inputs[0].dtype();
  TENON_CHECK(type != DType::f16 && type != DType::bf16, unsupported,
              "Range '{}': opset {} has no Range of {}; export at opset 27 or newer", node.name,
              node.opset, name(type));
  node.attrs = node.attrs.without("stash_type");
}

void samples(Samples& s) {
  const auto scalars = [&](DType type, double start, double limit, double delta) {
    s.add({arg::fixed(Tensor::scalar(start, type)), arg::fixed(Tensor::scalar(limit, type)),
           arg::fixed(Tensor::scalar(delta, type))});
  };
  scalars(DType::i64, 1, 8, 3);
  scalars(DType::i32, 5, -4, -2);
  scalars(DType::i16, 5, 5, 1);
  scalars(DType::f32, 0, 1, 0.25);
  scalars(DType::f64, 2, -1, -0.7);
  scalars(DType::i64, 3, 0, 1);
  scalars(DType::f16, 1, 5, 2);
  scalars(DType::bf16, 2, -1, -0.5);
  s.bad({arg::int_scalar(0), arg::int_scalar(5), arg::int_scalar(0)}, {}, "delta is 0");
  s.bad({arg::ints({0, 1}), arg::int_scalar(5), arg::int_scalar(1)}, {},
        "start is i64[2]; give one number");
}

}  // namespace

constinit const OpDef Range{
    .name = "Range",
    .doc = "start, start + delta, start + 2 delta, ... to before `limit`.",
    .inputs = {value("start", "T"), value("limit", "T"), value("delta", "T")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats | types(DType::i16, DType::i32, DType::i64)}},
    .attrs = {attr_i("stash_type", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("its inputs decide how many elements there are"),
    .onnx = {.since = 27, .older = {{11, upgrade::as_is}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
