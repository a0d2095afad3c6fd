#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

std::string failure(std::string_view text) {
  try {
    parse_json(text, "a.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.message();
  }
  return "nothing was thrown";
}

TEST(Json, ErrorsSayWhere) {
  EXPECT_TRUE(
      failure("{\n  \"a\": 1,\n  \"b\": }\n").starts_with("a.json:3:8: not JSON: syntax error"))
      << failure("{\n  \"a\": 1,\n  \"b\": }\n");
  EXPECT_TRUE(failure("").starts_with("a.json:1:1: not JSON: "));
  EXPECT_TRUE(failure("[1, 2").starts_with("a.json:1:6: ")) << failure("[1, 2");
  EXPECT_TRUE(failure("[1] 2").starts_with("a.json:1:5: ")) << failure("[1] 2");
  EXPECT_TRUE(failure("\"\xff\"").starts_with("a.json:1:2: ")) << failure("\"\xff\"");
  EXPECT_TRUE(failure("1e999").find("overflow") != std::string::npos) << failure("1e999");
}

TEST(Json, NestingIsBounded) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(256), "a.json"));
  EXPECT_EQ(failure("\n" + nested(257)), "a.json:2:257: nested deeper than 256; flatten it");
  EXPECT_EQ(failure(std::string(1'000'000, '[')),
            "a.json:1:257: nested deeper than 256; flatten it");
  EXPECT_NO_THROW(parse_json("\"" + std::string(300, '[') + "\\\"[\"", "a.json")) << "in a string";
}

TEST(Json, FilesComeBack) {
  const TempDirectory directory("tenon_json_test");
  const std::string path = directory / "a.json";
  const Json value = {{"b", {1, 2.5, nullptr}}, {"a", "é"}};
  write_json(path, value);
  EXPECT_EQ(read_json(path), value);
  EXPECT_TRUE(read_file(path).starts_with("{\n  \"a\": \"é\",\n"));
  EXPECT_THROW(read_json(path, 3), Error);
  write_json(path, Json("\xff"));
  EXPECT_EQ(read_json(path), Json("\xef\xbf\xbd"));
}

TEST(Json, QuotedTextIsJson) {
  for (std::string_view text : {"", "a\"b\\c\n\t\r\x01/é", "\x7f"})
    EXPECT_EQ(parse_json(json_quoted(text), "t").get<std::string>(), text);
  EXPECT_EQ(parse_json(json_quoted("a\xff"), "t").get<std::string>(), "a\\xff");
}

}  // namespace
}  // namespace tenon
