// OneHotEncoder: for each element a row that is 1 at its category and 0 elsewhere.
#include <algorithm>
#include <cmath>

#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const size_t words = ctx.strings("cats_strings").size(), numbers = ctx.ints("cats_int64s").size();
  ctx.check((words == 0) != (numbers == 0),
            "{} cats_strings and cats_int64s given; give one of them",
            words == 0 ? "none of" : "both");
  const bool strings = ctx.dtype(0) == DType::string;
  ctx.check(strings == (words > 0), "X is {}; that needs {}", ctx.str(0),
            strings ? "cats_strings" : "cats_int64s");
  ctx.check(ctx.rank(0) < kMaxRank, "X {} would get {} axes, a tensor has {} at most; use fewer",
            ctx.str(0), ctx.rank(0) + 1, kMaxRank);
  Dims out = ctx.dims(0);
  out.emplace_back(static_cast<int64_t>(std::max(words, numbers)));
  ctx.output(0, std::move(out));
}

void samples(Samples& s) {
  const Attr numbers("cats_int64s", {-1, 0, 2});
  const Attr words("cats_strings", AttrValue(std::vector<std::string>{"w1", "w0"}));
  s.add({arg::any({2, 3})}, {numbers}).types = kNumeric;
  s.add({arg::fixed(Tensor::from<float>({-1.9F, -0.5F, 2.7F, NAN}, {4}))}, {numbers});
  s.add({arg::fixed(Tensor::from<int64_t>({2, 0}, {1, 2}))}, {numbers, {"zeros", 0}});
  s.add({arg::any({3})}, {words}).types = kString;
  s.add({arg::any({})}, {numbers}).types = kNumeric;
  s.add({arg::any({0, 2})}, {numbers}).types = kNumeric;
  s.bad({arg::ints({0, 7})}, {numbers, {"zeros", 0}}, "element 1 is in no category");
  s.bad({arg::ints({0})}, {words}, "X is i64[1]; that needs cats_int64s");
  s.bad({arg::ints({0})}, {numbers, words}, "both cats_strings and cats_int64s given");
  s.bad({arg::ints({0})}, {}, "none of cats_strings and cats_int64s given");
}

}  // namespace

constinit const OpDef OneHotEncoder{
    .name = "OneHotEncoder",
    .doc =
        "A new last axis with a 1 at the category of each element, numbers truncated to integers; "
        "all zeros for others, or an error unless `zeros`.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", kString | types(DType::f32, DType::f64, DType::i64, DType::i32)},
              {"T2", kFloat32}},
    .attrs = {attr("cats_int64s", AttrType::ints), attr("cats_strings", AttrType::strings),
              attr_i("zeros", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("categories are not continuous"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
