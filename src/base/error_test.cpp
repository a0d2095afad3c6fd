#include "base/error.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(Error, CarriesItsContexts) {
  try {
    with_context([] { return std::string("while importing resnet.onnx"); },
                 [] {
                   with_context([] { return std::string("while importing node conv1"); },
                                [] { fail(ErrorKind::data, "Conv: {} groups", 3); });
                 });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(error.message(), "Conv: 3 groups");
    EXPECT_STREQ(error.what(),
                 "Conv: 3 groups\n  while importing node conv1\n  while importing resnet.onnx");
  }
}

TEST(Error, ContextIsMadeOnFailureOnly) {
  EXPECT_EQ(with_context(
                []() -> std::string {
                  ADD_FAILURE();
                  return "";
                },
                [] { return 7; }),
            7);
}

TEST(Error, ChecksPassValuesThrough) {
  TENON_CHECK(true, usage, "unseen");
  TENON_BUG_IF(false, "unseen");
  try {
    TENON_BUG_IF(1 + 1 == 2, "arithmetic: {}", 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bug);
    EXPECT_NE(error.message().find("arithmetic: 2 (src/base/error_test.cpp:"), std::string::npos);
    EXPECT_NE(error.message().find("this is a bug in Tenon, please report it"), std::string::npos);
  }
}

TEST(Error, KindsHaveCodes) {
  EXPECT_EQ(info(ErrorKind::usage).exit_code, 2);
  EXPECT_EQ(info(ErrorKind::data).exit_code, 3);
  EXPECT_EQ(info(ErrorKind::unsupported).exit_code, 4);
  EXPECT_EQ(info(ErrorKind::resource).exit_code, 5);
  EXPECT_EQ(info(ErrorKind::bug).exit_code, 70);
  EXPECT_EQ(info(ErrorKind::cancelled).name, "cancelled");
}

}  // namespace
}  // namespace tenon
