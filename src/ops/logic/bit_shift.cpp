// BitShift: bits moved left or right.
#include <cstdint>

#include "ops/logic/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  elementwise::binary_samples(s, 0, 9, {{"direction", "LEFT"}}, true, DType::u8);
  s.add({arg::range({2, 3}, 0, 200), arg::range({3}, 0, 9)}, {{"direction", "RIGHT"}});
  s.add({arg::fixed(Tensor::from<uint64_t>({UINT64_MAX, 1, 1}, {3})),
         arg::fixed(Tensor::from<uint64_t>({63, 64, UINT64_MAX}, {3}))},
        {{"direction", "RIGHT"}});
  s.bad({arg::typed({2}, DType::u8), arg::typed({2}, DType::u8)}, {},
        "BitShift: attribute direction is missing");
  s.bad({arg::typed({2}, DType::u8), arg::typed({2}, DType::u8)}, {{"direction", "UP"}},
        "direction is 'UP'; use one of LEFT, RIGHT");
  s.bad({arg::typed({2}, DType::i32), arg::typed({2}, DType::i32)}, {{"direction", "LEFT"}},
        "BitShift: input X is i32[2]; it takes");
}

}  // namespace

constinit const OpDef BitShift{
    .name = "BitShift",
    .doc = "The bits of X moved by Y places; 0 when all of them are moved out.",
    .inputs = {{"X", "T"}, {"Y", "T"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", kUnsignedInts}},
    .attrs = {{"direction", AttrType::s, true, false, 0, 0, {}, "LEFT|RIGHT"}},
    .infer = infer_rules::broadcast_all,
    .expand = primitive,
    .grad = not_differentiable("bits have no slope"),
    .onnx = {.since = 11},
    .samples = samples,
};

}  // namespace tenon::op
