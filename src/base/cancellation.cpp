// Signals and cancellation tokens.
#include "base/cancellation.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>

#include "base/error.h"

namespace tenon {

namespace {

std::atomic<int> caught{0};  // the signal; 0: none
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers use it");
std::atomic<bool> handler_alive{false};
std::atomic<bool> on_terminal{false};
struct sigaction former_int, former_term;

void on_signal(int signal) {
  int none = 0;
  if (!caught.compare_exchange_strong(none, signal)) _exit(128 + signal);
  if (signal != SIGINT || !on_terminal) return;
  constexpr std::string_view kText = "\nstopping; press Ctrl-C again to end at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText.data(), kText.size());
}

}  // namespace

bool interrupted() { return caught.load(std::memory_order_relaxed) != 0; }

void check_interrupted(std::string_view where) {
  const int signal = caught.load(std::memory_order_relaxed);
  TENON_CHECK(signal == 0, cancelled, "{}: stopped by {}", where,
              signal == SIGINT ? "Ctrl-C" : "SIGTERM");
}

void clear_interrupt() { caught = 0; }

InterruptHandler::InterruptHandler() {
  TENON_BUG_IF(handler_alive.exchange(true), "a second InterruptHandler was made");
  caught = 0;
  on_terminal = isatty(STDERR_FILENO) == 1;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // libraries below do not all expect EINTR; work polls the flag
  sigaction(SIGINT, &action, &former_int);
  sigaction(SIGTERM, &action, &former_term);
}

InterruptHandler::~InterruptHandler() {
  sigaction(SIGINT, &former_int, nullptr);
  sigaction(SIGTERM, &former_term, nullptr);
  handler_alive = false;
}

struct Cancellation::State {
  std::atomic<bool> cancelled{false};
  std::mutex mutex;
  std::condition_variable changed;
};

Cancellation::Cancellation(bool follow_signals)
    : state_(std::make_shared<State>()), follow_signals_(follow_signals) {}

void Cancellation::cancel() const {
  {
    std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
  }
  state_->changed.notify_all();
}

bool Cancellation::cancelled() const {
  return state_->cancelled.load(std::memory_order_relaxed) || (follow_signals_ && interrupted());
}

void Cancellation::check(std::string_view where) const {
  if (follow_signals_) check_interrupted(where);
  TENON_CHECK(!cancelled(), cancelled, "{}: cancelled", where);
}

bool Cancellation::wait_for(std::chrono::milliseconds duration) const {
  using Clock = std::chrono::steady_clock;
  // A signal handler cannot notify, so signals are looked for every 50 ms.
  constexpr std::chrono::milliseconds kSlice{50};
  const Clock::time_point end = Clock::now() + duration;
  std::unique_lock lock(state_->mutex);
  while (!cancelled()) {
    const Clock::time_point now = Clock::now();
    if (now >= end) return false;
    state_->changed.wait_until(lock, follow_signals_ ? std::min(end, now + kSlice) : end);
  }
  return true;
}

}  // namespace tenon
