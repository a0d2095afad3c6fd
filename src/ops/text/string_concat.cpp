// StringConcat: pairs of strings, one behind the other.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/text/catalog.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::strings({"abc", "def"}, {2})),
         arg::fixed(Tensor::strings({".com", ".net"}, {2}))});
  s.add({arg::any({2, 3}), arg::any({3})});
  s.add({arg::any({2, 1}), arg::any({1, 2})});
  s.add({arg::any({}), arg::any({})});
  s.add({arg::any({0, 2}), arg::any({2})});
  s.add({arg::fixed(Tensor::strings({"的", ""}, {2})), arg::fixed(Tensor::strings({"中"}, {}))});
  s.bad({arg::any({2}), arg::any({3})}, {}, "StringConcat: shapes [2] and [3] cannot be broadcast");
  s.bad({arg::any({2})}, {}, "StringConcat: 1 inputs given");
}

}  // namespace

constinit const OpDef StringConcat{
    .name = "StringConcat",
    .doc = "Y behind X, string by string; both broadcast.",
    .inputs = {{"X", "T"}, {"Y", "T"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", kString}},
    .infer = infer_rules::broadcast_all,
    .expand = primitive,
    .grad = not_differentiable("strings are not numbers"),
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
