// Cast: every element in another type.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "tensor/narrow.h"

namespace tenon::op {

namespace {

constexpr TypeSet kCastable = kNumeric | kBool | kString | kStored;

DType target(const Call& call) { return static_cast<DType>(call.i("to")); }

// The types of sizes; what i32 cannot hold of i64 is not followed.
bool follows(const std::vector<Dim>& values, DType from, DType to) {
  if (!kIndex.has(from) || !kIndex.has(to)) return false;
  return to == DType::i64 || std::ranges::all_of(values, [](const Dim& value) {
           return !value.is_const() || (value.value() >= INT32_MIN && value.value() <= INT32_MAX);
         });
}

void infer_shape(InferContext& ctx) {
  const int64_t to = ctx.i("to");
  ctx.check(to > 0 && to < kTensorTypeCount && kCastable.has(target(ctx)),
            "attribute to is {}, which is not the number of a type it casts to; use those of {}",
            to, kCastable.str());
  ctx.output(0, ctx.dims(0), target(ctx));
  if (ctx.values(0) && follows(*ctx.values(0), ctx.dtype(0), target(ctx)))
    ctx.output_values(0, *ctx.values(0));
}

TensorList grad(const GradContext& ctx) {
  if (!is_float(ctx.dtype(0)) || !is_float(target(ctx))) return ctx.none();
  return {Cast(ctx.grad(), {{"to", static_cast<int64_t>(ctx.dtype(0))}})};
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs& attrs, const Shape&) {
  const Tensor& x = *inputs[0];
  if (x.dtype() != target({Cast, attrs})) return {};
  return Tensor::over(x.storage(), x.offset(), x.shape(), x.strides(), x.dtype());
}

// Opset 1 names the type: "FLOAT".
TensorList upgrade_name(const OnnxNode& node) {
  const AttrValue* value = node.attrs.find("to");
  const auto* type_name = value ? std::get_if<std::string>(value) : nullptr;
  const DType to = type_name ? parse_dtype(*type_name) : DType::undefined;
  TENON_CHECK(to != DType::undefined, data, "Cast {}: attribute to is {}; repair the file",
              node.name,
              type_name ? fmt::format("'{}', which names no type", *type_name) : "not a string");
  return Cast.all(node.inputs, {{"to", static_cast<int64_t>(to)}});
}

// The types that these two concern came with them.
void lower_attrs(OnnxNode& node) {
  node.attrs = node.attrs.without("round_mode");
  if (node.opset < 19) node.attrs = node.attrs.without("saturate");
  if (node.opset >= 6) return;
  const DType to = target({Cast, node.attrs});
  node.attrs = node.attrs.with({"to", std::string(onnx_name(to))});
}

void samples(Samples& s) {
  for (int type = 1; type < kTensorTypeCount; ++type) {
    const auto to = static_cast<DType>(type);
    if (!kCastable.has(to) || to == DType::string) continue;
    Sample& sample = s.add({arg::range({2, 3}, 0, 3)}, {{"to", type}});
    sample.types = kCastable - kString;
    sample.grad = to == DType::f64;  // finite differences need its digits
  }
  const auto to = [](DType type) { return Attrs{{"to", static_cast<int64_t>(type)}}; };
  s.add({arg::range({2, 3}, -3, 3)}, to(DType::i32)).types = kFloats | kSignedInts;
  s.add({arg::any({})}, to(DType::f64)).types = kFloats;
  s.add({arg::any({0, 3})}, to(DType::f32)).types = kCastable - kString;
  s.add({arg::any({2})}, to(DType::f64).with({"saturate", 0})).types = kFloats;
  const Tensor extremes = Tensor::from<double>(
      {0, -0.0, 0.26, 1.3, 6.5, -450, 500, 6e4, 1e6, -1e6, INFINITY, -INFINITY, NAN}, {13});
  for (const DType narrow : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                             DType::f8e8m0, DType::f4e2m1, DType::i4, DType::u2})
    for (const int saturate : {0, 1})
      s.add({arg::fixed(extremes)}, to(narrow).with({"saturate", saturate})).grad = false;
  for (const char* mode : {"up", "down", "nearest"})
    s.add({arg::fixed(extremes)}, to(DType::f8e8m0).with({"round_mode", mode})).grad = false;
  s.add({arg::any({3, 300})}, to(DType::f8e4m3fn)).types = kFloat32 | kNarrowFloats;
  s.add({arg::range({300}, -300, 300)}, to(DType::u8)).types = kFloat32 | types(DType::i32);
  s.add({arg::range({300}, -300, 300)}, to(DType::i8)).types = kFloat32 | types(DType::i32);
  s.add({arg::range({300}, -3, 3)}, to(DType::i64)).types = kFloat32;
  s.add({arg::range({300}, -3, 3)}, to(DType::boolean)).types = kFloat32;
  s.add({arg::fixed(extremes.to(DType::f32))}, to(DType::i32));
  s.add({arg::fixed(Tensor::from<float>({0.1F, 2, -448}, {3}).to(DType::f8e4m3fn))},
        to(DType::string));
  s.add({arg::fixed(Tensor::ints({-8, 7, 20}).to(DType::i4))}, to(DType::string));
  s.add({arg::fixed(Tensor::strings({"1.06", "-inf", "NaN"}, {3}))}, to(DType::f8e5m2));
  s.add({arg::fixed(Tensor::strings({"1000", "-inf"}, {2}))},
        to(DType::f8e5m2fnuz).with({"saturate", 0}));
  s.add({arg::fixed(Tensor::strings({"7", "-3"}, {2}))}, to(DType::i4));
  s.add({arg::fixed(Tensor::from<int32_t>({-1, 300, 70000}, {3}))}, to(DType::u8));
  s.add({arg::fixed(Tensor::from<double>({1.5, -2, 1e10, 0.1}, {4}))}, to(DType::string));
  s.add({arg::fixed(Tensor::strings({"1", "-2", "30", " 4 "}, {4}))}, to(DType::i64));
  s.add({arg::fixed(Tensor::strings({"1.5", "+INF", "-inf", "NaN", "1e-5"}, {5}))}, to(DType::f32));
  s.bad({arg::any({2})}, {}, "Cast: attribute to is missing");
  s.bad({arg::any({2})}, {{"to", 77}}, "Cast: attribute to is 77");
  s.bad({arg::any({2})}, to(DType::c64), "not the number of a type it casts to");
  s.bad({arg::any({2})}, to(DType::f8e8m0).with({"round_mode", "even"}), "round_mode is 'even'");
}

}  // namespace

constinit const OpDef Cast{
    .name = "Cast",
    .doc =
        "Elements in the type numbered `to`; floats beyond an integer type take its nearest bound, "
        "NaN becomes 0, and integers keep their low bits. Narrow floats round to nearest even, "
        "those "
        "of 8 bits as `saturate` and (f8e8m0) `round_mode` say.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kCastable}, {"T2", kCastable}},
    .attrs = {required("to", AttrType::i), attr_s("round_mode", "up", "up|down|nearest"),
              attr_i("saturate", 1)},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 25, .older = {{1, upgrade_name}, {6, upgrade::as_is}}, .lower = lower_attrs},
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
