#include "base/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "base/terminal.h"

namespace tenon {
namespace {

using namespace std::chrono_literals;

ProgressView sample() {
  ProgressView view;
  view.title = "epoch 3/10";
  view.done = 26'000;
  view.total = 50'000;
  view.unit = "img";
  view.elapsed = 32;
  view.rate = 812;
  view.values = {{"loss", 0.231}, {"acc", 0.9}};
  return view;
}

TEST(ProgressView, FitsTheWidth) {
  const std::string wide = render_bar(sample(), 140, true);
  EXPECT_EQ(wide,
            "epoch 3/10  ━━━━━━━━━━━━━━━━━━━━╸───────────────────   52 %  26.0 k/50.0 k img  "
            "812 img/s  0:32 left 0:30  loss 0.231  acc 0.9");
  EXPECT_EQ(render_bar(sample(), 78, false),
            "epoch 3/10  ##########----------   52 %  812 img/s  0:32 left 0:30  loss 0.231");
  for (int width = 0; width < 140; ++width)
    EXPECT_LE(terminal::display_width(render_bar(sample(), width, true)),
              static_cast<size_t>(width));
  EXPECT_NE(render_bar(sample(), 25, true).find("52 %"), std::string::npos)
      << "the share is the last to go: " << render_bar(sample(), 25, true);
}

TEST(ProgressView, WithoutATotalThereIsNoShare) {
  ProgressView view = sample();
  view.total = 0;
  view.unit = "B";
  view.values.clear();
  EXPECT_EQ(render_bar(view, 100, true), "epoch 3/10  26.0 kB  812 B/s  0:32");
  EXPECT_EQ(render_line(view), "epoch 3/10: 26.0 kB, 812 B/s, 0:32 elapsed");
}

TEST(ProgressView, OddNumbersAreDrawn) {
  ProgressView view = sample();
  view.done = 60'000;
  EXPECT_NE(render_bar(view, 100, false).find("####  100 %"), std::string::npos);
  view.done = 49'999;
  EXPECT_NE(render_bar(view, 100, false).find(" 99 %"), std::string::npos)
      << "100 % is said of what is done";
  view.rate = 1e-30;
  EXPECT_NE(render_bar(view, 150, false).find("left ?"), std::string::npos);
  view.title = "a\x1b[2J";
  EXPECT_EQ(render_bar(view, 100, false).find('\x1b'), std::string::npos);
  EXPECT_EQ(render_bar({}, 100, true), "0  0:00");
}

TEST(ProgressView, LinesAreSentences) {
  EXPECT_EQ(render_line(sample()),
            "epoch 3/10: 26.0 k/50.0 k img (52 %), 812 img/s, 0:32 elapsed, 0:30 left, loss 0.231, "
            "acc 0.9");
  ProgressView last = sample();
  last.finished = true;
  last.done = last.total;
  EXPECT_EQ(render_line(last),
            "epoch 3/10: 50.0 k/50.0 k img, 812 img/s, 32.0 s, loss 0.231, acc 0.9");
  last.stopped = true;
  last.done = 10;
  EXPECT_TRUE(render_line(last).starts_with("epoch 3/10: stopped at 10/50.0 k img (0 %), "));
}

class ProgressTest : public testing::Test {
 protected:
  void TearDown() override { set_progress_mode(ProgressMode::automatic); }
};

TEST_F(ProgressTest, ElsewhereItEndsWithALine) {
  testing::internal::CaptureStderr();
  {
    Progress progress("load", 3, "file");
    for (int i = 0; i < 3; ++i) progress.advance();
    progress.value("loss", 1);
    progress.value("loss", 0.5);
    progress.finish();
    progress.finish();
    progress.advance();
  }
  { Progress cut("copy", 10); }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with("load: 3/3 file, ")) << text;
  EXPECT_NE(text.find(", loss 0.5\ncopy: stopped at 0/10 (0 %), "), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST_F(ProgressTest, QuietSaysNothing) {
  set_progress_mode(ProgressMode::quiet);
  testing::internal::CaptureStderr();
  {
    Progress progress("load", 3);
    progress.advance(2);
    progress.value("x", 1);
    EXPECT_EQ(progress.done(), 2U);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(ProgressTest, CountsFromSeveralThreads) {
  set_progress_mode(ProgressMode::lines);
  testing::internal::CaptureStderr();
  {
    Progress progress("load", 4000);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          progress.advance();
          if (i % 100 == 0) progress.value("i", i);
        }
      });
    for (int i = 0; i < 100; ++i) (void)progress.view();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(progress.view().done, 4000U);
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with("load: 4.0 k/4.0 k, ")) << text;
}

// Standard error as a terminal of 100 columns.
class FakeTerminal {
 public:
  FakeTerminal() {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) return;
    const int slave = open(ptsname(master_), O_RDWR | O_NOCTTY);
    if (slave < 0) return;
    const winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(slave, TIOCSWINSZ, &size);
    stderr_ = dup(STDERR_FILENO);
    dup2(slave, STDERR_FILENO);
    close(slave);
  }
  ~FakeTerminal() {
    if (stderr_ >= 0) restore();
    if (master_ >= 0) close(master_);
  }
  bool works() const { return stderr_ >= 0; }
  // All that was written; standard error is itself again.
  std::string take() {
    fcntl(master_, F_SETFL, O_NONBLOCK);
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = read(master_, buffer, sizeof(buffer))) > 0;)
      text.append(buffer, static_cast<size_t>(got));
    restore();
    return text;
  }

 private:
  void restore() {
    if (stderr_ < 0) return;
    dup2(stderr_, STDERR_FILENO);
    close(stderr_);
    stderr_ = -1;
  }
  int master_ = -1;
  int stderr_ = -1;
};

// What the terminal shows in the end: "\r" goes back, "\x1b[K" clears the rest of the line.
std::string screen(const std::string& text) {
  std::string shown, line;
  size_t column = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "\x1b[K") == 0) {
      line.resize(column);
      i += 2;
    } else if (text[i] == '\r') {
      column = 0;
    } else if (text[i] == '\n') {
      shown += line + "\n";
      line.clear();
      column = 0;
    } else {
      line.resize(std::max(line.size(), column + 1));
      line[column++] = text[i];
    }
  }
  return shown + line;
}

TEST_F(ProgressTest, LogLinesGoAboveTheBar) {
  FakeTerminal terminal;
  if (!terminal.works()) GTEST_SKIP() << "this system gives no pseudo-terminal";
  setenv("NO_COLOR", "1", 1);
  setenv("LC_ALL", "C", 1);
  terminal::set_live_line("first bar");
  terminal::set_live_line("bar");
  log_warning("careful");
  terminal::write_line("line");
  terminal::set_live_line("bar 2");
  const std::string text = terminal.take();
  EXPECT_EQ(screen(text), "warning: careful\nline\nbar 2");
  unsetenv("LC_ALL");
  unsetenv("NO_COLOR");

  FakeTerminal second;
  terminal::set_live_line("");
  EXPECT_EQ(screen(second.take()), "");
}

TEST_F(ProgressTest, OnATerminalItIsABar) {
  FakeTerminal terminal;
  if (!terminal.works()) GTEST_SKIP() << "this system gives no pseudo-terminal";
  {
    Progress outer("epochs", 2);
    Progress inner("images", 4);
    inner.advance(1);
    std::this_thread::sleep_for(110ms);
    outer.advance(1);  // not drawn: the inner one is
    inner.advance(1);
    log_info("note");
    inner.advance(2);
    inner.finish();
    outer.advance(1);
    outer.finish();
  }
  const std::string text = terminal.take();
  EXPECT_NE(text.find("\rimages  "), std::string::npos) << text;
  EXPECT_NE(text.find(" 50 %  2/4"), std::string::npos) << text;
  EXPECT_EQ(text.find("\repochs"), text.find("\repochs: 2/2"));
  const std::string shown = screen(text);
  EXPECT_TRUE(shown.starts_with("note\nimages: 4/4, ")) << shown;
  EXPECT_NE(shown.find("\nepochs: 2/2, "), std::string::npos) << shown;
  EXPECT_TRUE(shown.ends_with("\n")) << "the bar is gone";
}

}  // namespace
}  // namespace tenon
