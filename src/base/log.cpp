// Log lines.
#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/terminal.h"
#include "base/text.h"

namespace tenon {

namespace detail {
// Below every level until TENON_LOG has been read, so that the first message comes here.
constexpr auto kUnread = static_cast<LogLevel>(-1);
std::atomic<LogLevel> log_threshold{kUnread};
}  // namespace detail

namespace {

constexpr std::array<std::string_view, 5> kNames{"debug", "info", "warning", "error", "off"};
std::atomic<bool> timestamps{false};

// Sets the level from TENON_LOG unless somebody has set it already.
void read_variable() {
  const char* text = std::getenv("TENON_LOG");
  LogLevel level = LogLevel::info;
  std::string complaint;
  if (text != nullptr && *text != '\0') try {
      level = parse_log_level(text);
    } catch (const Error& error) {
      complaint = fmt::format("TENON_LOG: {}", error.message());
    }
  LogLevel unread = detail::kUnread;
  if (detail::log_threshold.compare_exchange_strong(unread, level) && !complaint.empty())
    log_message(LogLevel::warning, complaint);
}

std::string prefix(LogLevel level) {
  const std::string label = fmt::format("{}:", kNames[static_cast<size_t>(level)]);
  switch (level) {
    case LogLevel::debug:
      return terminal::styled(label, terminal::Style::dim, terminal::kStderr) + " ";
    case LogLevel::warning:
      return terminal::styled(label, terminal::Style::yellow, terminal::kStderr) + " ";
    case LogLevel::error:
      return terminal::styled(label, terminal::Style::red, terminal::kStderr) + " ";
    default: return timestamps.load(std::memory_order_relaxed) ? label + " " : "";
  }
}

}  // namespace

std::string_view name(LogLevel level) { return kNames[static_cast<size_t>(level)]; }

LogLevel parse_log_level(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (text::lower(text) == kNames[i]) return static_cast<LogLevel>(i);
  fail(ErrorKind::usage, "{} is not a log level{}", text::quoted(text),
       text::suggestion(text, kNames));
}

LogLevel log_level() {
  if (detail::log_threshold.load(std::memory_order_relaxed) == detail::kUnread) read_variable();
  return detail::log_threshold.load(std::memory_order_relaxed);
}

void set_log_level(LogLevel level) {
  detail::log_threshold.store(level, std::memory_order_relaxed);
}

void set_log_timestamps(bool on) { timestamps.store(on, std::memory_order_relaxed); }

void log_message(LogLevel level, std::string_view message) {
  if (level < log_level() || level == LogLevel::off) return;
  std::string line;
  if (timestamps.load(std::memory_order_relaxed)) {
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto since = now.time_since_epoch();
    line =
        fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z ",
                    fmt::gmtime(std::chrono::system_clock::to_time_t(now)), since.count() % 1000);
  }
  line += prefix(level);
  line += text::printable(message);
  terminal::write_line(line);
}

}  // namespace tenon
