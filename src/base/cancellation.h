// Asking work to stop: a token that is passed down, and the signals a person or a scheduler sends.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

namespace tenon {

// SIGINT (Ctrl-C) or SIGTERM has arrived while an InterruptHandler was alive.
bool interrupted();
// Fails (cancelled) when interrupted(): "train: stopped by Ctrl-C".
void check_interrupted(std::string_view where);
// Forgets that it was; for a program that stopped one thing and goes on with the next.
void clear_interrupt();

// While it lives, the first SIGINT or SIGTERM only sets interrupted(), so that work can save itself
// and stop; a second one ends the process at once, with exit code 128 + signal. Made once, by the
// program: a library must not take signals from its host. The former handlers come back at the end.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;
};

// A flag that is set once. Copies share it; thread-safe.
class Cancellation {
 public:
  // With `follow_signals`, interrupted() counts as cancelled too.
  explicit Cancellation(bool follow_signals = false);

  void cancel() const;
  bool cancelled() const;
  // Fails (cancelled): "<where>: cancelled".
  void check(std::string_view where) const;
  // Sleeps for `duration`, less when cancelled meanwhile; says whether it was.
  bool wait_for(std::chrono::milliseconds duration) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  bool follow_signals_;
};

}  // namespace tenon
