// Cast: every element in another type.
#include <algorithm>
#include <cstdint>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

constexpr TypeSet kCastable = kNumeric | kBool | kString;

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
  ctx.check(to > 0 && to < kDTypeCount && kCastable.has(target(ctx)),
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

void lower_attrs(OnnxNode& node) {
  node.attrs = node.attrs.without("saturate");
  if (node.opset >= 6) return;
  const DType to = target({Cast, node.attrs});
  node.attrs = node.attrs.with({"to", std::string(onnx_name(to))});
}

void samples(Samples& s) {
  for (int type = 1; type < kDTypeCount; ++type) {
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
  s.add({arg::fixed(Tensor::from<int32_t>({-1, 300, 70000}, {3}))}, to(DType::u8));
  s.add({arg::fixed(Tensor::from<double>({1.5, -2, 1e10, 0.1}, {4}))}, to(DType::string));
  s.add({arg::fixed(Tensor::strings({"1", "-2", "30", " 4 "}, {4}))}, to(DType::i64));
  s.add({arg::fixed(Tensor::strings({"1.5", "+INF", "-inf", "NaN", "1e-5"}, {5}))}, to(DType::f32));
  s.bad({arg::any({2})}, {}, "Cast: attribute to is missing");
  s.bad({arg::any({2})}, {{"to", 77}}, "Cast: attribute to is 77");
  s.bad({arg::any({2})}, to(DType::c64), "not the number of a type it casts to");
}

}  // namespace

constinit const OpDef Cast{
    .name = "Cast",
    .doc =
        "Elements in the type numbered `to`; floats beyond an integer type take its nearest bound, "
        "NaN becomes 0, and integers keep their low bits.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kCastable}, {"T2", kCastable}},
    // `saturate` concerns 8-bit floats only, which Tenon does not have.
    .attrs = {required("to", AttrType::i), attr_i("saturate", 1)},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 19, .older = {{1, upgrade_name}, {6, upgrade::as_is}}, .lower = lower_attrs},
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
