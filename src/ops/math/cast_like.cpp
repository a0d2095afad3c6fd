// CastLike: every element in the type of another tensor.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

constexpr TypeSet kCastable = kNumeric | kBool | kString | kStored;

TensorList expand(const ExpandContext& ctx) {
  return {Cast(ctx.input(0), ctx.attrs.with({"to", static_cast<int64_t>(ctx.input(1).dtype())}))};
}

void samples(Samples& s) {
  const auto like = [](DType type) { return arg::fixed(Tensor::empty({0}, type)); };
  s.add({arg::any({2, 3}), like(DType::f64)}).types = kFloats;
  s.add({arg::range({2, 3}, 0, 3), like(DType::i32)}).types = kNumeric;
  s.add({arg::any({2}), like(DType::f8e4m3fn)}, {{"saturate", 0}}).types = kFloat32;
  s.add({arg::range({2}, 1, 3), like(DType::f8e8m0)}, {{"round_mode", "down"}}).types = kFloat32;
  s.add({arg::fixed(Tensor::from<float>({1.5F}, {1})), like(DType::string)});
  s.add({arg::fixed(Tensor::strings({"2"}, {1})), like(DType::i4)});
  s.bad({arg::any({2})}, {}, "CastLike: 1 inputs given; it takes 2");
  s.bad({arg::any({2}), arg::fixed(Tensor::zeros({2}, DType::c64))}, {},
        "input target_type is c64[2]");
}

}  // namespace

constinit const OpDef CastLike{
    .name = "CastLike",
    .doc = "Elements in the type of `target_type`, as Cast makes them.",
    .inputs = {{"input", "T1"}, {"target_type", "T2"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kCastable}, {"T2", kCastable}},
    .attrs = {attr_s("round_mode", "up", "up|down|nearest"), attr_i("saturate", 1)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 25, .older = {{15, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
