#include "base/log.h"

#include <gtest/gtest.h>

#include <regex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace tenon {
namespace {

class Log : public testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::info); }
  void TearDown() override {
    set_log_level(before_);
    set_log_timestamps(false);
  }
  static std::string written(auto&& body) {
    testing::internal::CaptureStderr();
    body();
    return testing::internal::GetCapturedStderr();
  }
  LogLevel before_ = log_level();
};

TEST_F(Log, WritesWhatTheLevelAllows) {
  const auto all = [] {
    log_debug("d{}", 1);
    log_info("i{}", 2);
    log_warning("w{}", 3);
    log_error("e{}", 4);
  };
  EXPECT_EQ(written(all), "i2\nwarning: w3\nerror: e4\n");
  set_log_level(LogLevel::debug);
  EXPECT_EQ(written(all), "debug: d1\ni2\nwarning: w3\nerror: e4\n");
  set_log_level(LogLevel::off);
  EXPECT_EQ(written(all), "");
}

TEST_F(Log, ArgumentsOfSilentMessagesAreNotFormatted) {
  set_log_level(LogLevel::error);
  EXPECT_FALSE(log_enabled(LogLevel::warning));
  EXPECT_TRUE(log_enabled(LogLevel::error));
}

TEST_F(Log, ForeignTextCannotMoveTheCursor) {
  EXPECT_EQ(written([] { log_info("{}", "a\x1b[2Jb\r"); }), "a\\x1b[2Jb\\x0d\n");
}

TEST_F(Log, TimestampsAreUtc) {
  set_log_timestamps(true);
  const std::string line = written([] { log_info("x"); });
  EXPECT_TRUE(
      std::regex_match(line, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info: x\n)")))
      << line;
}

TEST_F(Log, LinesOfThreadsDoNotMix) {
  const std::string text = written([] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < 50; ++i) log_info("{}", std::string(60, static_cast<char>('a' + t)));
      });
    for (std::thread& thread : threads) thread.join();
  });
  const auto lines = text::split_lines(text);
  EXPECT_EQ(lines.size(), 200U);
  for (std::string_view line : lines) {
    EXPECT_EQ(line.size(), 60U);
    EXPECT_EQ(line.find_first_not_of(line[0]), std::string_view::npos) << line;
  }
}

TEST_F(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("Warning"), LogLevel::warning);
  EXPECT_EQ(name(LogLevel::off), "off");
  try {
    parse_log_level("warnin");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "'warnin' is not a log level; did you mean 'warning'?");
  }
}

TEST(LogDeathTest, ReadsItsVariable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // A new process, because the variable is read once.
  const auto run = [](const char* value) {
    setenv("TENON_LOG", value, 1);
    log_info("hello");
    log_debug("quiet");
    _exit(0);
  };
  EXPECT_EXIT(run("debug"), testing::ExitedWithCode(0), "hello\ndebug: quiet\n$");
  EXPECT_EXIT(run("info"), testing::ExitedWithCode(0), "hello\n$");
  EXPECT_EXIT(run("loud"), testing::ExitedWithCode(0),
              "warning: TENON_LOG: 'loud' is not a log level; use debug, info, warning, error or "
              "off\nhello\n$");
}

}  // namespace
}  // namespace tenon
