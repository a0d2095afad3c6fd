// MatMulInteger: the matrix product of 8-bit integers, summed in 32 bits.
#include "ops/math/product_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  Dims y = product_rules::output(ctx, 0, 1);
  integer_rules::check_rows(ctx, 2, 0);
  integer_rules::check_columns(ctx, 3, 1);
  ctx.output(0, std::move(y), DType::i32);
}

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(1)); }

Arg bytes(const Shape& shape) { return arg::range(shape, -128, 255); }
using arg::i8;
using arg::u8;

void samples(Samples& s) {
  const Arg a = arg::range({3, 5}, 0, 127);
  s.add({a, i8({5, 4})});
  s.add({a, u8({5, 4}), arg::range({}, 0, 100), arg::typed({1}, DType::u8, 0, 255)});
  s.add({u8({7, 19}), i8({19, 21}), u8({7}), i8({21})});
  s.add({i8({5, 6}), u8({6, 33}), i8({5, 1}), u8({1, 33})});
  s.add({u8({2, 3, 4}), u8({4, 2}), u8({2, 3, 1}), u8({2})});
  s.add({i8({2, 1, 3, 4}), i8({3, 4, 2}), arg::none(), i8({3, 1, 2})});
  s.add({u8({4}), u8({4, 17}), u8({})});
  s.add({u8({2, 3, 4}), i8({4})});
  s.add({i8({6}), i8({6})});
  s.add({u8({0, 4}), u8({4, 3})});
  s.add({u8({2, 0}), u8({0, 3}), u8({2}), u8({3})});
  s.bad({bytes({2, 3}), bytes({4, 5})}, {}, "the last axis of A, 3, must be as long as");
  s.bad({bytes({2, 3}), bytes({3, 5}), bytes({3})}, {},
        "a_zero_point is u8[3]; it must have one element, or one for each of the 2 rows of A");
  s.bad({bytes({2, 3}), bytes({3, 5}), bytes({}), bytes({2, 5})}, {},
        "one for each of the 5 columns of B");
  s.bad({bytes({2, 3}), bytes({3, 5}), i8({})}, {}, "cast one so that both have one type");
}

}  // namespace

constinit const OpDef MatMulInteger{
    .name = "MatMulInteger",
    .doc =
        "The matrix product of A - a_zero_point and B - b_zero_point, 8-bit integers, summed in 32 "
        "bits.",
    .inputs = {{"A", "T1"},
               {"B", "T2"},
               optional("a_zero_point", "T1"),
               optional("b_zero_point", "T2")},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", integer_rules::kBytes},
              {"T2", integer_rules::kBytes},
              {"T3", types(DType::i32)}},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.since = 10},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
