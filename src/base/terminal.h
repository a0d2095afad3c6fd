// What the program is connected to: a terminal or a file, how wide, with which colours; and the one
// writer of standard error, which keeps log lines and a live last line (progress.h) apart.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tenon::terminal {

inline constexpr int kStdout = 1;
inline constexpr int kStderr = 2;

bool is_tty(int fd);
// Columns of the terminal behind `fd`, else the COLUMNS variable, else `fallback`.
int width(int fd, int fallback = 80);

// Colours are used on a terminal unless NO_COLOR is set or TERM is "dumb"; FORCE_COLOR turns them
// on elsewhere. set_colors() overrides all of it (--color=always|never); nothing means automatic.
bool colors(int fd);
void set_colors(std::optional<bool> on);
// False where the locale is set to something other than UTF-8, or TERM is "dumb".
bool unicode();

enum class Style { plain, bold, dim, red, green, yellow, blue, cyan };
// `text` in a style where colors(fd) says so, else unchanged.
std::string styled(std::string_view text, Style style, int fd);

// Columns that UTF-8 text takes: 2 for East Asian wide characters and emoji, 0 for combining marks
// and for ANSI colour sequences.
size_t display_width(std::string_view text);
// Cut to at most `columns`, the last one an ellipsis where something was cut.
std::string truncate(std::string_view text, size_t columns);
enum class Align { left, right };
// Padded with spaces to `columns`; longer text is left as it is.
std::string pad(std::string_view text, size_t columns, Align align = Align::left);

// -- Standard error ----------------------------------------------------------------------------
// Thread-safe. Each call is one write, so lines of several threads never mix.
//
// Writes one line (a newline is added). A live line is cleared before and drawn again after.
void write_line(std::string_view line);
// Replaces the last line of the terminal; "" clears it. `line` must fit the width and have no
// newline. Nothing is drawn where standard error is no terminal.
void set_live_line(std::string_view line);

}  // namespace tenon::terminal
