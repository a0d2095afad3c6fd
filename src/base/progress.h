// How far long work is: a bar on a terminal, a plain line every few seconds elsewhere, with rate,
// time passed, time left and named values.
//
//   Progress progress("epoch 3/10", images, "img");
//   for (...) { ...; progress.advance(batch); progress.value("loss", loss); }
//   progress.finish();                     // or the destructor, which tells that it was cut short
//
// On a terminal:  epoch 3/10  ━━━━━━━━━━╸          52 %  26.0 k/50.0 k img  812 img/s  0:32 left
// 0:30  loss 0.231
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon {

// automatic: a bar where standard error is a terminal, lines elsewhere.
enum class ProgressMode { automatic, bar, lines, quiet };
void set_progress_mode(ProgressMode mode);  // --quiet; holds for what is constructed later
ProgressMode progress_mode();

// What is drawn, apart from how.
struct ProgressView {
  std::string title;
  uint64_t done = 0;
  uint64_t total = 0;  // 0: unknown
  std::string unit;    // "img"; "B" prints sizes
  double elapsed = 0;  // seconds
  double rate = 0;     // units a second
  std::vector<std::pair<std::string, double>> values;
  bool finished = false;  // the last line: totals, no estimate
  bool stopped = false;   // before all was done
};
// One line of at most `width` columns. What does not fit is left out, the least important first.
std::string render_bar(const ProgressView& view, int width, bool unicode);
// "epoch 3/10: 26.0 k/50.0 k img (52 %), 812 img/s, 0:32 elapsed, 0:30 left, loss 0.231"
std::string render_line(const ProgressView& view);

// Thread-safe. advance() costs an atomic addition and a look at the clock; drawing happens at most
// ten times a second. Of several at once on a terminal, the one constructed last is drawn.
class Progress {
 public:
  // `total` of 0 is unknown.
  explicit Progress(std::string title, uint64_t total = 0, std::string unit = "");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(uint64_t count = 1) {
    done_.fetch_add(count, std::memory_order_relaxed);
    touch();
  }
  void set(uint64_t done) {
    done_.store(done, std::memory_order_relaxed);
    touch();
  }
  void set_total(uint64_t total);
  void set_title(std::string title);
  // Shown until it is set again; in the order of first use.
  void value(std::string_view name, double value);
  // Leaves one last line with the totals. Further calls do nothing.
  void finish();

  uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  ProgressView view() const;

 private:
  using Clock = std::chrono::steady_clock;
  void touch();
  void draw(Clock::time_point now);
  void end(bool by_destructor);
  ProgressView view_locked(Clock::time_point now) const;
  void update_rate(Clock::time_point now);

  const ProgressMode mode_;  // never automatic
  const Clock::time_point start_ = Clock::now();
  std::atomic<uint64_t> done_{0};
  std::atomic<Clock::rep> next_draw_;
  mutable std::mutex mutex_;  // what follows
  std::string title_;
  uint64_t total_;
  std::string unit_;
  std::vector<std::pair<std::string, double>> values_;
  Clock::time_point rate_time_ = start_;
  uint64_t rate_done_ = 0;
  double rate_ = 0;
  bool finished_ = false;
};

}  // namespace tenon
