// Messages for the person who runs the program: lines on standard error, each with its level.
//
//   log_info("{}: {} parameters", path, count);
//   log_warning("{} has no GPU kernel; it runs on the CPU", op);
//
// The level is info, or what the TENON_LOG variable says (debug, info, warning, error, off). Lines
// of several threads never mix, and a live progress bar is cleared and drawn again around them.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <string_view>
#include <utility>

namespace tenon {

enum class LogLevel { debug, info, warning, error, off };

std::string_view name(LogLevel level);
// Fails (usage) naming the levels there are.
LogLevel parse_log_level(std::string_view text);

namespace detail {
extern std::atomic<LogLevel> log_threshold;
}

inline bool log_enabled(LogLevel level) {
  return level >= detail::log_threshold.load(std::memory_order_relaxed);
}
LogLevel log_level();
void set_log_level(LogLevel level);
// Begin lines with the time of day in UTC, as a server's log should; off at first.
void set_log_timestamps(bool on);

// Writes one message if its level is enabled. Control characters in it are made visible.
void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::debug)) [[unlikely]]
    log_message(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::info))
    log_message(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::warning))
    log_message(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::error))
    log_message(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tenon
