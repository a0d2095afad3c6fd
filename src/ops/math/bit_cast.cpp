// BitCast: the same bits as elements of another type.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/samples.h"
#include "tensor/narrow.h"

namespace tenon::op {

namespace {

constexpr TypeSet kCastable = kAnyType | kStored;

DType target(const Call& call) { return static_cast<DType>(call.i("to")); }

void infer(InferContext& ctx) {
  const int64_t to = ctx.i("to");
  ctx.check(to > 0 && to < kTensorTypeCount && (kCastable - kString).has(target(ctx)),
            "attribute to is {}, which is not the number of a type of bits; use those of {}", to,
            (kCastable - kString).str());
  ctx.check(bits_of(ctx.dtype(0)) == bits_of(target(ctx)),
            "input is {}, of {} bits, but attribute to names {}, of {}; use a type of one width",
            ctx.str(0), bits_of(ctx.dtype(0)), name(target(ctx)), bits_of(target(ctx)));
  ctx.output(0, ctx.dims(0), target(ctx));
}

// A bool must hold 0 or 1, so only what was made one can be shared.
Tensor view(std::span<const Tensor* const> inputs, const Attrs& attrs, const Shape&) {
  const Tensor& x = *inputs[0];
  const DType to = target({BitCast, attrs});
  if (to == DType::boolean && x.dtype() != to) return {};
  return Tensor::over(x.storage(), x.offset(), x.shape(), x.strides(), to);
}

void samples(Samples& s) {
  const auto to = [](DType type) { return Attrs{{"to", static_cast<int64_t>(type)}}; };
  const TypeSet bytes = kBool | kFloat8 | types(DType::u8, DType::i8, DType::f8e8m0);
  for (const DType type : {DType::u8, DType::i8, DType::boolean, DType::f8e5m2, DType::f8e8m0})
    s.add({arg::any({2, 3})}, to(type)).types = bytes;
  for (const DType type : {DType::u16, DType::i16, DType::f16, DType::bf16})
    s.add({arg::any({2, 3})}, to(type)).types =
        types(DType::u16, DType::i16, DType::f16, DType::bf16);
  for (const DType type : {DType::u32, DType::i32, DType::f32})
    s.add({arg::any({2, 3})}, to(type)).types = types(DType::u32, DType::i32, DType::f32);
  for (const DType type : {DType::u64, DType::i64, DType::f64})
    s.add({arg::any({2, 3})}, to(type)).types = types(DType::u64, DType::i64, DType::f64);
  for (const DType type : {DType::u4, DType::i4, DType::f4e2m1})
    s.add({arg::any({2, 3})}, to(type)).types = types(DType::u4, DType::i4, DType::f4e2m1);
  for (const DType type : {DType::u2, DType::i2})
    s.add({arg::any({2, 3})}, to(type)).types = types(DType::u2, DType::i2);
  s.add({arg::any({})}, to(DType::i32)).types = kFloat32;
  s.add({arg::any({0, 3})}, to(DType::i32)).types = kFloat32;
  s.bad({arg::any({2})}, {}, "BitCast: attribute to is missing");
  s.bad({arg::typed({2}, DType::f32)}, to(DType::f64), "use a type of one width");
  s.bad({arg::typed({2}, DType::u8)}, to(DType::u4), "of 8 bits, but attribute to names u4, of 4");
  s.bad({arg::typed({2}, DType::f32)}, to(DType::string), "not the number of a type of bits");
}

}  // namespace

constinit const OpDef BitCast{
    .name = "BitCast",
    .doc = "The same bits as elements of the type numbered `to`, which has as many.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kCastable - kString}, {"T2", kCastable - kString}},
    .attrs = {required("to", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("bits of a number are no number that changes with it"),
    .onnx = {.since = 26},
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
