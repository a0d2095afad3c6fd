#include "ops/sequence/type_text.h"

#include <algorithm>
#include <cctype>

namespace tenon {

namespace {

// What stands between "name(" and ")"; nothing where the text is not of that form.
std::optional<std::string_view> inside(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || !text.ends_with(')') || text.size() < name.size() + 2 ||
      text[name.size()] != '(')
    return std::nullopt;
  return text.substr(name.size() + 1, text.size() - name.size() - 2);
}

}  // namespace

std::optional<TensorType> parse_type_text(std::string_view text) {
  if (const auto dtype = inside(text, "tensor")) {
    TensorType type;
    type.ranked = false;
    type.dtype = parse_dtype(*dtype);
    if (type.dtype == DType::undefined) return std::nullopt;
    return type;
  }
  for (const bool sequence : {true, false}) {
    const auto content = inside(text, sequence ? "seq" : "optional");
    if (!content) continue;
    const auto element = parse_type_text(*content);
    if (!element) return std::nullopt;
    return sequence ? TensorType::sequence_of(*element) : TensorType::optional_of(*element);
  }
  return std::nullopt;
}

std::string type_text(const TensorType& type) {
  if (type.dtype == DType::sequence || type.dtype == DType::optional)
    return fmt::format("{}({})", type.dtype == DType::sequence ? "seq" : "optional",
                       type.element ? type_text(*type.element) : "");
  std::string text(onnx_name(type.dtype));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return fmt::format("tensor({})", text);
}

}  // namespace tenon
