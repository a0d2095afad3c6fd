// Imputer: values that stand for missing ones, replaced.
#include <cmath>

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

size_t count_of(const Call& call, DType type) {
  return is_float(type) ? call.floats("imputed_value_floats").size()
                        : call.ints("imputed_value_int64s").size();
}

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) > 0, "X is {}; give features on its last axis", ctx.str(0));
  const std::string_view list =
      is_float(ctx.dtype(0)) ? "imputed_value_floats" : "imputed_value_int64s";
  const auto count = static_cast<int64_t>(count_of(ctx, ctx.dtype(0)));
  const Dim& features = ctx.dims(0).back();
  ctx.check(count > 0, "X is {}, but {} is missing; say what replaces missing values", ctx.str(0),
            list);
  ctx.check(count == 1 || !features.is_const() || features.value() == count,
            "{} has {} values for X {}; give one, or one a feature", list, count, ctx.str(0));
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const auto count = static_cast<int64_t>(count_of(ctx, x.dtype()));
  if (!is_float(x.dtype())) {
    const Tensor imputed = Tensor::ints(ctx.ints("imputed_value_int64s")).to(x.dtype());
    const Tensor missing = Tensor::from<int64_t>({ctx.i("replaced_value_int64")}, {}).to(x.dtype());
    return {Where(Equal(x, missing), imputed, x)};
  }
  const Tensor imputed =
      feature_rows::constant(ctx.floats("imputed_value_floats"), {count}, x.dtype());
  const double missing = ctx.f("replaced_value_float");
  const Tensor found = std::isnan(missing) ? IsNaN(x) : Equal(x, constant_like(x, missing));
  return {Where(found, imputed, x)};
}

void samples(Samples& s) {
  const auto floats = [](std::vector<double> values) {
    return Attr("imputed_value_floats", AttrValue(std::move(values)));
  };
  const auto ints = [](std::vector<int64_t> values) {
    return Attr("imputed_value_int64s", AttrValue(std::move(values)));
  };
  const Arg gaps = arg::fixed(Tensor::from<float>({NAN, 1, 0, NAN, -1, 0}, {2, 3}));
  s.add({gaps}, {floats({5}), {"replaced_value_float", NAN}});
  s.add({gaps}, {floats({5, 6, 7}), {"replaced_value_float", NAN}});
  s.add({gaps}, {floats({9, 8, 7})});
  s.add({arg::any({2, 3})}, {floats({9, 8, 7})}).types = kFloats;
  s.add({arg::any({4})}, {floats({3}), {"replaced_value_float", -1.0}}).types = kFloats;
  s.add({arg::any({4, 2})}, {ints({7, -7})}).types = kInts;
  s.add({arg::any({5})}, {ints({7}), {"replaced_value_int64", 1}}).types = kInts;
  s.add({arg::any({0, 2})}, {floats({1})}).types = kFloats;
  s.bad({arg::any({2, 3})}, {floats({1, 2})}, "imputed_value_floats has 2 values for X f32[2, 3]");
  s.bad({arg::any({2, 3})}, {ints({1})}, "imputed_value_floats is missing");
  s.bad({arg::typed({2}, DType::i64)}, {floats({1})}, "imputed_value_int64s is missing");
  s.bad({arg::any({})}, {floats({1})}, "give features on its last axis");
}

}  // namespace

constinit const OpDef Imputer{
    .name = "Imputer",
    .doc =
        "Elements equal to a value that stands for missing ones, replaced by one number or by one "
        "a feature.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}},
    .attrs = {attr("imputed_value_floats", AttrType::floats),
              attr("imputed_value_int64s", AttrType::ints), attr_f("replaced_value_float", 0),
              attr_i("replaced_value_int64", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
