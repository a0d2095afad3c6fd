// Tensor::str(): a line of type and shape, then the elements as nested lists in aligned columns.
#include <algorithm>
#include <cmath>
#include <complex>

#include "tensor/narrow.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

constexpr int64_t kShortAxis = 8;      // printed whole; longer axes when the tensor is small
constexpr int64_t kSmallTensor = 128;  // elements printed without abbreviation
constexpr int64_t kEdge = 3;           // kept at either end of an abbreviated axis

// The tensor with the middle of its long axes left out; -1 stands for the gap.
std::vector<int64_t> shown_indices(int64_t size, bool abbreviate) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < size; ++i) {
    if (abbreviate && size > kShortAxis && i == kEdge) {
      indices.push_back(-1);
      i = size - kEdge;
    }
    indices.push_back(i);
  }
  return indices;
}

void collect(const Tensor& tensor, bool abbreviate, std::vector<Tensor>& elements) {
  if (tensor.rank() == 0) {
    elements.push_back(tensor);
    return;
  }
  for (const int64_t i : shown_indices(tensor.shape()[0], abbreviate))
    if (i >= 0) collect(tensor.select(0, i), abbreviate, elements);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

// One format for all floats that are shown: "1." for whole numbers, four decimals, or exponents
// where the magnitudes need them.
class FloatFormat {
 public:
  explicit FloatFormat(const std::vector<double>& values) {
    double largest = 0;
    double smallest = HUGE_VAL;
    bool whole = true;
    for (const double v : values) {
      if (!std::isfinite(v)) continue;
      whole &= v == std::floor(v);
      largest = std::max(largest, std::fabs(v));
      if (v != 0) smallest = std::min(smallest, std::fabs(v));
    }
    const bool wide = largest >= 1e8 || (!whole && (largest >= 1e5 || smallest < 1e-4));
    style_ = wide ? Style::exponent : whole ? Style::whole : Style::decimals;
  }
  std::string operator()(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    switch (style_) {
      case Style::whole: return fmt::format("{:.0f}.", value);
      case Style::decimals: return fmt::format("{:.4f}", value);
      case Style::exponent: break;
    }
    return fmt::format("{:.4e}", value);
  }

 private:
  enum class Style { whole, decimals, exponent };
  Style style_;
};

std::vector<std::string> format_floats(const std::vector<double>& values) {
  const FloatFormat format(values);
  std::vector<std::string> texts;
  for (const double v : values) texts.push_back(format(v));
  return texts;
}

std::vector<std::string> format_complex(const std::vector<Tensor>& elements) {
  std::vector<double> parts;
  for (const Tensor& e : elements) {
    const auto value = e.dtype() == DType::c64
                           ? std::complex<double>(*static_cast<const std::complex<float>*>(e.raw()))
                           : *static_cast<const std::complex<double>*>(e.raw());
    parts.insert(parts.end(), {value.real(), value.imag()});
  }
  const std::vector<std::string> halves = format_floats(parts);
  std::vector<std::string> texts;
  for (size_t i = 0; i < halves.size(); i += 2)
    texts.push_back(halves[i] + (halves[i + 1][0] == '-' ? "" : "+") + halves[i + 1] + "j");
  return texts;
}

std::vector<std::string> format(const std::vector<Tensor>& elements, DType type) {
  if (type == DType::c64 || type == DType::c128) return format_complex(elements);
  std::vector<std::string> texts;
  if (is_float(type) || kNarrowFloats.has(type)) {
    std::vector<double> values;
    for (const Tensor& e : elements) values.push_back(e.item<double>());
    return format_floats(values);
  }
  for (const Tensor& e : elements) {
    if (type == DType::string)
      texts.push_back(quoted(*e.data<std::string>()));
    else if (is_container(type))
      texts.push_back(e.elements()[0].defined() ? e.elements()[0].str() : "undefined");
    else if (type == DType::boolean)
      texts.emplace_back(e.item<bool>() ? "true" : "false");
    else if (type == DType::u64)
      texts.push_back(std::to_string(*e.data<uint64_t>()));
    else
      texts.push_back(std::to_string(e.item<int64_t>()));
  }
  return texts;
}

// Rows on lines of their own, blocks of higher axes set apart by empty lines, as NumPy does.
void write(const Shape& shape, size_t axis, bool abbreviate, size_t width,
           std::vector<std::string>::const_iterator& next, std::string& out) {
  if (axis == shape.rank()) {
    out.append(width - std::min(width, next->size()), ' ');
    out += *next++;
    return;
  }
  const size_t below = shape.rank() - axis - 1;
  std::string gap = ", ";
  if (below > 0) gap = "," + std::string(below, '\n') + std::string(axis + 1, ' ');
  out += '[';
  bool first = true;
  for (const int64_t i : shown_indices(shape[axis], abbreviate)) {
    if (!first) out += gap;
    first = false;
    if (i < 0)
      out += "...";
    else
      write(shape, axis + 1, abbreviate, width, next, out);
  }
  out += ']';
}

}  // namespace

std::string Tensor::str() const {
  if (!defined()) return "undefined tensor";
  if (is_symbolic()) return fmt::format("{} {} symbolic", name(dtype()), tenon::str(body_->dims));
  std::string out = fmt::format("{} {}", name(dtype()), shape().str());
  if (numel() == 0) return out + " []";
  const bool abbreviate = numel() > kSmallTensor;
  std::vector<Tensor> elements;
  collect(*this, abbreviate, elements);
  const std::vector<std::string> texts = format(elements, dtype());
  size_t width = 0;
  for (const std::string& text : texts) width = std::max(width, text.size());
  out += rank() > 1 ? '\n' : ' ';
  auto next = texts.begin();
  write(shape(), 0, abbreviate, rank() > 1 ? width : 0, next, out);
  return out;
}

}  // namespace tenon
