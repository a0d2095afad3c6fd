// QGemm: Gemm of quantised matrices, quantised again or as floats.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/nn/windows.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

using arg::i8;
using arg::u8;

void infer(InferContext& ctx) {
  for (size_t at : {0, 3})
    ctx.check(ctx.rank(at) == 2, "{} is {}; it must be a matrix", ctx.op.inputs[at].name,
              ctx.str(at));
  const bool trans_a = ctx.i("transA") != 0, trans_b = ctx.i("transB") != 0;
  const Dim &rows = ctx.dims(0)[trans_a ? 1 : 0], &inner = ctx.dims(0)[trans_a ? 0 : 1];
  const Dim &columns = ctx.dims(3)[trans_b ? 0 : 1], &other = ctx.dims(3)[trans_b ? 1 : 0];
  ctx.check(!differ(inner, other),
            "A is {} and B is {}; with transA {} and transB {} they must agree in K, and have {} "
            "and {}",
            ctx.str(0), ctx.str(3), ctx.i("transA"), ctx.i("transB"), inner.str(), other.str());
  microsoft::check_singles(ctx, {1, 2, 7, 8});
  for (size_t at : {4, 5}) integer_rules::check_each(ctx, at, columns, "columns");
  if (ctx.has_input(6)) {
    const Dims& c = ctx.dims(6);
    const auto fits = [](const Dim& size, const Dim& wanted) {
      return !differ(size, wanted) || !differ(size, Dim(1));
    };
    ctx.check(c.size() <= 2 && (c.empty() || fits(c.back(), columns)) &&
                  (c.size() < 2 || fits(c[0], rows)),
              "C is {}; it must be broadcast to [{}, {}]", ctx.str(6), rows.str(), columns.str());
  }
  ctx.check(ctx.has_input(7) == ctx.has_input(8),
            "only one of y_scale and y_zero_point is given; give both for a quantised Y, or none");
  ctx.output(0, {rows, columns}, ctx.has_input(8) ? ctx.dtype(8) : DType::f32);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor a = ctx.i("transA") ? ctx.input(0).t() : ctx.input(0);
  const Tensor b = ctx.i("transB") ? ctx.input(3).t() : ctx.input(3);
  Tensor sums = MatMulInteger(a, b, microsoft::scalar_of(ctx.input(2)), ctx.input(5));
  if (ctx.has_input(6)) sums = sums + ctx.input(6);
  Tensor scale = microsoft::scalar_of(ctx.input(1)) * ctx.f("alpha") * ctx.input(4);
  if (!ctx.has_input(7)) return {sums.to(DType::f32) * scale};
  scale = scale / microsoft::scalar_of(ctx.input(7));
  return {microsoft::rounded(sums.to(DType::f32) * scale, ctx.input(8), ctx.input(8).dtype())};
}

double flops(const InferContext& ctx) {
  const Dim steps = product(ctx.dims(0)) * ctx.outputs()[0].dims[1];
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

void samples(Samples& s) {
  const auto scale = [](const Shape& shape) { return arg::range(shape, 0.01, 0.05); };
  const Arg one = scale({}), y_scale = arg::range({}, 1, 2);
  const auto sums = [](const Shape& shape) { return arg::typed(shape, DType::i32, -9000, 9000); };
  s.add({u8({2, 4}), one, u8({}), i8({4, 3}), one, i8({})});
  s.add({u8({2, 4}), one, u8({}), i8({3, 4}), scale({3}), i8({3}), sums({3}), y_scale, u8({})},
        {{"transB", 1}});
  s.add({i8({4, 2}), scale({1}), i8({1}), i8({4, 3}), one, i8({}), sums({2, 1}), y_scale, i8({1})},
        {{"transA", 1}, {"alpha", 0.5}});
  s.add({u8({2, 4}), one, u8({}), u8({4, 3}), one, u8({}), sums({2, 3}), y_scale, u8({})});
  s.bad({u8({2, 4}), one, u8({}), i8({3, 4}), one, i8({})}, {}, "they must agree in K");
  s.bad({u8({2, 4}), one, u8({}), i8({4, 3}), scale({2}), i8({})}, {},
        "one for each of the 3 columns");
  s.bad({u8({2, 4}), one, u8({}), i8({4, 3}), one, i8({}), sums({4})}, {},
        "C is i32[4]; it must be broadcast to [2, 3]");
  s.bad({u8({2, 4}), one, u8({}), i8({4, 3}), one, i8({}), arg::none(), y_scale}, {},
        "only one of y_scale and y_zero_point is given");
}

}  // namespace

constinit const OpDef QGemm{
    .name = "QGemm",
    .doc =
        "Gemm of the quantised A and B plus C, a 32-bit sum: Y quantised by y_scale and "
        "y_zero_point, or as f32 without them.",
    .inputs = {{"A", "TA"},
               {"a_scale", "T"},
               {"a_zero_point", "TA"},
               {"B", "TB"},
               {"b_scale", "T"},
               {"b_zero_point", "TB"},
               optional("C", "TC"),
               optional("y_scale", "T"),
               optional("y_zero_point", "TYZ")},
    .outputs = {{"Y", "TY"}},
    .types = {{"T", kFloat32},
              {"TA", integer_rules::kBytes},
              {"TB", integer_rules::kBytes},
              {"TC", types(DType::i32)},
              {"TYZ", integer_rules::kBytes},
              {"TY", integer_rules::kBytes | kFloat32}},
    .attrs = {attr_f("alpha", 1), attr_i("transA", 0), attr_i("transB", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("A and B are integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
