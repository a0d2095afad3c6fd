// TableLookup: any function of one 8-bit number, as a table.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(1) == 1 && (!ctx.dims(1)[0].is_const() || ctx.dims(1)[0].value() == 256),
            "table is {}; it must have shape [256], an entry for each byte", ctx.str(1));
  ctx.output(0, ctx.dims(0));
}

// Negative indices count from the end, as the bytes of negative numbers do.
TensorList expand(const ExpandContext& ctx) {
  return {Gather(ctx.input(1), ctx.input(0).to(DType::i32))};
}

void samples(Samples& s) {
  s.add({arg::u8({3, 70}), arg::u8({256})});
  s.add({arg::i8({2, 3, 5}), arg::u8({256})});
  s.add({arg::i8({41}), arg::i8({256})});
  s.add({arg::u8({7}), arg::typed({256}, DType::f32)});
  s.add({arg::u8({}), arg::i8({256})});
  s.add({arg::u8({0, 3}), arg::i8({256})});
  s.bad({arg::u8({3}), arg::u8({255})}, {}, "table is u8[255]; it must have shape [256]");
}

}  // namespace

constinit const OpDef TableLookup{
    .name = "TableLookup",
    .doc =
        "table[X], element by element; the entries of negative X stand behind those of 0 to 127, "
        "as the bytes do.",
    .inputs = {{"X", "T1"}, {"table", "T2"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", integer_rules::kBytes}, {"T2", integer_rules::kBytes | kFloat32}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = no_onnx("ONNX has Gather for it; export writes the expansion"),
    .samples = samples,
};

}  // namespace tenon::op
