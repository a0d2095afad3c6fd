// StringNormalizer: a list of words without stop words, in one case.
#include "base/text.h"
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/text/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  const bool is_row = x.size() == 2 && (!x[0].is_const() || x[0].value() == 1);
  ctx.check(x.size() == 1 || is_row, "X is {}; give words as [count] or [1, count]", ctx.str(0));
  for (const std::string& word : ctx.strings("stopwords"))
    ctx.check(text::is_utf8(word), "the stop word {} is not UTF-8; repair it", text::quoted(word));
  // An empty result is one empty string.
  const bool keeps_all =
      ctx.strings("stopwords").empty() && x.back().is_const() && x.back() != Dim(0);
  Dims out(x.size(), Dim(1));
  out.back() = keeps_all ? x.back() : Dim::unknown();
  ctx.output(0, std::move(out));
}

Attrs stop_words(std::vector<std::string> words, Attrs others = {}) {
  return others.with({"stopwords", AttrValue(std::move(words))});
}

void samples(Samples& s) {
  const auto words = [](const std::vector<std::string>& values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::strings(values, shape));
  };
  const Arg week = words({"Monday", "tuesday", "wednesday", "MONDAY"}, {4});
  s.add({week});
  s.add({week}, {{"case_change_action", "UPPER"}});
  s.add({week}, stop_words({"Monday"}, {{"is_case_sensitive", 1}}));
  s.add({week}, stop_words({"monday"}));
  s.add({week}, stop_words({"mOnday"}, {{"case_change_action", "LOWER"}}));
  s.add({week}, stop_words({"MONDAY", "w"}, {{"case_change_action", "UPPER"},
                                             {"is_case_sensitive", 1},
                                             {"locale", "en_US"}}));
  s.add({words({"école", "Ölung", "Straße"}, {1, 3})},
        stop_words({"ÉCOLE"}, {{"case_change_action", "UPPER"}}));
  s.add({words({"IĞDIR"}, {1})}, {{"case_change_action", "LOWER"}, {"locale", "tr_TR"}});
  s.add({words({"a", "A"}, {2})}, stop_words({"a"}));
  s.add({words({"a"}, {1, 1})}, stop_words({"a"}));
  s.add({arg::any({0})});
  s.add({arg::any({1, 3})}, stop_words({"w1", "w2"}));
  s.bad({arg::any({2, 2})}, {}, "give words as [count] or [1, count]");
  s.bad({arg::any({})}, {}, "give words as [count] or [1, count]");
  s.bad({arg::any({2})}, {{"case_change_action", "TITLE"}}, "use one of NONE, LOWER, UPPER");
  s.bad({arg::any({2})}, stop_words({"\xff"}), "the stop word '\\xff' is not UTF-8");
  s.bad({words({"a", "\xff"}, {2})}, {{"case_change_action", "LOWER"}}, "word 1 is not UTF-8");
}

}  // namespace

constinit const OpDef StringNormalizer{
    .name = "StringNormalizer",
    .doc =
        "Words without those in `stopwords`, in upper or lower case if asked for; one empty string "
        "when none is left.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kString}},
    .attrs = {attr_s("case_change_action", "NONE", "NONE|LOWER|UPPER"),
              attr_i("is_case_sensitive", 0), attr("locale", AttrType::s),
              attr("stopwords", AttrType::strings)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("strings are not numbers"),
    .onnx = {.since = 10},
    .samples = samples,
};

}  // namespace tenon::op
