// CategoryMapper: words to numbers, or numbers to words.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const size_t words = ctx.strings("cats_strings").size(), numbers = ctx.ints("cats_int64s").size();
  ctx.check(words == numbers, "cats_strings has {} entries but cats_int64s has {}; give pairs",
            words, numbers);
  ctx.output(0, ctx.dims(0), ctx.dtype(0) == DType::string ? DType::i64 : DType::string);
}

TensorList expand(const ExpandContext& ctx) {
  const auto words = ctx.strings("cats_strings");
  const auto numbers = ctx.ints("cats_int64s");
  const AttrValue all_words(std::vector<std::string>(words.begin(), words.end()));
  const AttrValue all_numbers(std::vector<int64_t>(numbers.begin(), numbers.end()));
  if (ctx.input(0).dtype() == DType::string)
    return {LabelEncoder(ctx.input(0), {{"keys_strings", all_words},
                                        {"values_int64s", all_numbers},
                                        {"default_int64", ctx.i("default_int64")}})};
  return {LabelEncoder(ctx.input(0),
                       {{"keys_int64s", all_numbers},
                        {"values_strings", all_words},
                        {"default_string", AttrValue(std::string(ctx.s("default_string")))}})};
}

void samples(Samples& s) {
  const Attr words("cats_strings", AttrValue(std::vector<std::string>{"w0", "w1"}));
  const Attr numbers("cats_int64s", {1, -1});
  s.add({arg::any({2, 3})}, {words, numbers});
  s.add({arg::any({4})}, {words, numbers, {"default_int64", 9}, {"default_string", "none"}});
  s.add({arg::any({0})}, {words, numbers});
  s.bad({arg::typed({2}, DType::string)}, {words},
        "cats_strings has 2 entries but cats_int64s has 0");
  s.bad({arg::typed({2}, DType::f32)}, {words, numbers}, "it takes i64, string");
}

}  // namespace

constinit const OpDef CategoryMapper{
    .name = "CategoryMapper",
    .doc = "Words as the numbers they are paired with, or numbers as words; a default for others.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", kString | kInt64}, {"T2", kString | kInt64}},
    .attrs = {attr("cats_int64s", AttrType::ints), attr("cats_strings", AttrType::strings),
              attr_i("default_int64", -1), attr_s("default_string", "_Unused")},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it looks labels up"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
