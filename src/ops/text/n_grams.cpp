// Checks and unpacks the pools of n-grams.
#include "ops/text/n_grams.h"

#include <algorithm>

namespace tenon::n_grams {

namespace {

size_t count_of(const Call& call, std::string_view name, int64_t least) {
  const int64_t count = call.i(name);
  TENON_CHECK(count >= least && count <= INT32_MAX, usage, "{}: {} is {}; use {} or more",
              call.op.name, name, count, least);
  return static_cast<size_t>(count);
}

}  // namespace

Vocabulary read_vocabulary(const Call& call) {
  const std::string_view op = call.op.name;
  Vocabulary vocabulary;
  vocabulary.shortest = count_of(call, "min_gram_length", 1);
  vocabulary.longest = count_of(call, "max_gram_length", 1);
  vocabulary.most_skipped = count_of(call, "max_skip_count", 0);

  const bool strings = call.has("pool_strings"), ints = call.has("pool_int64s");
  TENON_CHECK(strings != ints, usage, "{}: {} pool_strings and pool_int64s given; give one of them",
              op, strings ? "both" : "none of");
  const size_t pool =
      strings ? call.strings("pool_strings").size() : call.ints("pool_int64s").size();
  const auto starts = call.ints("ngram_counts"), indexes = call.ints("ngram_indexes");
  TENON_CHECK(vocabulary.shortest <= vocabulary.longest && vocabulary.longest <= starts.size(),
              usage,
              "{}: n-grams of {} to {} items, but ngram_counts has {} lengths; use an increasing "
              "range within them",
              op, vocabulary.shortest, vocabulary.longest, starts.size());
  TENON_CHECK(!indexes.empty() && *std::ranges::min_element(indexes) >= 0 &&
                  *std::ranges::max_element(indexes) < INT32_MAX,
              usage, "{}: ngram_indexes must hold the columns of the n-grams, 0 or more", op);
  vocabulary.columns = *std::ranges::max_element(indexes) + 1;

  const auto weights = call.floats("weights");
  TENON_CHECK(weights.empty() || weights.size() == indexes.size(), usage,
              "{}: {} weights for {} n-grams; give one each", op, weights.size(), indexes.size());
  const bool weighs = !weights.empty() && call.s("mode") != "TF";
  vocabulary.truncates = call.s("mode") == "IDF";

  size_t id = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t length = i + 1;
    const int64_t end = length < starts.size() ? starts[length] : static_cast<int64_t>(pool);
    TENON_CHECK(starts[i] >= 0 && starts[i] <= end && end <= static_cast<int64_t>(pool), usage,
                "{}: ngram_counts {} puts the {}-grams at {} to {} of a pool of {} items; use "
                "increasing places within it",
                op, i, length, starts[i], end, pool);
    const auto items = static_cast<size_t>(end - starts[i]);
    TENON_CHECK(items % length == 0, usage,
                "{}: {} items of the pool are no whole number of {}-grams", op, items, length);
    for (size_t k = 0; k < items / length; ++k, ++id) {
      TENON_CHECK(id < indexes.size(), usage,
                  "{}: the pool has more n-grams than the {} of ngram_indexes; give one index each",
                  op, indexes.size());
      if (length >= vocabulary.shortest && length <= vocabulary.longest)
        vocabulary.grams.push_back({static_cast<size_t>(starts[i]) + k * length, length,
                                    indexes[id], weighs ? static_cast<float>(weights[id]) : 1.0F});
    }
  }
  return vocabulary;
}

void Vocabulary::write_row(std::span<const float> counts, float* y) const {
  std::fill_n(y, columns, 0.0F);
  for (size_t i = 0; i < grams.size(); ++i) {
    float& value = y[grams[i].column];
    if (!truncates)
      value += counts[i] * grams[i].weight;
    else if (counts[i] > 0)
      value = grams[i].weight;
  }
}

void fail_repeated(const Call& call, const NGram& gram) {
  fail(ErrorKind::usage, "{}: the {}-gram at {} of the pool is there twice; keep one", call.op.name,
       gram.length, gram.first);
}

}  // namespace tenon::n_grams
