// QLinearMatMul: the product of quantised matrices, quantised again.
#include "ops/math/product_rules.h"
#include "ops/onnx_node.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

constexpr TypeSet kScales = types(DType::f32, DType::f16, DType::bf16);
constexpr TypeSet kQuantized = integer_rules::kBytes | kFloat8;

void infer(InferContext& ctx) {
  Dims y = product_rules::output(ctx, 0, 3);
  for (size_t at : {1, 2}) integer_rules::check_rows(ctx, at, 0);
  for (size_t at : {4, 5}) integer_rules::check_columns(ctx, at, 3);
  for (size_t at : {6, 7}) integer_rules::check_single(ctx, at);
  ctx.output(0, std::move(y));
}

void lower(OnnxNode& node) {
  for (size_t at : {0, 3, 7})
    TENON_CHECK(integer_rules::kBytes.has(node.inputs[at].dtype()), unsupported,
                "QLinearMatMul '{}': opset {} has no 8-bit floats; export at opset 21 or newer",
                node.name, node.opset);
  for (size_t at : {1, 4, 6})
    TENON_CHECK(node.inputs[at].dtype() == DType::f32, unsupported,
                "QLinearMatMul '{}': opset {} takes scales of f32, not {}; export at opset 21 or "
                "newer",
                node.name, node.opset, name(node.inputs[at].dtype()));
}

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(3)); }

using arg::i8;
using arg::u8;
Arg scale(const Shape& shape) { return arg::range(shape, 0.01, 0.05); }

void samples(Samples& s) {
  const Arg one = scale({}), y_scale = arg::range({}, 1, 2);
  s.add({u8({2, 4}), scale({1}), u8({1}), u8({4, 3}), scale({1}), u8({1}), scale({1}), u8({1})});
  s.add({u8({7, 19}), one, u8({}), i8({19, 21}), scale({21}), i8({21}), y_scale, i8({})});
  s.add({i8({5, 6}), scale({5}), i8({5}), u8({6, 33}), scale({33}), u8({}), y_scale, u8({})});
  s.add({i8({2, 3, 4}), scale({2, 3, 1}), i8({2, 3, 1}), i8({4, 2}), scale({1, 2}), i8({1, 2}),
         y_scale, i8({})});
  s.add({u8({2, 1, 3, 4}), one, u8({}), i8({3, 4, 2}), scale({3, 1, 2}), i8({3, 1, 2}), y_scale,
         u8({})});
  s.add({u8({4}), one, u8({}), i8({4, 17}), one, i8({}), y_scale, u8({})});
  s.add({u8({2, 3, 4}), one, u8({}), i8({4}), one, i8({}), y_scale, u8({})});
  s.add({u8({0, 4}), one, u8({}), i8({4, 3}), one, i8({}), y_scale, u8({})});
  for (DType type : {DType::f16, DType::bf16}) {
    const Arg typed = arg::typed({}, type, 0.01, 0.05);
    s.add({u8({2, 4}), typed, u8({}), i8({4, 3}), typed, i8({}), typed, u8({})});
  }
  for (DType type : {DType::f8e4m3fn, DType::f8e5m2, DType::f8e4m3fnuz, DType::f8e5m2fnuz}) {
    const Arg zero = arg::typed({}, type, 0, 0), y = arg::typed({}, DType::f32, 0.02, 0.05);
    const Arg unit = arg::typed({}, DType::f32, 0.01, 0.05);
    s.add({arg::typed({2, 4}, type), unit, zero, arg::typed({4, 3}, type), unit, zero, y, zero});
    s.add({arg::typed({2, 4}, type), unit, zero, i8({4, 3}), unit, i8({}), y, u8({})});
  }
  const Arg a = u8({2, 3}), b = i8({3, 5});
  s.bad({u8({2, 3}), one, u8({}), i8({4, 5}), one, i8({}), one, u8({})}, {},
        "the last axis of a, 3, must be as long as the last axis but one of b, 4");
  s.bad({a, scale({3}), u8({}), b, one, i8({}), one, u8({})}, {},
        "a_scale is f32[3]; it must have one element, or one for each of the 2 rows of a");
  s.bad({a, one, u8({}), b, one, i8({4}), one, u8({})}, {}, "one for each of the 5 columns of b");
  s.bad({a, one, u8({}), b, one, i8({}), scale({2}), u8({})}, {}, "for the whole tensor");
}

}  // namespace

constinit const OpDef QLinearMatMul{
    .name = "QLinearMatMul",
    .doc =
        "The product of quantised matrices: the sum of products times a_scale * b_scale / y_scale, "
        "rounded to even, plus y_zero_point, saturated.",
    .inputs = {{"a", "T1"},
               {"a_scale", "TS"},
               {"a_zero_point", "T1"},
               {"b", "T2"},
               {"b_scale", "TS"},
               {"b_zero_point", "T2"},
               {"y_scale", "TS"},
               {"y_zero_point", "T3"}},
    .outputs = {{"y", "T3"}},
    .types = {{"TS", kScales}, {"T1", kQuantized}, {"T2", kQuantized}, {"T3", kQuantized}},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.since = 21, .older = {{10, upgrade::as_is}}, .lower = lower},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
