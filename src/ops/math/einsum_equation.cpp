#include "ops/math/einsum_equation.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace tenon::einsum {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// One operand or the output as written.
struct Term {
  std::vector<Label> before, after;  // of the ellipsis
  bool has_ellipsis = false;

  size_t letters() const { return before.size() + after.size(); }
  std::vector<Label> with_ellipsis_of(size_t axes) const {
    std::vector<Label> labels = before;
    for (size_t i = axes; i-- > 0;) labels.push_back(kEllipsis + static_cast<Label>(i));
    labels.insert(labels.end(), after.begin(), after.end());
    return labels;
  }
};

Term read_term(std::string_view text, std::string_view equation) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      (term.has_ellipsis ? term.after : term.before).push_back(text[i]);
      continue;
    }
    TENON_CHECK(text.substr(i, 3) == "...", usage,
                "Einsum: '{}' in equation '{}' is neither a letter nor part of '...'; use letters, "
                "'...', ',' and '->'",
                text[i], equation);
    TENON_CHECK(!term.has_ellipsis, usage,
                "Einsum: a term of equation '{}' has two '...'; use one at most", equation);
    term.has_ellipsis = true;
    i += 2;
  }
  return term;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t') out += c;
  return out;
}

std::string name_of(Label label) {
  return label < kEllipsis ? std::string(1, static_cast<char>(label)) : "...";
}

// The labels that occur once, in alphabetical order, behind the axes of the ellipsis.
Term implied_output(std::span<const Term> terms) {
  Term out;
  std::vector<Label> all;
  for (const Term& term : terms) {
    all.insert(all.end(), term.before.begin(), term.before.end());
    all.insert(all.end(), term.after.begin(), term.after.end());
    out.has_ellipsis = out.has_ellipsis || term.has_ellipsis;
  }
  std::ranges::sort(all);
  for (const Label label : all)
    if (std::ranges::count(all, label) == 1) out.after.push_back(label);
  return out;
}

void check_output(const Equation& equation, std::string_view text) {
  for (const Label label : equation.output) {
    TENON_CHECK(std::ranges::count(equation.output, label) == 1, usage,
                "Einsum: the output of equation '{}' names {} twice; name each label once", text,
                name_of(label));
    const bool known = std::ranges::any_of(equation.operands, [&](const auto& labels) {
      return std::ranges::find(labels, label) != labels.end();
    });
    TENON_CHECK(
        known, usage,
        "Einsum: the output of equation '{}' names {}, which no operand has; name labels of "
        "operands",
        text, name_of(label));
  }
}

}  // namespace

Equation parse(std::string_view text, std::span<const size_t> ranks) {
  const std::string compact = without_spaces(text);
  const size_t arrow = compact.find("->");
  const std::vector<std::string> parts = split(compact.substr(0, arrow), ',');
  TENON_CHECK(parts.size() == ranks.size(), usage,
              "Einsum: equation '{}' has {} operands, but {} are given; separate the terms of "
              "operands by ','",
              text, parts.size(), ranks.size());
  std::vector<Term> terms;
  for (const std::string& part : parts) terms.push_back(read_term(part, text));

  Equation equation;
  size_t ellipsis = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const size_t letters = terms[i].letters();
    TENON_CHECK(ranks[i] == letters || (terms[i].has_ellipsis && ranks[i] > letters), usage,
                "Einsum: operand {} has {} axes, but '{}' of equation '{}' names {}; give an "
                "operand of that rank",
                i, ranks[i], parts[i], text, letters);
    const size_t hidden = ranks[i] - letters;
    ellipsis = std::max(ellipsis, hidden);
    equation.operands.push_back(terms[i].with_ellipsis_of(hidden));
  }
  const Term out = arrow == std::string::npos ? implied_output(terms)
                                              : read_term(compact.substr(arrow + 2), text);
  equation.output = out.with_ellipsis_of(out.has_ellipsis ? ellipsis : 0);
  check_output(equation, text);
  return equation;
}

Sizes::Sizes(const Equation& equation, std::span<const Dims> operands) {
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t axis = 0; axis < operands[i].size(); ++axis) {
      const Label label = equation.operands[i][axis];
      const Dim& size = operands[i][axis];
      const auto found = std::ranges::find(sizes_, label, &std::pair<Label, Dim>::first);
      if (found == sizes_.end()) {
        sizes_.emplace_back(label, size);
        continue;
      }
      Dim& known = found->second;
      if (known == size || size == Dim(1)) continue;
      TENON_CHECK(
          !known.is_const() || !size.is_const() || known.value() == 1, usage,
          "Einsum: axis {} of operand {} has size {}, but label {} has size {} before; give "
          "equal sizes",
          axis, i, size.str(), name_of(label), known.str());
      if (!known.is_const() && !size.is_const()) continue;
      if (known == Dim(1) || size.is_const()) known = size;
    }
  }
}

const Dim& Sizes::of(Label label) const {
  return std::ranges::find(sizes_, label, &std::pair<Label, Dim>::first)->second;
}

}  // namespace tenon::einsum
