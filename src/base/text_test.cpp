#include "base/text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/utf8.h"

namespace tenon::text {
namespace {

using Views = std::vector<std::string_view>;

TEST(Text, CutsAndJoins) {
  EXPECT_EQ(trim(" \t a b \n"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(split("a,,b", ','), (Views{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (Views{""}));
  EXPECT_EQ(split(",", ','), (Views{"", ""}));
  EXPECT_EQ(split_words("  a \t bc\nd "), (Views{"a", "bc", "d"}));
  EXPECT_EQ(split_words(" "), Views{});
  EXPECT_EQ(split_lines("a\r\n\nb\n"), (Views{"a", "", "b"}));
  EXPECT_EQ(split_lines("a\nb"), (Views{"a", "b"}));
  EXPECT_EQ(join(Views{"a", "b"}, ", "), "a, b");
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(lower("AbZ_Ä"), "abz_Ä");
  EXPECT_EQ(replace_all("aXbXX", "X", "--"), "a--b----");
  EXPECT_EQ(replace_all("abc", "", "x"), "abc");
}

TEST(Text, ForeignTextIsMadeSafe) {
  EXPECT_EQ(quoted("plain é"), "'plain é'");
  EXPECT_EQ(quoted("a\x1b[2J\n\xff"), "'a\\x1b[2J\\x0a\\xff'");
  EXPECT_EQ(quoted("\xc2\x9b"), "'\\xc2\\x9b'");  // U+009B, the other way to start an escape
  EXPECT_EQ(quoted("abcdefgh", 4), "'abcd...'");
  EXPECT_EQ(quoted("ééé", 3), "'éé...'") << "never cut inside a character";
  EXPECT_EQ(printable("a\tb\n\x07\xc0"), "a\tb\n\\x07\\xc0");
}

TEST(Text, Utf8IsChecked) {
  EXPECT_TRUE(is_utf8("aé語😀"));
  EXPECT_FALSE(is_utf8("\xc0\xaf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xe0\x80\x80")) << "overlong";
  EXPECT_FALSE(is_utf8("\xed\xa0\x80")) << "a surrogate";
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80")) << "past U+10FFFF";
  EXPECT_FALSE(is_utf8("\xe8\xaa")) << "cut short";
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_EQ(decode_utf8("x😀", 1).value, U'😀');
  EXPECT_EQ(decode_utf8("x😀", 1).bytes, 4);
}

TEST(Text, NumbersAreReadWhole) {
  EXPECT_EQ(parse_number<int>("-12"), -12);
  EXPECT_EQ(parse_number<int>("+12"), 12);
  EXPECT_EQ(parse_number<int>("12x"), std::nullopt);
  EXPECT_EQ(parse_number<int>(" 12"), std::nullopt);
  EXPECT_EQ(parse_number<int>(""), std::nullopt);
  EXPECT_EQ(parse_number<int>("+"), std::nullopt);
  EXPECT_EQ(parse_number<int>("+-1"), std::nullopt);
  EXPECT_EQ(parse_number<int>("2147483648"), std::nullopt);
  EXPECT_EQ(parse_number<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_number<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_number<uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(parse_number<double>("1e-3"), 1e-3);
  EXPECT_EQ(parse_number<double>("1,5"), std::nullopt);
  EXPECT_EQ(parse_number<float>("0.1"), 0.1F);
}

std::string message(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.message();
  }
  return "nothing was thrown";
}

TEST(Text, WrongNumbersAreExplained) {
  EXPECT_EQ(check_int("7", "--epochs", 1, 10), 7);
  EXPECT_EQ(message([] { check_int("12x", "--epochs", 1, 1000); }),
            "--epochs: '12x' is not a whole number; use 1 to 1000");
  EXPECT_EQ(message([] { check_int("0", "--epochs", 1); }),
            "--epochs: 0 is out of range; use 1 or more");
  EXPECT_EQ(message([] { check_int("99999999999999999999", "--seed"); }),
            "--seed: '99999999999999999999' is not a whole number of 64 bits; use digits only");
  EXPECT_EQ(check_double("0.5", "--rate", 0, 1), 0.5);
  EXPECT_EQ(message([] { check_double("2", "--rate", 0, 1); }),
            "--rate: 2 is out of range; use 0 to 1");
  EXPECT_EQ(message([] { check_double("nan", "--rate"); }),
            "--rate: 'nan' is not a number; use digits only");
}

TEST(Text, SizesAreRead) {
  EXPECT_EQ(parse_bytes("4096"), 4096U);
  EXPECT_EQ(parse_bytes("64kB"), 64000U);
  EXPECT_EQ(parse_bytes("1.5 GB"), 1500000000U);
  EXPECT_EQ(parse_bytes("2GiB"), uint64_t{2} << 30);
  EXPECT_EQ(parse_bytes("1Ki"), 1024U);
  EXPECT_EQ(parse_bytes("18446744073709551615"), UINT64_MAX);
  for (const char* wrong : {"", "B", "1x", "1kib2", "-1", "1e30TB", "kB", "1 i"})
    EXPECT_EQ(parse_bytes(wrong), std::nullopt) << wrong;
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(1'400'000), "1.4 MB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(123'456'789), "123 MB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "18.4 EB");
  EXPECT_EQ(human_count(950), "950");
  EXPECT_EQ(human_count(0.25), "0.25");
  EXPECT_EQ(human_count(25'557'032), "25.6 M");
  EXPECT_EQ(human_count(-4.1e9), "-4.1 G");
  EXPECT_EQ(human_duration(0), "0 s");
  EXPECT_EQ(human_duration(42e-9), "42 ns");
  EXPECT_EQ(human_duration(85.04e-6), "85.0 us");
  EXPECT_EQ(human_duration(0.0125), "12.5 ms");
  EXPECT_EQ(human_duration(0.99999), "1.00 s");
  EXPECT_EQ(human_duration(3.42), "3.42 s");
  EXPECT_EQ(human_duration(59.97), "1m 00s");
  EXPECT_EQ(human_duration(123), "2m 03s");
  EXPECT_EQ(human_duration(3725), "1h 02m");
  EXPECT_EQ(human_duration(3 * 86400 + 4 * 3600), "3d 04h");
  EXPECT_EQ(human_duration(-1), "-1.00 s");
  EXPECT_EQ(human_number(0.693147), "0.6931");
  EXPECT_EQ(human_number(1.2e-5), "1.2e-05");
  EXPECT_EQ(plural(1, "file"), "1 file");
  EXPECT_EQ(plural(3, "file"), "3 files");
}

TEST(Suggestion, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("optimzer", "optimizer"), 1U);
  EXPECT_EQ(edit_distance("recieve", "receive"), 1U) << "swapped neighbours are one edit";
  EXPECT_EQ(edit_distance("SoftMax", "softmax"), 0U);
  EXPECT_EQ(edit_distance("abcdef", "uvwxyz", 2), 3U) << "stops past the limit";
}

TEST(Suggestion, FindsTheNearest) {
  const std::vector<std::string> names{"optimizer", "epochs", "model", "data", "lr"};
  EXPECT_EQ(did_you_mean("optimzer", names), "optimizer");
  EXPECT_EQ(did_you_mean("EPOCHS", names), "epochs");
  EXPECT_EQ(did_you_mean("banana", names), "");
  EXPECT_EQ(did_you_mean("x", names), "") << "one letter is like any other";
  EXPECT_EQ(did_you_mean("modle", {"mode", "model"}), "mode") << "the first of equally near ones";
  EXPECT_EQ(did_you_mean("word", std::vector<std::string>{}), "");
}

TEST(Suggestion, EndsAnError) {
  EXPECT_EQ(suggestion("adm", {"sgd", "adam"}), "; did you mean 'adam'?");
  EXPECT_EQ(suggestion("zzz", {"sgd", "adam", "lion"}), "; use sgd, adam or lion");
  EXPECT_EQ(suggestion("zzz", {"sgd"}), "; use sgd");
  EXPECT_EQ(suggestion("zzzz", std::vector<std::string>(13, "abc")), "");
}

}  // namespace
}  // namespace tenon::text
