// What happened when: spans and counters, recorded per thread while a recording runs. When none
// runs, a span costs one relaxed load and a branch.
//
//   trace::start();
//   { TENON_TRACE("op", node.name, "flops", flops, "shape", shape.str()); ... }
//   trace::counter("memory in use", bytes);
//   trace::stop();
//   trace::write_chrome_trace("trace.json");      // chrome://tracing, ui.perfetto.dev
//
// Categories in use: op, kernel, graph, memory, comm, io, data, train, serve.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace tenon::trace {

namespace detail {
extern std::atomic<bool> on;
struct Buffer;
}  // namespace detail

inline bool enabled() noexcept { return detail::on.load(std::memory_order_relaxed); }

struct Options {
  // What each thread may record; what comes after is counted in Recording::dropped.
  uint64_t max_events_per_thread = 1U << 20;
};
// Forgets what was recorded before and starts recording. Thread-safe, as everything here.
void start(const Options& options);
inline void start() { start(Options{}); }
void stop();

// The clock of all times here: nanoseconds, monotonic.
int64_t now_ns() noexcept;

// The time from construction to destruction, on the calling thread, which must be the same for
// both. `category` and argument keys are string literals (kept by address); names and text values
// are copied.
class Span {
 public:
  Span() noexcept = default;  // records nothing
  Span(const char* category, std::string_view name) {
    if (enabled()) [[unlikely]]
      begin(category, name);
  }
  template <class... KeyValues>
    requires(sizeof...(KeyValues) >= 2)
  Span(const char* category, std::string_view name, const KeyValues&... key_values)
      : Span(category, name) {
    args(key_values...);
  }
  ~Span() {
    if (session_ != 0) [[unlikely]]
      finish();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  bool recording() const { return session_ != 0; }
  // Adds an argument: a number, a bool or text. No effect when not recording.
  template <class T>
  Span& arg(const char* key, const T& value) {
    if (session_ != 0) [[unlikely]] {
      if constexpr (std::is_floating_point_v<T>)
        add(key, static_cast<double>(value));
      else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
        add(key, static_cast<int64_t>(value));
      else
        add(key, std::string_view(value));
    }
    return *this;
  }
  // Ends before the scope does.
  void end() {
    if (session_ != 0) finish();
  }

 private:
  void args() {}
  template <class T, class... Rest>
  void args(const char* key, const T& value, const Rest&... rest) {
    arg(key, value);
    args(rest...);
  }
  void begin(const char* category, std::string_view name);
  void add(const char* key, int64_t value);
  void add(const char* key, double value);
  void add(const char* key, std::string_view value);
  void finish();

  uint32_t session_ = 0;
  uint32_t index_;  // of the event in buffer_; set, like buffer_, while session_ is not 0
  detail::Buffer* buffer_;
};

// A value over time.
void record_counter(std::string_view name, double value);
inline void counter(std::string_view name, double value) {
  if (enabled()) [[unlikely]]
    record_counter(name, value);
}
// A moment.
void record_instant(const char* category, std::string_view name);
inline void instant(const char* category, std::string_view name) {
  if (enabled()) [[unlikely]]
    record_instant(category, name);
}

// The name of the calling thread, in traces and (its first 15 bytes) in debuggers and top.
void set_thread_name(std::string_view name);
// Who this process is among many, in traces that are merged: rank 3, "worker 3".
void set_process(int id, std::string_view name);

// A row of its own for work that no thread of this process does: a GPU stream, a remote rank.
// Tracks last as long as the program; asking for the same name gives the same track.
class Track {
 public:
  explicit Track(std::string_view name);
  // Work that has been measured: from `start_ns` (on the clock of now_ns()) for `duration_ns`.
  void record(const char* category, std::string_view name, int64_t start_ns,
              int64_t duration_ns) const;

 private:
  detail::Buffer* buffer_;
};

// -- What was recorded -------------------------------------------------------------------------
struct Arg {
  std::string key;
  std::variant<int64_t, double, std::string> value;
};
enum class EventKind : uint8_t { span, counter, instant };
struct Event {
  EventKind kind = EventKind::span;
  int lane = 0;             // index into Recording::lanes
  int64_t start_ns = 0;     // since start()
  int64_t duration_ns = 0;  // of a span; up to collect() for one that has not ended
  double value = 0;         // of a counter
  std::string category;
  std::string name;
  std::vector<Arg> args;
};
struct Lane {
  std::string name;  // of the thread or track
  uint64_t dropped = 0;
};
struct Recording {
  int64_t start_unix_ns = 0;  // wall-clock time of start(), to line up several processes
  int64_t duration_ns = 0;
  int process_id = 0;
  std::string process_name;
  std::vector<Lane> lanes;
  std::vector<Event> events;  // by lane, then in order of their start
  uint64_t dropped = 0;
};
// A copy of what was recorded since start(); may be called while recording.
Recording collect();

// Trace Event Format (JSON object form), as Perfetto and chrome://tracing read it; compressed where
// the path ends in ".gz". Written beside and renamed; fails (resource) where it cannot be written.
void write_chrome_trace(const Recording& recording, const std::string& path);
inline void write_chrome_trace(const std::string& path) { write_chrome_trace(collect(), path); }

}  // namespace tenon::trace

#define TENON_TRACE_JOIN2(a, b) a##b
#define TENON_TRACE_JOIN(a, b) TENON_TRACE_JOIN2(a, b)
// A span to the end of the scope: category, name, then keys and values. Nothing is evaluated when
// no recording runs.
#define TENON_TRACE(...)                                                  \
  const ::tenon::trace::Span TENON_TRACE_JOIN(tenon_span_, __COUNTER__) = \
      ::tenon::trace::enabled() ? ::tenon::trace::Span(__VA_ARGS__) : ::tenon::trace::Span()
