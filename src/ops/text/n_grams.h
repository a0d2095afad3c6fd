// The vocabulary of TfIdfVectorizer, as its attributes spell it.
#pragma once

#include <span>
#include <vector>

#include "ops/op.h"

namespace tenon::n_grams {

// Words that are counted together: `length` items of the pool from `first` on.
struct NGram {
  size_t first, length;
  int64_t column;  // of the output
  float weight;
};

struct Vocabulary {
  std::vector<NGram> grams;  // of the lengths that count
  int64_t columns = 0;
  size_t shortest = 1, longest = 1;
  size_t most_skipped = 0;  // words left out between two of an n-gram
  bool truncates = false;   // whether an n-gram is there counts, not how often

  // A row of the output from how often each n-gram occurs.
  void write_row(std::span<const float> counts, float* y) const;
};

// Fails (usage) on attributes that do not fit each other.
Vocabulary read_vocabulary(const Call& call);

// Fails (usage) on an n-gram that occurs twice.
[[noreturn]] void fail_repeated(const Call& call, const NGram& gram);

}  // namespace tenon::n_grams
