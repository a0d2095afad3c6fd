// The terminal, and the one writer of standard error.
#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>

#include "base/text.h"

namespace tenon::terminal {

namespace {

std::atomic<int> color_choice{-1};  // 0, 1; -1: automatic

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return;  // nobody is left to be told
    bytes.remove_prefix(static_cast<size_t>(done));
  }
}

// What has been drawn on the last line, without a newline. Never destroyed: threads may write while
// the process ends.
struct LiveLine {
  std::mutex mutex;
  std::string text;
};
LiveLine& live_line() {
  static auto* line = new LiveLine;
  return *line;
}

constexpr std::string_view kClearLine = "\r\x1b[K";

std::string_view escape(Style style) {
  switch (style) {
    case Style::plain: return "";
    case Style::bold: return "\x1b[1m";
    case Style::dim: return "\x1b[2m";
    case Style::red: return "\x1b[31m";
    case Style::green: return "\x1b[32m";
    case Style::yellow: return "\x1b[33m";
    case Style::blue: return "\x1b[34m";
    case Style::cyan: return "\x1b[36m";
  }
  return "";
}

}  // namespace

bool is_tty(int fd) { return isatty(fd) == 1; }

int width(int fd, int fallback) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const auto columns = text::parse_number<int>(variable("COLUMNS"));
  return columns && *columns > 0 ? *columns : fallback;
}

bool colors(int fd) {
  if (const int choice = color_choice.load(std::memory_order_relaxed); choice >= 0)
    return choice == 1;
  if (!variable("NO_COLOR").empty()) return false;  // https://no-color.org
  if (!variable("FORCE_COLOR").empty()) return true;
  return is_tty(fd) && variable("TERM") != "dumb";
}

void set_colors(std::optional<bool> on) {
  color_choice.store(on.has_value() ? static_cast<int>(*on) : -1, std::memory_order_relaxed);
}

bool unicode() {
  if (variable("TERM") == "dumb") return false;
  // The first that is set decides, as in setlocale(3).
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const std::string locale = text::lower(variable(name)); !locale.empty())
      return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  return true;
}

std::string styled(std::string_view text, Style style, int fd) {
  if (style == Style::plain || !colors(fd)) return std::string(text);
  std::string out(escape(style));
  out += text;
  return out += "\x1b[0m";
}

void write_line(std::string_view line) {
  LiveLine& live = live_line();
  std::string out;
  std::lock_guard lock(live.mutex);
  if (!live.text.empty()) out += kClearLine;
  out += line;
  out += '\n';
  out += live.text;
  write_all(kStderr, out);
}

void set_live_line(std::string_view line) {
  if (!is_tty(kStderr)) return;
  LiveLine& live = live_line();
  std::lock_guard lock(live.mutex);
  if (live.text == line) return;
  std::string out;
  if (line.empty()) {
    out = kClearLine;
  } else {  // the rest of the line is cleared after drawing, so that it does not flicker
    out = '\r';
    out += line;
    out += "\x1b[K";
  }
  live.text = line;
  write_all(kStderr, out);
}

}  // namespace tenon::terminal
