// TfIdfVectorizer: how often each n-gram of a vocabulary occurs in each row of words.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/text/catalog.h"
#include "ops/text/n_grams.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) <= 2, "X is {}; give words as [count] or [rows, count]", ctx.str(0));
  const n_grams::Vocabulary vocabulary = n_grams::read_vocabulary(ctx);
  const bool strings = ctx.dtype(0) == DType::string;
  ctx.check(ctx.has(strings ? "pool_strings" : "pool_int64s"), "X is {}; that needs {}", ctx.str(0),
            strings ? "pool_strings" : "pool_int64s");
  Dims out;
  if (ctx.rank(0) == 2) out.push_back(ctx.dims(0)[0]);
  out.emplace_back(vocabulary.columns);
  ctx.output(0, std::move(out));
}

using Ints = std::vector<int64_t>;

Attrs lengths(int shortest, int longest, int skipped, const char* mode) {
  return {{"min_gram_length", shortest},
          {"max_gram_length", longest},
          {"max_skip_count", skipped},
          {"mode", mode}};
}
Attrs numbers(const Attrs& attrs) {
  return attrs.with({"pool_int64s", AttrValue(Ints{2, 3, 5, 4, 5, 6, 7, 8, 6, 7})})
      .with({"ngram_counts", AttrValue(Ints{0, 4})})
      .with({"ngram_indexes", AttrValue(Ints{0, 1, 2, 3, 4, 5, 6})});
}
Attrs words(const Attrs& attrs) {
  return attrs
      .with({"pool_strings", AttrValue(std::vector<std::string>{"w0", "w1", "w1", "w1", "w1", "w2",
                                                                "w0", "w1", "w2"})})
      .with({"ngram_counts", AttrValue(Ints{0, 2, 6})})
      .with({"ngram_indexes", AttrValue(Ints{4, 1, 0, 2, 3})});
}

void samples(Samples& s) {
  const Arg row = arg::ints({1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});
  const auto weights = AttrValue(std::vector<double>{2, 3, 0.5, 4, 5, 6, 7});
  s.add({row}, numbers(lengths(2, 2, 0, "TF")));
  s.add({row}, numbers(lengths(1, 2, 5, "TF")));
  s.add({row}, numbers(lengths(2, 2, 5, "IDF")));
  s.add({row}, numbers(lengths(1, 1, 3, "IDF")).with({"weights", weights}));
  s.add({row}, numbers(lengths(1, 2, 1, "TFIDF")).with({"weights", weights}));
  s.add({arg::range({3, 6}, 1, 8)}, numbers(lengths(1, 2, 1, "TFIDF"))).types = kIndex;
  s.add({arg::any({2, 8})}, words(lengths(1, 3, 1, "TF"))).types = kString;
  s.add({arg::any({9})}, words(lengths(3, 3, 2, "TF"))).types = kString;
  s.add({arg::range({}, 2, 5)}, numbers(lengths(1, 2, 0, "TF"))).types = kIndex;
  s.add({arg::any({2, 0})}, words(lengths(1, 2, 0, "TF"))).types = kString;
  s.add({arg::any({0, 3})}, words(lengths(1, 2, 0, "TF"))).types = kString;
  s.bad({row}, words(lengths(1, 2, 0, "TF")), "X is i64[12]; that needs pool_int64s");
  s.bad({row}, numbers(lengths(2, 1, 0, "TF")), "n-grams of 2 to 1 items");
  s.bad({row}, numbers(lengths(1, 3, 0, "TF")), "but ngram_counts has 2 lengths");
  s.bad({row}, numbers(lengths(1, 2, 0, "TF")).with({"ngram_counts", AttrValue(Ints{0, 5})}),
        "no whole number of 2-grams");
  s.bad({row}, numbers(lengths(1, 2, 0, "TF")).with({"ngram_counts", AttrValue(Ints{4, 0})}),
        "use increasing places");
  s.bad({row}, numbers(lengths(1, 2, 0, "TF")).with({"ngram_indexes", AttrValue(Ints{0, 1})}),
        "give one index each");
  s.bad({row}, numbers(lengths(0, 2, 0, "TF")), "min_gram_length is 0; use 1 or more");
  s.bad({row}, numbers(lengths(1, 2, 0, "DF")), "use one of TF, IDF, TFIDF");
  s.bad({row}, numbers(lengths(1, 2, 0, "TF")).with({"weights", AttrValue(std::vector<double>{1})}),
        "1 weights for 7 n-grams");
  s.bad({row},
        numbers(lengths(1, 2, 0, "TF"))
            .with({"pool_int64s", AttrValue(Ints{2, 2, 5, 4, 5, 6, 7, 8, 6, 7})}),
        "the 1-gram at 1 of the pool is there twice");
  s.bad({row}, lengths(1, 2, 0, "TF"), "attribute ngram_counts is missing");
}

}  // namespace

constinit const OpDef TfIdfVectorizer{
    .name = "TfIdfVectorizer",
    .doc =
        "How often each n-gram of a pool occurs in each row (TF), whether it does (IDF), or how "
        "often times its weight (TFIDF); up to max_skip_count words may stand between two of it.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T", kString | kIndex}, {"T1", kFloat32}},
    .attrs = {required("max_gram_length", AttrType::i),
              required("max_skip_count", AttrType::i),
              required("min_gram_length", AttrType::i),
              {"mode", AttrType::s, true, false, 0, 0, {}, "TF|IDF|TFIDF"},
              required("ngram_counts", AttrType::ints),
              required("ngram_indexes", AttrType::ints),
              attr("pool_int64s", AttrType::ints),
              attr("pool_strings", AttrType::strings),
              attr("weights", AttrType::floats)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it counts words"),
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
