// StringSplit: strings cut into pieces, filled up with empty ones to the same number.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/text/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) < kMaxRank, "X {} would get {} axes, a tensor has {} at most; use fewer",
            ctx.str(0), ctx.rank(0) + 1, kMaxRank);
  Dims pieces = ctx.dims(0);
  pieces.push_back(Dim::unknown());
  ctx.output(0, std::move(pieces));
  ctx.output(1, ctx.dims(0));
}

void samples(Samples& s) {
  const auto texts = [](const std::vector<std::string>& values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::strings(values, shape));
  };
  s.add({texts({"abc.com", "def.net"}, {2})}, {{"delimiter", "."}, {"maxsplit", 1}}).outputs = 2;
  s.add({texts({"o-n-n--x-", "o-n----nx", "", "-"}, {2, 2})}, {{"delimiter", "-"}}).outputs = 2;
  s.add({texts({"a--b--c", "d", "e--", "--"}, {4})}, {{"delimiter", "--"}}).outputs = 2;
  s.add({texts({"hello world !", "  hello   world  ", "", " \t\n"}, {4})}).outputs = 2;
  s.add({texts({" a  b c ", "d e", "f\u3000g"}, {3})}, {{"delimiter", ""}, {"maxsplit", 1}})
      .outputs = 2;
  s.add({texts({"a b", "c"}, {2})}, {{"maxsplit", 0}}).outputs = 2;
  s.add({arg::any({})}, {{"delimiter", "w"}}).outputs = 2;
  s.add({arg::any({0})}).outputs = 2;
  s.add({arg::any({2, 0})}, {{"delimiter", ","}});
  s.bad({arg::any({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})}, {}, "would get 13 axes");
  s.bad({arg::typed({2}, DType::i64)}, {}, "StringSplit: input X is i64[2]; it takes string");
}

}  // namespace

constinit const OpDef StringSplit{
    .name = "StringSplit",
    .doc =
        "The pieces of each string between delimiters, or between runs of white space, on a new "
        "last axis filled up with empty strings; and how many each string has.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}, optional("Z", "T3")},
    .types = {{"T1", kString}, {"T2", kString}, {"T3", kInt64}},
    // Without maxsplit, or with a negative one, every delimiter cuts.
    .attrs = {attr("delimiter", AttrType::s), attr("maxsplit", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("strings are not numbers"),
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
