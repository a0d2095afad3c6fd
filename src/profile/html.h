// Pages that open anywhere, offline: one style for all reports.
#pragma once

#include <string>
#include <string_view>

namespace tenon::profile {

// Text inside HTML and SVG.
std::string escape_html(std::string_view text);

// A whole document. `body` is HTML; `style` is CSS beside the common one, which knows .tiles,
// .tile, .card, .charts, .chart, .scroll, .facts and .numbers (a table of numbers).
std::string html_page(std::string_view title, std::string_view body, std::string_view style = {});

// A number with what it is, for inside .tiles.
std::string html_tile(std::string_view value, std::string_view what);

}  // namespace tenon::profile
