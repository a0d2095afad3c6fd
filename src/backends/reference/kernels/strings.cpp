// Operators on text, string by string.
#include <re2/re2.h>

#include <algorithm>
#include <string>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ops/text/catalog.h"
#include "ops/text/letter_case.h"

namespace tenon::reference {

namespace {

using Strings = std::vector<std::string>;

Prepared prepare_regex(const PrepareContext& ctx) {
  const std::string_view pattern = ctx.s("pattern");
  auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()),
                                                   re2::RE2::Quiet);
  return make_kernel([compiled, count = ctx.inputs[0].numel()](const RunContext& run) {
    const auto* x = run.input<std::string>(0);
    for (int64_t i = 0; i < count; ++i)
      run.output<bool>(0)[i] = re2::RE2::FullMatch(x[i], *compiled);
  });
}

Prepared prepare_concat(const PrepareContext& ctx) {
  const Shape shape = ctx.outputs[0].shape;
  const std::array strides{broadcast_strides(ctx.inputs[0].shape, shape),
                           broadcast_strides(ctx.inputs[1].shape, shape)};
  return make_kernel([=](const RunContext& run) {
    const auto* x = run.input<std::string>(0);
    const auto* y = run.input<std::string>(1);
    auto* z = run.output<std::string>(0);
    for_each_broadcast(shape, strides,
                       [&](int64_t i, const auto& at) { z[i] = x[at[0]] + y[at[1]]; });
  });
}

// Unicode's white space, and the separators of files to units that Python counts in.
bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xd) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

size_t skip_spaces(std::string_view text, size_t at, bool spaces) {
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text, at);
    if ((c.valid && is_space(c.value)) != spaces) break;
    at += static_cast<size_t>(c.bytes);
  }
  return at;
}

// As Python's str.split: a text of white space alone has no pieces; what is left after `most` cuts
// keeps its white space at the end.
Strings split_at_spaces(std::string_view text, size_t most) {
  Strings pieces;
  for (size_t at = skip_spaces(text, 0, true); at < text.size();) {
    const size_t end = pieces.size() < most ? skip_spaces(text, at, false) : text.size();
    pieces.emplace_back(text.substr(at, end - at));
    at = skip_spaces(text, end, true);
  }
  return pieces;
}

Strings split_at(std::string_view text, std::string_view delimiter, size_t most) {
  Strings pieces;
  while (true) {
    const size_t end = pieces.size() < most ? text.find(delimiter) : std::string_view::npos;
    pieces.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + delimiter.size());
  }
}

Prepared prepare_split(const PrepareContext& ctx) {
  const int64_t given = ctx.has("maxsplit") ? ctx.i("maxsplit") : -1;
  const size_t most = given < 0 ? SIZE_MAX : static_cast<size_t>(given);
  const std::string delimiter(ctx.has("delimiter") ? ctx.s("delimiter") : "");
  return make_kernel(
      [=, shape = ctx.inputs[0].shape, counts = ctx.wants_output(1)](const RunContext& run) {
        std::vector<Strings> all;
        int64_t longest = 0;
        for (int64_t i = 0; i < shape.numel(); ++i) {
          const std::string& text = run.input<std::string>(0)[i];
          all.push_back(delimiter.empty() ? split_at_spaces(text, most)
                                          : split_at(text, delimiter, most));
          longest = std::max(longest, static_cast<int64_t>(all.back().size()));
          if (counts) run.output<int64_t>(1)[i] = static_cast<int64_t>(all.back().size());
        }
        Shape out = shape;
        out.push_back(longest);
        Tensor y = Tensor::empty(out, DType::string);
        for (size_t i = 0; i < all.size(); ++i)
          std::ranges::move(all[i], y.data<std::string>() + static_cast<int64_t>(i) * longest);
        run.outputs[0] = std::move(y);
      });
}

struct Normalizer final : Kernel {
  text::LetterCase wanted = text::LetterCase::unchanged;
  text::LetterCase compared = text::LetterCase::unchanged;  // stop words, and what is held to them
  text::CaseRules rules = text::CaseRules::unicode;
  Strings stop_words;
  Shape shape;

  std::string in_case(const std::string& word, text::LetterCase to, int64_t i) const {
    auto changed = text::in_case(word, to, rules);
    TENON_CHECK(changed, usage, "StringNormalizer: word {} is not UTF-8: {}; decode it first", i,
                text::quoted(word));
    return std::move(*changed);
  }

  void run(const RunContext& run) const override {
    Strings kept;
    for (int64_t i = 0; i < shape.numel(); ++i) {
      const std::string& word = run.input<std::string>(0)[i];
      if (std::ranges::find(stop_words, in_case(word, compared, i)) == stop_words.end())
        kept.push_back(in_case(word, wanted, i));
    }
    if (kept.empty()) kept.emplace_back();
    Shape out = shape;
    out[out.rank() - 1] = static_cast<int64_t>(kept.size());
    run.outputs[0] = Tensor::strings(kept, out);
  }
};

Prepared prepare_normalizer(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Normalizer>();
  const std::string_view action = ctx.s("case_change_action");
  if (action == "LOWER") kernel->wanted = text::LetterCase::lower;
  if (action == "UPPER") kernel->wanted = text::LetterCase::upper;
  if (ctx.i("is_case_sensitive") == 0)
    kernel->compared = action == "UPPER" ? text::LetterCase::upper : text::LetterCase::lower;
  kernel->rules = text::case_rules(ctx.has("locale") ? ctx.s("locale") : "en_US");
  kernel->shape = ctx.inputs[0].shape;
  for (const std::string& word : ctx.strings("stopwords"))
    kernel->stop_words.push_back(*text::in_case(word, kernel->compared, kernel->rules));
  return kernel;
}

}  // namespace

constinit const KernelList strings{
    {&op::RegexFullMatch, "reference.regex_full_match", prepare_regex},
    {&op::StringConcat, "reference.string_concat", prepare_concat},
    {&op::StringNormalizer, "reference.string_normalizer", prepare_normalizer},
    {&op::StringSplit, "reference.string_split", prepare_split},
};

}  // namespace tenon::reference
