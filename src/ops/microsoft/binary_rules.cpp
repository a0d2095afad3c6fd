// Validation and samples of quantised elementwise operators of two inputs.
#include "ops/microsoft/binary_rules.h"

#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/byte_args.h"

namespace tenon::microsoft {

void infer_binary(InferContext& ctx) {
  check_singles(ctx, {1, 2, 4, 5, 6, 7});
  try {
    ctx.output(0, broadcast(ctx.dims(0), ctx.dims(3)));
  } catch (const Error&) {
    ctx.fail("A is {} and B is {}; they cannot be broadcast together, sizes must be equal or 1",
             ctx.str(0), ctx.str(3));
  }
}

void binary_samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05), c_scale = arg::range({}, 0.1, 0.2);
  const auto add = [&](const auto& bytes, const Shape& a, const Shape& b) {
    s.add({bytes(a), scale, bytes({}), bytes(b), scale, bytes({1}), c_scale, bytes({})});
  };
  add(arg::u8, {2, 3, 11}, {2, 3, 11});
  add(arg::i8, {67}, {67});
  add(arg::u8, {2, 3, 4}, {3, 1});
  add(arg::i8, {3, 1}, {2, 1, 19});
  add(arg::u8, {5, 4}, {});
  add(arg::u8, {1}, {3, 17});
  add(arg::i8, {}, {});
  add(arg::u8, {0, 3}, {3});
  s.add({arg::u8({2, 9}), scale, arg::none(), arg::u8({2, 9}), scale, arg::none(), c_scale});
  s.bad({arg::u8({2, 3}), scale, arg::u8({}), arg::u8({4}), scale, arg::u8({}), c_scale}, {},
        "they cannot be broadcast together");
  s.bad(
      {arg::u8({3}), arg::range({3}, 1, 2), arg::u8({}), arg::u8({3}), scale, arg::u8({}), c_scale},
      {}, "A_scale is f32[3]; it must have one element");
  s.bad({arg::u8({3}), scale, arg::u8({}), arg::i8({3}), scale, arg::u8({}), c_scale}, {},
        "cast one so that both have one type");
}

}  // namespace tenon::microsoft
