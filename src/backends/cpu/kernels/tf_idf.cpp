// TfIdfVectorizer: words become numbers once, and n-grams are walked through a tree of them.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/text/catalog.h"
#include "ops/text/n_grams.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kWordsAThread = 2048;

// Words of the vocabulary as numbers from 0; -1 for others.
template <class Word>
class Numbers {
 public:
  int32_t add(const Word& word) {
    return numbers_.try_emplace(word, static_cast<int32_t>(numbers_.size())).first->second;
  }
  int32_t find(const Word& word) const {
    const auto found = numbers_.find(word);
    return found == numbers_.end() ? -1 : found->second;
  }

 private:
  std::unordered_map<Word, int32_t> numbers_;
};

// A tree of words: what follows a node, and the n-gram that ends there.
class NGramTree {
 public:
  static constexpr int32_t kRoot = 0;

  NGramTree() : grams_{-1} {}
  // The node of `word` behind `node`, made if it is new.
  int32_t add(int32_t node, int32_t word) {
    const auto [at, is_new] =
        next_.try_emplace(key(node, word), static_cast<int32_t>(grams_.size()));
    if (is_new) grams_.push_back(-1);
    return at->second;
  }
  int32_t find(int32_t node, int32_t word) const {  // -1: there is none
    const auto found = next_.find(key(node, word));
    return found == next_.end() ? -1 : found->second;
  }
  int32_t& gram(int32_t node) { return grams_[static_cast<size_t>(node)]; }
  int32_t gram(int32_t node) const { return grams_[static_cast<size_t>(node)]; }

 private:
  static uint64_t key(int32_t node, int32_t word) {
    return static_cast<uint64_t>(static_cast<uint32_t>(node)) << 32 | static_cast<uint32_t>(word);
  }
  std::unordered_map<uint64_t, int32_t> next_;
  std::vector<int32_t> grams_;  // -1: no n-gram ends here
};

template <class Word, class Input>
struct Vectorizer final : Kernel {
  n_grams::Vocabulary vocabulary;
  Numbers<Word> numbers;
  NGramTree tree;
  int64_t rows = 1, length = 1;

  void run(const RunContext& ctx) const override {
    parallel_for(0, rows, std::max<int64_t>(1, kWordsAThread / std::max<int64_t>(1, length)),
                 [&](int64_t begin, int64_t end) {
                   std::vector<int32_t> words(static_cast<size_t>(length));
                   std::vector<float> counts(vocabulary.grams.size());
                   for (int64_t row = begin; row < end; ++row)
                     run_row(ctx.input<Input>(0) + row * length,
                             ctx.output<float>(0) + row * vocabulary.columns, words, counts);
                 });
  }

  void run_row(const Input* x, float* y, std::vector<int32_t>& words,
               std::vector<float>& counts) const {
    for (size_t i = 0; i < words.size(); ++i) words[i] = numbers.find(x[i]);
    std::ranges::fill(counts, 0.0F);
    // Past the row's length nothing is left to find.
    const size_t most_skipped = std::min(vocabulary.most_skipped, words.size());
    for (size_t skipped = 0; skipped <= most_skipped; ++skipped) {
      // Skipping makes no difference to single words.
      const size_t shortest = std::max<size_t>(vocabulary.shortest, skipped == 0 ? 1 : 2);
      if (shortest > vocabulary.longest) break;
      for (size_t first = 0; first < words.size(); ++first)
        count(words, first, skipped + 1, shortest, counts);
    }
    vocabulary.write_row(counts, y);
  }

  // The n-grams that begin at word `first`, with every step-th word.
  void count(const std::vector<int32_t>& words, size_t first, size_t step, size_t shortest,
             std::vector<float>& counts) const {
    int32_t node = NGramTree::kRoot;
    size_t at = first;
    for (size_t n = 1; n <= vocabulary.longest && at < words.size(); ++n, at += step) {
      if (words[at] < 0) return;
      node = tree.find(node, words[at]);
      if (node < 0) return;
      if (n >= shortest && tree.gram(node) >= 0) counts[static_cast<size_t>(tree.gram(node))] += 1;
    }
  }
};

template <class Word, class Input>
Prepared make(const PrepareContext& ctx, std::span<const Word> pool) {
  auto kernel = std::make_unique<Vectorizer<Word, Input>>();
  kernel->vocabulary = n_grams::read_vocabulary(ctx);
  for (size_t i = 0; i < kernel->vocabulary.grams.size(); ++i) {
    const n_grams::NGram& gram = kernel->vocabulary.grams[i];
    int32_t node = NGramTree::kRoot;
    for (const Word& word : pool.subspan(gram.first, gram.length))
      node = kernel->tree.add(node, kernel->numbers.add(word));
    if (kernel->tree.gram(node) >= 0) n_grams::fail_repeated(ctx, gram);
    kernel->tree.gram(node) = static_cast<int32_t>(i);
  }
  const Shape& shape = ctx.inputs[0].shape;
  if (shape.rank() == 2) kernel->rows = shape[0];
  if (!shape.empty()) kernel->length = shape.back();
  return kernel;
}

Prepared prepare(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::string: return make<std::string, std::string>(ctx, ctx.strings("pool_strings"));
    case DType::i32: return make<int64_t, int32_t>(ctx, ctx.ints("pool_int64s"));
    default: return make<int64_t, int64_t>(ctx, ctx.ints("pool_int64s"));
  }
}

}  // namespace

constinit const KernelList tf_idf{{&op::TfIdfVectorizer, "cpu.tf_idf_vectorizer", prepare}};

}  // namespace tenon::cpu
