// Recording spans and counters. Each thread appends to a buffer of its own, whose lock only
// collect() and start() ever contend for.
#include "base/trace.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

namespace tenon::trace {

namespace {

constexpr int64_t kRunning = -1;                   // duration of a span that has not ended
constexpr size_t kMaxTextBytes = size_t{1} << 30;  // of names, a buffer's

struct TextRange {
  uint32_t at;
  uint32_t size;
};
struct ArgRecord {
  uint32_t event;
  const char* key;
  std::variant<int64_t, double, TextRange> value;
};
struct EventRecord {
  EventKind kind;
  const char* category;
  TextRange name;
  int64_t start_ns;
  int64_t duration_ns;
  double value;
};

}  // namespace

namespace detail {

constinit std::atomic<bool> on{false};

struct Buffer {
  std::mutex mutex;  // all that follows
  std::string name;
  bool track = false;
  bool finished = false;  // its thread has ended
  uint32_t session = 0;
  uint64_t max_events = 0;
  std::vector<EventRecord> events;
  std::vector<ArgRecord> args;
  std::string text;
  uint64_t dropped = 0;

  TextRange keep(std::string_view s) {
    const TextRange range{static_cast<uint32_t>(text.size()), static_cast<uint32_t>(s.size())};
    text += s;
    return range;
  }
  std::string_view get(TextRange range) const {
    return std::string_view(text).substr(range.at, range.size);
  }
  // False, and counted, when the buffer is full.
  bool has_room(size_t text_bytes) {
    if (events.size() < max_events && text_bytes <= kMaxTextBytes - text.size()) return true;
    ++dropped;
    return false;
  }
  void clear() {
    events.clear();
    args.clear();
    text.clear();
    dropped = 0;
  }
};

}  // namespace detail

using detail::Buffer;

namespace {

// Never destroyed: threads may record while the process ends.
struct Registry {
  std::mutex mutex;  // all that follows; taken before a buffer's
  std::vector<std::unique_ptr<Buffer>> buffers;
  Options options;
  uint32_t session = 0;
  int64_t start_ns = 0;
  int64_t stop_ns = 0;  // 0: still recording
  int64_t start_unix_ns = 0;
  int process_id = 0;
  std::string process_name = "tenon";

  Buffer* add(std::string name, bool track) {
    auto buffer = std::make_unique<Buffer>();
    buffer->name = std::move(name);
    buffer->track = track;
    buffer->session = session;
    buffer->max_events = options.max_events_per_thread;
    buffers.push_back(std::move(buffer));
    return buffers.back().get();
  }
};
Registry& registry() {
  static auto* registry = new Registry;
  return *registry;
}

// Of this thread; null before its first event and once the thread is ending.
thread_local Buffer* thread_buffer = nullptr;

// Gives the buffer free when its thread ends. Destructors that run later start another one.
struct ThreadEnd {
  bool armed = false;
  ~ThreadEnd() {
    if (thread_buffer == nullptr) return;
    std::lock_guard lock(thread_buffer->mutex);
    thread_buffer->finished = true;
    thread_buffer = nullptr;
  }
};
thread_local ThreadEnd thread_end;

Buffer& own_buffer() {
  if (thread_buffer == nullptr) [[unlikely]] {
    const auto id = gettid();
    std::lock_guard lock(registry().mutex);
    thread_buffer = registry().add(id == getpid() ? "main" : fmt::format("thread {}", id), false);
    thread_end.armed = true;  // constructs it, which registers its destructor
  }
  return *thread_buffer;
}

int64_t unix_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void record(Buffer& buffer, EventKind kind, const char* category, std::string_view name,
            int64_t start_ns, int64_t duration_ns, double value) {
  std::lock_guard lock(buffer.mutex);
  if (!enabled() || !buffer.has_room(name.size())) return;
  buffer.events.push_back({kind, category, buffer.keep(name), start_ns, duration_ns, value});
}

}  // namespace

int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void start(const Options& options) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  all.options = options;
  ++all.session;
  std::erase_if(all.buffers, [](const std::unique_ptr<Buffer>& buffer) {
    std::lock_guard buffer_lock(buffer->mutex);
    return buffer->finished;
  });
  for (const std::unique_ptr<Buffer>& buffer : all.buffers) {
    std::lock_guard buffer_lock(buffer->mutex);
    buffer->clear();
    buffer->session = all.session;
    buffer->max_events = options.max_events_per_thread;
  }
  all.start_ns = now_ns();
  all.start_unix_ns = unix_ns();
  all.stop_ns = 0;
  detail::on.store(true);
}

void stop() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  if (!detail::on.exchange(false)) return;
  all.stop_ns = now_ns();
}

void Span::begin(const char* category, std::string_view name) {
  Buffer& buffer = own_buffer();
  std::lock_guard lock(buffer.mutex);
  if (!buffer.has_room(name.size())) return;
  buffer_ = &buffer;
  session_ = buffer.session;
  index_ = static_cast<uint32_t>(buffer.events.size());
  buffer.events.push_back({EventKind::span, category, buffer.keep(name), now_ns(), kRunning, 0.0});
}

void Span::add(const char* key, int64_t value) {
  std::lock_guard lock(buffer_->mutex);
  if (buffer_->session == session_) buffer_->args.push_back({index_, key, value});
}

void Span::add(const char* key, double value) {
  std::lock_guard lock(buffer_->mutex);
  if (buffer_->session == session_) buffer_->args.push_back({index_, key, value});
}

void Span::add(const char* key, std::string_view value) {
  std::lock_guard lock(buffer_->mutex);
  if (buffer_->session == session_ && value.size() <= kMaxTextBytes - buffer_->text.size())
    buffer_->args.push_back({index_, key, buffer_->keep(value)});
}

void Span::finish() {
  const int64_t now = now_ns();
  std::lock_guard lock(buffer_->mutex);
  if (buffer_->session == session_) {
    EventRecord& event = buffer_->events[index_];
    event.duration_ns = now - event.start_ns;
  }
  session_ = 0;
}

void record_counter(std::string_view name, double value) {
  record(own_buffer(), EventKind::counter, "counter", name, now_ns(), 0, value);
}

void record_instant(const char* category, std::string_view name) {
  record(own_buffer(), EventKind::instant, category, name, now_ns(), 0, 0);
}

void set_thread_name(std::string_view name) {
  Buffer& buffer = own_buffer();
  {
    std::lock_guard lock(buffer.mutex);
    buffer.name = name;
  }
  // The main thread's name is the program's.
  if (gettid() != getpid())
    pthread_setname_np(pthread_self(), std::string(name.substr(0, 15)).c_str());
}

void set_process(int id, std::string_view name) {
  std::lock_guard lock(registry().mutex);
  registry().process_id = id;
  registry().process_name = name;
}

Track::Track(std::string_view name) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  for (const std::unique_ptr<Buffer>& buffer : all.buffers)
    if (buffer->track && buffer->name == name) {
      buffer_ = buffer.get();
      return;
    }
  buffer_ = all.add(std::string(name), true);
}

void Track::record(const char* category, std::string_view name, int64_t start_ns,
                   int64_t duration_ns) const {
  if (enabled()) [[unlikely]]
    trace::record(*buffer_, EventKind::span, category, name, start_ns, duration_ns, 0);
}

Recording collect() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  Recording recording;
  const int64_t end_ns = all.stop_ns != 0 ? all.stop_ns : now_ns();
  recording.start_unix_ns = all.start_unix_ns;
  recording.duration_ns = all.session == 0 ? 0 : end_ns - all.start_ns;
  recording.process_id = all.process_id;
  recording.process_name = all.process_name;
  for (const std::unique_ptr<Buffer>& buffer : all.buffers) {
    std::lock_guard buffer_lock(buffer->mutex);
    if (buffer->events.empty() && buffer->dropped == 0) continue;
    const auto lane = static_cast<int>(recording.lanes.size());
    recording.lanes.push_back({buffer->name, buffer->dropped});
    recording.dropped += buffer->dropped;
    const auto first = static_cast<ptrdiff_t>(recording.events.size());
    for (const EventRecord& from : buffer->events) {
      Event& event = recording.events.emplace_back();
      event.kind = from.kind;
      event.lane = lane;
      event.start_ns = from.start_ns - all.start_ns;
      event.duration_ns = from.duration_ns == kRunning
                              ? std::max<int64_t>(0, end_ns - from.start_ns)
                              : from.duration_ns;
      event.value = from.value;
      event.category = from.category;
      event.name = buffer->get(from.name);
    }
    for (const ArgRecord& from : buffer->args) {
      Arg& arg = recording.events[static_cast<size_t>(first) + from.event].args.emplace_back();
      arg.key = from.key;
      if (const auto* text = std::get_if<TextRange>(&from.value))
        arg.value = std::string(buffer->get(*text));
      else if (const auto* number = std::get_if<double>(&from.value))
        arg.value = *number;
      else
        arg.value = std::get<int64_t>(from.value);
    }
    // Spans are recorded where they begin, but a track's come in any order.
    std::stable_sort(recording.events.begin() + first, recording.events.end(),
                     [](const Event& a, const Event& b) { return a.start_ns < b.start_ns; });
  }
  return recording;
}

}  // namespace tenon::trace
