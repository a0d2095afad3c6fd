// Dims as text: "2*seq+1", "floor((h+1)/2)", "?", and names that need it in quotes: 'past length'.
#include <charconv>

#include "base/error.h"
#include "tensor/dim_poly.h"

namespace tenon {
namespace {

constexpr int kMaxDepth = 64;  // of parentheses: text may come from anywhere

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c) || c == '.'; }

std::string name_text(const std::string& name) {
  bool plain = starts_name(name[0]) && name != "floor";
  for (const char c : name) plain &= continues_name(c);
  if (plain) return name;
  std::string quoted = "'";
  for (const char c : name) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// As an operand of '/': in parentheses unless it is one number or one atom.
std::string operand_text(const Dim& dim) {
  const dim::Terms terms = dim::terms_of(dim);
  const bool atom = terms.size() == 1 && terms[0].monomial.size() == 1 && terms[0].factor == 1;
  const bool number = dim.is_const() && dim.value() >= 0;
  return atom || number ? dim.str() : "(" + dim.str() + ")";
}

std::string atom_text(const dim::Atom& atom) {
  switch (atom.kind) {
    case dim::Atom::Kind::symbol: return name_text(atom.name);
    case dim::Atom::Kind::unknown: return "?";
    case dim::Atom::Kind::floor_div: break;
  }
  return "floor(" + operand_text(atom.numerator) + "/" + operand_text(atom.divisor) + ")";
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Dim whole() {
    const Dim dim = sum();
    peek();
    if (at_ < text_.size()) fail_here("an operator or the end");
    return dim;
  }

 private:
  Dim sum() {
    if (++depth_ > kMaxDepth) fail_here("less than 64 nested parentheses");
    Dim total = 0;
    bool minus = take('-');
    while (true) {
      const Dim term = product();
      total = minus ? total - term : total + term;
      minus = peek() == '-';
      if (!take('+') && !take('-')) break;
    }
    --depth_;
    return total;
  }

  Dim product() {
    Dim total = factor();
    while (take('*')) total = total * factor();
    return total;
  }

  Dim factor() {
    const char c = peek();
    if (take('(')) {
      const Dim inner = sum();
      expect(')');
      return inner;
    }
    if (take('?')) return Dim::unknown();
    if (take('\'')) return Dim::symbol(quoted_name());
    if (is_digit(c)) return number();
    if (!starts_name(c)) fail_here("a number, a name or '('");
    const size_t start = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    const std::string_view name = text_.substr(start, at_ - start);
    if (name != "floor" || !take('(')) return Dim::symbol(name);
    const Dim numerator = product();
    expect('/');
    const Dim divisor = factor();
    if (divisor == Dim(0)) fail_here("a divisor other than 0");
    expect(')');
    return numerator.floor_div(divisor);
  }

  Dim number() {
    int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail_here("a number below 2^63");
    at_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  std::string quoted_name() {
    std::string name;
    while (at_ < text_.size() && text_[at_] != '\'') {
      if (text_[at_] == '\\') ++at_;
      if (at_ < text_.size()) name += text_[at_++];
    }
    if (at_ >= text_.size() || name.empty()) fail_here("a name that ends in a quote");
    ++at_;
    return name;
  }

  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail_here(std::string_view(&c, 1));
  }
  [[noreturn]] void fail_here(std::string_view expected) const {
    fail(ErrorKind::data,
         "dim: \"{}\" is no size: expected {} at character {}; write it like 2*seq+1 or floor(h/2)",
         text_.size() > 80 ? fmt::format("{}...", text_.substr(0, 80)) : std::string(text_),
         expected, at_ + 1);
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string Dim::str() const {
  if (!poly_) return std::to_string(value_);
  std::string text;
  for (const dim::Term& term : poly_->terms) {
    if (term.factor >= 0 && !text.empty()) text += '+';
    if (term.monomial.empty()) {
      text += std::to_string(term.factor);
      continue;
    }
    if (term.factor == -1)
      text += '-';
    else if (term.factor != 1)
      text += std::to_string(term.factor) + "*";
    bool first = true;
    for (const auto& atom : term.monomial) {
      if (!first) text += '*';
      first = false;
      text += atom_text(*atom);
    }
  }
  return text;
}

Dim Dim::parse(std::string_view text) { return Parser(text).whole(); }

}  // namespace tenon
