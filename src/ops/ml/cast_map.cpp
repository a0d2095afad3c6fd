// CastMap: the values of a map by ascending key, in another type.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/maps.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

DType target(const Call& call) {
  const std::string_view to = call.s("cast_to");
  return to == "TO_STRING" ? DType::string : to == "TO_INT64" ? DType::i64 : DType::f32;
}

void infer(InferContext& ctx) {
  const DType keys = maps::key_type(ctx.input(0)), values = maps::value_type(ctx.input(0));
  ctx.check(keys == DType::undefined || keys == DType::i64, "the keys of X are {}; it takes i64",
            name(keys));
  ctx.check(values == DType::undefined || values == DType::string || values == DType::f32,
            "the values of X are {}; it takes f32 and string", name(values));
  const bool dense = ctx.s("map_form") == "DENSE";
  ctx.check(dense || ctx.i("max_map") > 0, "max_map is {}; say how long the result is",
            ctx.i("max_map"));
  Dim count = dense ? Dim::unknown() : Dim(ctx.i("max_map"));
  if (dense && ctx.input(0).element && !ctx.input(0).element->dims.empty())
    count = ctx.input(0).element->dims[0];
  ctx.output(0, {1, count}, target(ctx));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor keys = ctx.input(0).elements()[0];
  const Tensor values =
      Cast(ctx.input(0).elements()[1], {{"to", static_cast<int64_t>(target(ctx))}});
  const std::vector<int64_t> order = maps::by_key(keys);
  const bool dense = ctx.s("map_form") == "DENSE";
  const int64_t count = dense ? static_cast<int64_t>(order.size()) : ctx.i("max_map");
  // Places without an entry are 0; as text they are what ONNX Runtime writes.
  Tensor y =
      values.dtype() == DType::string
          ? Tensor::strings(std::vector<std::string>(static_cast<size_t>(count), "0.f"), {1, count})
          : Tensor::zeros({1, count}, values.dtype());
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t key = keys.data<int64_t>()[order[i]];
    TENON_CHECK(dense || key >= 0, usage, "CastMap: key {} of X is negative; a place is 0 or more",
                key);
    const int64_t place = dense ? static_cast<int64_t>(i) : key;
    if (place < count) y.select(1, place).copy_from(values.select(0, order[i]));
  }
  return {y};
}

void samples(Samples& s) {
  const Arg floats =
      arg::fixed(Tensor::map(Tensor::ints({5, 0, 2}), Tensor::from<float>({1.5, -2, 3}, {3})));
  const Arg words =
      arg::fixed(Tensor::map(Tensor::ints({1, 3}), Tensor::strings({"2.5", "-1"}, {2})));
  s.add({floats});
  s.add({floats}, {{"cast_to", "TO_INT64"}, {"map_form", "SPARSE"}, {"max_map", 4}});
  s.add({floats}, {{"cast_to", "TO_STRING"}, {"map_form", "SPARSE"}, {"max_map", 6}});
  s.add({words});
  s.add({words}, {{"cast_to", "TO_STRING"}});
  s.bad({floats}, {{"map_form", "SPARSE"}, {"max_map", 0}}, "max_map is 0");
  s.bad({floats}, {{"cast_to", "TO_DOUBLE"}}, "use one of TO_FLOAT, TO_STRING, TO_INT64");
  s.bad({arg::fixed(Tensor::map(Tensor::ints({-1}), Tensor::from<float>({1}, {1})))},
        {{"map_form", "SPARSE"}, {"max_map", 3}}, "key -1 of X is negative");
  s.bad({arg::fixed(Tensor::map(Tensor::strings({"a"}, {1}), Tensor::from<float>({1}, {1})))}, {},
        "the keys of X are string; it takes i64");
}

}  // namespace

constinit const OpDef CastMap{
    .name = "CastMap",
    .doc =
        "The values of a map in another type: by ascending key (DENSE), or each at the place that "
        "its key names (SPARSE).",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", types(DType::map)}, {"T2", types(DType::string, DType::f32, DType::i64)}},
    .attrs = {attr_s("cast_to", "TO_FLOAT", "TO_FLOAT|TO_STRING|TO_INT64"),
              attr_s("map_form", "DENSE", "DENSE|SPARSE"), attr_i("max_map", 1)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("maps come from outside"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
