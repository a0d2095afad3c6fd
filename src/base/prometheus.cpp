// Metrics as text: "Exposition formats", prometheus.io, version 0.0.4.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/metrics.h"
#include "base/text.h"

namespace tenon::metrics {

namespace {

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string escaped(std::string_view text, bool quotes) {
  const std::string utf8 = text::is_utf8(text) ? std::string(text) : text::printable(text);
  std::string out;
  for (char c : utf8) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
  return out;
}

// "{a="1",le="0.5"}"; nothing where there are no labels. `bound` is left out when empty.
std::string label_set(const Labels& labels, std::string_view bound = "") {
  std::string out;
  for (const auto& [key, value] : labels)
    fmt::format_to(std::back_inserter(out), "{}{}=\"{}\"", out.empty() ? "" : ",", key,
                   escaped(value, true));
  if (!bound.empty())
    fmt::format_to(std::back_inserter(out), "{}le=\"{}\"", out.empty() ? "" : ",", bound);
  return out.empty() ? "" : "{" + out + "}";
}

void add_histogram(std::string& text, std::string_view name, const Series& series) {
  auto out = std::back_inserter(text);
  const HistogramValue& histogram = series.histogram;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    cumulative += histogram.counts[i];
    const std::string bound = i < histogram.bounds.size() ? number(histogram.bounds[i]) : "+Inf";
    fmt::format_to(out, "{}_bucket{} {}\n", name, label_set(series.labels, bound), cumulative);
  }
  fmt::format_to(out, "{}_sum{} {}\n", name, label_set(series.labels), number(histogram.sum));
  fmt::format_to(out, "{}_count{} {}\n", name, label_set(series.labels), cumulative);
}

}  // namespace

std::string prometheus_text(std::span<const Family> families) {
  std::string text;
  auto out = std::back_inserter(text);
  for (const Family& family : families) {
    if (!family.help.empty())
      fmt::format_to(out, "# HELP {} {}\n", family.name, escaped(family.help, false));
    constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};
    fmt::format_to(out, "# TYPE {} {}\n", family.name, kKinds[static_cast<int>(family.kind)]);
    for (const Series& series : family.series)
      if (family.kind == Kind::histogram)
        add_histogram(text, family.name, series);
      else
        fmt::format_to(out, "{}{} {}\n", family.name, label_set(series.labels),
                       number(series.value));
  }
  return text;
}

}  // namespace tenon::metrics
