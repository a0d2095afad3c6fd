#include "base/terminal.h"

#include <gtest/gtest.h>

#include "base/table.h"
#include "base/testing.h"

namespace tenon::terminal {
namespace {

using test::Variable;

TEST(Terminal, WidthsOfText) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U) << "a combining accent";
  EXPECT_EQ(display_width("語言"), 4U);
  EXPECT_EQ(display_width("한글"), 4U);
  EXPECT_EQ(display_width("😀"), 2U);
  EXPECT_EQ(display_width("━╸"), 2U);
  EXPECT_EQ(display_width("\x1b[1;31mred\x1b[0m"), 3U);
  EXPECT_EQ(display_width("\x1b["), 0U) << "an unfinished sequence";
  EXPECT_EQ(display_width("\xff"), 1U);
}

TEST(Terminal, TextIsCutAndPadded) {
  const Variable locale("LC_ALL", "C.UTF-8");
  const Variable term("TERM", "xterm");
  EXPECT_EQ(truncate("abcdef", 6), "abcdef");
  EXPECT_EQ(truncate("abcdef", 4), "abc…");
  EXPECT_EQ(truncate("語言語", 4), "語…") << "no half of a wide character";
  EXPECT_EQ(truncate("abc", 0), "");
  EXPECT_EQ(truncate("\x1b[31mabcdef\x1b[0m", 4), "\x1b[31mabc…\x1b[0m") << "the colour ends";
  EXPECT_EQ(pad("語", 4), "語  ");
  EXPECT_EQ(pad("語", 4, Align::right), "  語");
  EXPECT_EQ(pad("long", 2), "long");
}

TEST(Terminal, ColoursFollowTheEnvironment) {
  const Variable no("NO_COLOR", nullptr);
  const Variable force("FORCE_COLOR", "1");
  EXPECT_TRUE(colors(kStdout));
  EXPECT_EQ(styled("x", Style::red, kStdout), "\x1b[31mx\x1b[0m");
  {
    const Variable no_color("NO_COLOR", "1");
    EXPECT_FALSE(colors(kStdout));
    set_colors(true);
    EXPECT_TRUE(colors(kStdout)) << "the option wins";
  }
  set_colors(false);
  EXPECT_EQ(styled("x", Style::red, kStdout), "x");
  set_colors(std::nullopt);
}

TEST(Terminal, UnicodeFollowsTheLocale) {
  const Variable term("TERM", "xterm");
  const Variable ctype("LC_CTYPE", nullptr);
  const Variable all("LC_ALL", nullptr);
  for (const auto& [lang, expected] : {std::pair{"de_DE.UTF-8", true},
                                       {"C.utf8", true},
                                       {"C", false},
                                       {"de_DE.ISO-8859-1", false}}) {
    const Variable language("LANG", lang);
    EXPECT_EQ(unicode(), expected) << lang;
  }
  const Variable language("LANG", nullptr);
  EXPECT_TRUE(unicode());
  const Variable dumb("TERM", "dumb");
  EXPECT_FALSE(unicode());
}

TEST(Terminal, WidthElsewhere) {
  const Variable columns("COLUMNS", "123");
  EXPECT_EQ(width(-1), 123);
  const Variable wrong("COLUMNS", "wide");
  EXPECT_EQ(width(-1, 77), 77);
}

Table sample() {
  Table table({"op", "time", "note"});
  table.align(1, Align::right);
  table.row({"Conv", "1.25 ms", "語"});
  table.row({"Softmax", "80 us"});
  table.rule();
  table.row({"all", "1.33 ms", "two\nlines"});
  return table;
}

TEST(Table, IsAligned) {
  EXPECT_EQ(sample().str(),
            "op          time  note\n"
            "-------  -------  ---------\n"
            "Conv     1.25 ms  語\n"
            "Softmax    80 us\n"
            "-------  -------  ---------\n"
            "all      1.33 ms  two lines\n");
}

TEST(Table, IsDressedAndFitted) {
  const Variable locale("LC_ALL", "C.UTF-8");
  const Variable term("TERM", "xterm");
  const std::string text = sample().str({.unicode = true, .colors = true, .width = 26});
  EXPECT_EQ(text,
            "\x1b[1mop          time  note\x1b[0m\n"
            "───────  ───────  ────────\n"
            "Conv     1.25 ms  語\n"
            "Softmax    80 us\n"
            "───────  ───────  ────────\n"
            "all      1.33 ms  two lin…\n");
  Table wide({"a", "b"});
  wide.shrink(0).row({std::string(50, 'x'), std::string(30, 'y')});
  const std::string fitted = wide.str({.width = 40});
  EXPECT_EQ(fitted.find("xxxxxxx…  " + std::string(30, 'y')), fitted.find("xxx"));
  EXPECT_NE(wide.str({.width = 5}).find("xxxxxxx…  yyyyyyy…"), std::string::npos)
      << "columns stay readable on terminals that are too narrow";
}

}  // namespace
}  // namespace tenon::terminal
