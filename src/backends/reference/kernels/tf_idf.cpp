// TfIdfVectorizer: every n-gram of a row is looked up.
#include <algorithm>
#include <map>
#include <string>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/text/catalog.h"
#include "ops/text/n_grams.h"

namespace tenon::reference {

namespace {

// Places in the vocabulary by n-gram; words as Word.
template <class Word>
std::map<std::vector<Word>, size_t> places_of(const Call& call,
                                              const n_grams::Vocabulary& vocabulary,
                                              std::span<const Word> pool) {
  std::map<std::vector<Word>, size_t> places;
  for (const n_grams::NGram& gram : vocabulary.grams) {
    const auto words = pool.subspan(gram.first, gram.length);
    if (!places.emplace(std::vector<Word>(words.begin(), words.end()), places.size()).second)
      n_grams::fail_repeated(call, gram);
  }
  return places;
}

// word(i) is word i of the row.
template <class Word, class Read>
std::vector<float> count(const std::map<std::vector<Word>, size_t>& places,
                         const n_grams::Vocabulary& vocabulary, size_t length, const Read& word) {
  std::vector<float> counts(vocabulary.grams.size(), 0.0F);
  for (size_t n = vocabulary.shortest; n <= vocabulary.longest; ++n)
    // Skipping makes no difference to single words, and past the row's length nothing is left.
    for (size_t skipped = 0; skipped <= (n == 1 ? 0 : std::min(vocabulary.most_skipped, length));
         ++skipped)
      for (size_t first = 0; first + (n - 1) * (skipped + 1) < length; ++first) {
        std::vector<Word> gram;
        for (size_t k = 0; k < n; ++k) gram.push_back(word(first + k * (skipped + 1)));
        const auto found = places.find(gram);
        if (found != places.end()) ++counts[found->second];
      }
  return counts;
}

template <class Word, class ReadRow>
Prepared prepare_words(const PrepareContext& ctx, std::span<const Word> pool,
                       const ReadRow& read_row) {
  const n_grams::Vocabulary vocabulary = n_grams::read_vocabulary(ctx);
  const Shape& shape = ctx.inputs[0].shape;
  const int64_t rows = shape.rank() == 2 ? shape[0] : 1;
  const int64_t length = shape.empty() ? 1 : shape.back();
  return make_kernel([=, places = places_of(ctx, vocabulary, pool)](const RunContext& run) {
    for (int64_t row = 0; row < rows; ++row)
      vocabulary.write_row(
          count(places, vocabulary, static_cast<size_t>(length), read_row(run.in[0], row * length)),
          run.output<float>(0) + row * vocabulary.columns);
  });
}

Prepared prepare(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  if (type == DType::string)
    return prepare_words(ctx, ctx.strings("pool_strings"), [](const void* x, int64_t first) {
      return [words = static_cast<const std::string*>(x) + first](size_t i) { return words[i]; };
    });
  return prepare_words(ctx, ctx.ints("pool_int64s"), [type](const void* x, int64_t first) {
    return [words = In<int64_t>(type, x), first](size_t i) {
      return words[first + static_cast<int64_t>(i)];
    };
  });
}

}  // namespace

constinit const KernelList tf_idf{{&op::TfIdfVectorizer, "reference.tf_idf_vectorizer", prepare}};

}  // namespace tenon::reference
