// When progress is drawn. How: progress_view.cpp.
#include "base/progress.h"

#include <algorithm>
#include <cmath>

#include "base/terminal.h"

namespace tenon {

namespace {

std::atomic<ProgressMode> chosen_mode{ProgressMode::automatic};

// Those that draw a bar, oldest first: the last one owns the live line. Never destroyed.
struct Bars {
  std::mutex mutex;
  std::vector<const Progress*> list;
};
Bars& bars() {
  static auto* bars = new Bars;
  return *bars;
}

ProgressMode mode_now() {
  const ProgressMode mode = chosen_mode.load(std::memory_order_relaxed);
  if (mode != ProgressMode::automatic) return mode;
  return terminal::is_tty(terminal::kStderr) ? ProgressMode::bar : ProgressMode::lines;
}

// Lines come less often the longer the work takes.
std::chrono::seconds line_interval(double elapsed) {
  return std::chrono::seconds(elapsed < 60 ? 5 : elapsed < 600 ? 15 : 60);
}

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr double kRateMemory = 5;  // seconds over which the rate is averaged

}  // namespace

void set_progress_mode(ProgressMode mode) { chosen_mode.store(mode, std::memory_order_relaxed); }
ProgressMode progress_mode() { return chosen_mode.load(std::memory_order_relaxed); }

Progress::Progress(std::string title, uint64_t total, std::string unit)
    : mode_(mode_now()), title_(std::move(title)), total_(total), unit_(std::move(unit)) {
  const Clock::duration first =
      mode_ == ProgressMode::bar ? Clock::duration(kBarInterval) : line_interval(0);
  next_draw_.store((start_ + first).time_since_epoch().count(), std::memory_order_relaxed);
  if (mode_ != ProgressMode::bar) return;
  std::lock_guard lock(bars().mutex);
  bars().list.push_back(this);
}

Progress::~Progress() { end(true); }

void Progress::finish() { end(false); }

void Progress::end(bool by_destructor) {
  std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  next_draw_.store(Clock::time_point::max().time_since_epoch().count(), std::memory_order_relaxed);
  if (mode_ == ProgressMode::bar) {
    std::lock_guard bars_lock(bars().mutex);
    std::erase(bars().list, this);
    terminal::set_live_line("");
  }
  if (mode_ == ProgressMode::quiet) return;
  ProgressView view = view_locked(Clock::now());
  view.rate = view.elapsed > 0 ? static_cast<double>(view.done) / view.elapsed : 0;
  view.stopped = by_destructor && (total_ == 0 || view.done < total_);
  view.finished = true;
  terminal::write_line(render_line(view));
}

void Progress::set_total(uint64_t total) {
  std::lock_guard lock(mutex_);
  total_ = total;
}

void Progress::set_title(std::string title) {
  std::lock_guard lock(mutex_);
  title_ = std::move(title);
}

void Progress::value(std::string_view name, double value) {
  if (mode_ == ProgressMode::quiet) return;
  std::lock_guard lock(mutex_);
  const auto it = std::find_if(values_.begin(), values_.end(),
                               [&](const auto& entry) { return entry.first == name; });
  if (it == values_.end())
    values_.emplace_back(name, value);
  else
    it->second = value;
}

void Progress::touch() {
  if (mode_ == ProgressMode::quiet) return;
  const Clock::time_point now = Clock::now();
  if (now.time_since_epoch().count() < next_draw_.load(std::memory_order_relaxed)) return;
  // Who comes while another thread draws has nothing to add.
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock() && !finished_) draw(now);
}

void Progress::draw(Clock::time_point now) {
  update_rate(now);
  const ProgressView view = view_locked(now);
  const Clock::duration interval =
      mode_ == ProgressMode::bar ? Clock::duration(kBarInterval) : line_interval(view.elapsed);
  next_draw_.store((now + interval).time_since_epoch().count(), std::memory_order_relaxed);
  if (mode_ == ProgressMode::lines) {
    terminal::write_line(render_line(view));
    return;
  }
  std::lock_guard lock(bars().mutex);
  if (bars().list.back() != this) return;
  // The last column stays free: some terminals wrap as soon as it is written.
  terminal::set_live_line(
      render_bar(view, terminal::width(terminal::kStderr) - 1, terminal::unicode()));
}

// An exponential average over the last seconds; over all of the time while that is short.
void Progress::update_rate(Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double passed = std::chrono::duration<double>(now - rate_time_).count();
  const uint64_t done = done_.load(std::memory_order_relaxed);
  if (passed <= 0) return;
  // set() may go back.
  const double recent = done < rate_done_ ? 0 : static_cast<double>(done - rate_done_) / passed;
  const double weight =
      elapsed < kRateMemory ? passed / elapsed : 1 - std::exp(-passed / kRateMemory);
  rate_ += weight * (recent - rate_);
  rate_time_ = now;
  rate_done_ = done;
}

ProgressView Progress::view() const {
  std::lock_guard lock(mutex_);
  return view_locked(Clock::now());
}

ProgressView Progress::view_locked(Clock::time_point now) const {
  ProgressView view;
  view.title = title_;
  view.done = done_.load(std::memory_order_relaxed);
  view.total = total_;
  view.unit = unit_;
  view.elapsed = std::chrono::duration<double>(now - start_).count();
  view.rate = rate_;
  view.values = values_;
  return view;
}

}  // namespace tenon
