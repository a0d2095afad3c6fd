#include "ops/signal/signal_rules.h"

#include <numbers>

#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::signal {

void check_number(const InferContext& ctx, size_t i) {
  if (!ctx.has_input(i)) return;
  const Dim count = product(ctx.dims(i));
  ctx.check(ctx.rank(i) <= 1 && (!count.is_const() || count.value() == 1),
            "{} is {}; give one number", ctx.op.inputs[i].name, ctx.str(i));
}

Dim integer(const InferContext& ctx, size_t i) {
  if (!ctx.values(i) || ctx.values(i)->size() != 1) return Dim::unknown();
  return ctx.values(i)->front();
}

DType output_type(const InferContext& ctx) {
  const int64_t number = ctx.i("output_datatype");
  ctx.check(number >= 0 && number < kDTypeCount && kNumeric.has(static_cast<DType>(number)),
            "output_datatype={} is no type for numbers; use one of TensorProto.DataType for {}",
            number, kNumeric.str());
  return static_cast<DType>(number);
}

Tensor as_scalar(const Tensor& number) {
  return number.rank() == 0 ? number : op::Reshape(number, Tensor::ints({}));
}

void infer_window(InferContext& ctx) {
  check_number(ctx, 0);
  const Dim size = integer(ctx, 0);
  ctx.check(!size.is_const() || size.value() >= 0, "size is {}; use 0 or more", size.str());
  ctx.output(0, {size}, output_type(ctx));
}

Tensor cosine_window(const ExpandContext& ctx, double a0, double a1, double a2) {
  const Tensor size = as_scalar(ctx.input(0));
  const Tensor places =
      op::Range(constant_like(size, 0), size, constant_like(size, 1)).to(DType::f64);
  Tensor period = size.to(DType::f64);
  if (ctx.i("periodic") == 0) period = op::Max(period - 1, constant_like(period, 1));
  const Tensor angle = places * (2 * std::numbers::pi) / period;
  Tensor window = a0 - op::Cos(angle) * a1;
  if (a2 != 0) window = window + op::Cos(angle * 2) * a2;
  return window.to(static_cast<DType>(ctx.i("output_datatype")));
}

void window_samples(Samples& s) {
  s.add({arg::int_scalar(8)});
  s.add({arg::int_scalar(7)}, {{"periodic", 0}});
  s.add({arg::ints({5})}, {{"output_datatype", static_cast<int64_t>(DType::f64)}});
  s.add({arg::fixed(Tensor::from<int32_t>({6}, {}))},
        {{"output_datatype", static_cast<int64_t>(DType::f16)}, {"periodic", 0}});
  s.add({arg::int_scalar(1)}, {{"periodic", 0}});
  s.add({arg::int_scalar(0)});
  s.bad({arg::int_scalar(-1)}, {}, "size is -1; use 0 or more");
  s.bad({arg::ints({3, 4})}, {}, "size is i64[2]; give one number");
  s.bad({arg::int_scalar(4)}, {{"output_datatype", static_cast<int64_t>(DType::string)}},
        "output_datatype=8 is no type for numbers");
}

}  // namespace tenon::signal
