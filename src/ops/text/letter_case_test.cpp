// Letters of several scripts and locales, and bytes that are no text.
#include "ops/text/letter_case.h"

#include <gtest/gtest.h>

namespace tenon::text {

namespace {

std::string changed(std::string_view text, LetterCase wanted, std::string_view locale = "en_US") {
  return in_case(text, wanted, case_rules(locale)).value_or("not UTF-8");
}

TEST(LetterCase, ChangesLettersOfAllScripts) {
  EXPECT_EQ(changed("Grüße, Ωμέγα, Ёлка", LetterCase::upper), "GRÜßE, ΩΜΈΓΑ, ЁЛКА");
  EXPECT_EQ(changed("ÀÉÎ ΑΒΓ ЖЗИ 漢字 𐐀", LetterCase::lower), "àéî αβγ жзи 漢字 𐐨");
  EXPECT_EQ(changed("ÿ", LetterCase::upper), "Ÿ");
  EXPECT_EQ(changed("Straße ÄÖ", LetterCase::unchanged), "Straße ÄÖ");
  EXPECT_EQ(changed("", LetterCase::upper), "");
}

TEST(LetterCase, KnowsTurkishAndAzerbaijani) {
  EXPECT_EQ(changed("Iİiı", LetterCase::lower, "tr_TR.UTF-8"), "ıiiı");
  EXPECT_EQ(changed("Iİiı", LetterCase::upper, "az"),
            "Iİİ"
            "I");
  EXPECT_EQ(changed("Ii", LetterCase::lower, "en_US.UTF-8"), "ii");
}

TEST(LetterCase, RefusesWhatIsNoText) {
  for (const char* bytes : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"})
    EXPECT_EQ(in_case(bytes, LetterCase::lower, CaseRules::unicode), std::nullopt);
}

}  // namespace

}  // namespace tenon::text
