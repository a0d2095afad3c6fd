// JSON by nlohmann/json, with errors that say where.
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tenon {

namespace {

constexpr int kMaxDepth = 256;

struct Position {
  size_t line = 1;
  size_t column = 1;
};

Position position_of(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const size_t newline = before.rfind('\n');
  const size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
          before.size() - line_start + 1};
}

// The offset of the bracket that goes too deep; npos when none does. The parser itself has no
// limit, and what is done with its values is recursive.
size_t too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..."
// without what the position says better.
std::string reason(std::string_view what) {
  if (const size_t at = what.find("column "); at != std::string_view::npos)
    if (const size_t colon = what.find(": ", at); colon != std::string_view::npos)
      return text::printable(what.substr(colon + 2));
  if (const size_t bracket = what.find("] "); bracket != std::string_view::npos)
    what.remove_prefix(bracket + 2);
  return text::printable(what);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  if (const size_t at = too_deep(text); at != std::string_view::npos) {
    const Position position = position_of(text, at);
    fail(ErrorKind::data, "{}:{}:{}: nested deeper than {}; flatten it", where, position.line,
         position.column, kMaxDepth);
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    // `byte` counts from 1 and is that of the last one read.
    const Position position = position_of(text, error.byte == 0 ? 0 : error.byte - 1);
    fail(ErrorKind::data, "{}:{}:{}: not JSON: {}", where, position.line, position.column,
         reason(error.what()));
  } catch (const Json::exception& error) {
    fail(ErrorKind::data, "{}: not JSON: {}", where, reason(error.what()));
  }
}

Json read_json(const std::string& path, uint64_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path);
}

void write_json(const std::string& path, const Json& value) {
  write_file(path, value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  const std::string fixed = text::is_utf8(text) ? std::string() : text::printable(text);
  for (char c : fixed.empty() ? text : std::string_view(fixed)) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
          out += c;
    }
  }
  return out += '"';
}

}  // namespace tenon
