#include "base/cancellation.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <csignal>
#include <thread>

#include "base/error.h"

namespace tenon {
namespace {

using namespace std::chrono_literals;

TEST(Cancellation, IsSharedByCopies) {
  const Cancellation token;
  const Cancellation copy = token;
  EXPECT_FALSE(copy.cancelled());
  EXPECT_NO_THROW(copy.check("load"));
  token.cancel();
  EXPECT_TRUE(copy.cancelled());
  try {
    copy.check("load");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cancelled);
    EXPECT_EQ(error.message(), "load: cancelled");
  }
}

TEST(Cancellation, EndsAWait) {
  const Cancellation token;
  EXPECT_FALSE(token.wait_for(1ms));
  std::thread other([&] {
    std::this_thread::sleep_for(5ms);
    token.cancel();
  });
  EXPECT_TRUE(token.wait_for(60s));
  other.join();
}

TEST(Interrupt, TheFirstSignalSetsAFlag) {
  {
    InterruptHandler handler;
    const Cancellation token(true), deaf;
    EXPECT_FALSE(interrupted());
    std::raise(SIGTERM);
    EXPECT_TRUE(interrupted());
    EXPECT_TRUE(token.cancelled());
    EXPECT_FALSE(deaf.cancelled());
    EXPECT_TRUE(token.wait_for(60s));
    try {
      check_interrupted("train");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "train: stopped by SIGTERM");
      EXPECT_EQ(info(error.kind()).exit_code, 130);
    }
    clear_interrupt();
    EXPECT_FALSE(token.cancelled());
    std::raise(SIGINT);
    EXPECT_THROW(token.check("train"), Error);
    clear_interrupt();
    EXPECT_THROW(InterruptHandler(), Error) << "there is one";
  }
  struct sigaction now {};
  sigaction(SIGTERM, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL) << "the former handler is back";
}

TEST(InterruptDeathTest, TheSecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        InterruptHandler handler;
        std::raise(SIGINT);
        std::raise(SIGINT);
        _exit(0);
      },
      testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace tenon
