#include "train/report_charts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "profile/html.h"

namespace tenon::train {

using profile::escape_html;

namespace {

constexpr double kWidth = 520, kHeight = 300, kLeft = 64, kRight = 16, kTop = 40, kBottom = 48;

// A step of 1, 2 or 5 times a power of ten that cuts `range` into about five.
double nice_step(double range) {
  const double rough = range / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

std::string number(double value, bool percent) {
  return percent ? fmt::format("{:.4g} %", value * 100) : fmt::format("{:.4g}", value);
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < count ? static_cast<uint8_t>(bytes[at + i]) : 0U);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kLetters[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string line_chart(std::string_view title, std::string_view x_label, std::string_view y_label,
                       const std::vector<Line>& lines, bool percent) {
  Scale x{INFINITY, -INFINITY, kLeft, kWidth - kRight},
      y{INFINITY, -INFINITY, kHeight - kBottom, kTop};
  for (const Line& line : lines)
    for (const auto& [px, py] : line.points) {
      if (!std::isfinite(py)) continue;
      x.low = std::min(x.low, px), x.high = std::max(x.high, px);
      y.low = std::min(y.low, py), y.high = std::max(y.high, py);
    }
  if (!(y.low <= y.high)) return "";
  if (x.high - x.low < 1) x.low -= 0.5, x.high += 0.5;
  if (y.high - y.low < 1e-9) y.low -= 0.05, y.high += 0.05;
  const double y_step = nice_step(y.high - y.low),
               x_step = std::max(1.0, nice_step(x.high - x.low));
  y.low = std::floor(y.low / y_step) * y_step;
  y.high = std::ceil(y.high / y_step) * y_step;

  std::string out =
      fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
                  kWidth, kHeight, escape_html(title));
  out +=
      fmt::format("<text class=\"heading\" x=\"{}\" y=\"20\">{}</text>", kLeft, escape_html(title));
  for (int i = 0; y.low + i * y_step <= y.high + y_step / 2; ++i) {
    const double value = y.low + i * y_step;
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" text-anchor=\"end\" x=\"{}\" y=\"{:.1f}\">{}</text>",
        kLeft, kWidth - kRight, y(value), y(value), kLeft - 8, y(value) + 4,
        number(std::abs(value) < 1e-12 ? 0 : value, percent));
  }
  for (double value = std::ceil(x.low / x_step) * x_step; value <= x.high + 1e-9; value += x_step)
    out += fmt::format(
        "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{}\">{:.4g}</text>", x(value),
        kHeight - kBottom + 18, value);
  out += fmt::format("<text class=\"label\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                     (kLeft + kWidth - kRight) / 2, kHeight - 8, escape_html(x_label));
  out += fmt::format(
      "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 {}) "
      "rotate(-90)\">{}</text>",
      (kTop + kHeight - kBottom) / 2, escape_html(y_label));
  for (size_t i = 0; i < lines.size(); ++i) {
    out += fmt::format("<g class=\"series s{}\"><polyline points=\"", i);
    for (const auto& [px, py] : lines[i].points)
      if (std::isfinite(py)) out += fmt::format("{:.1f},{:.1f} ", x(px), y(py));
    out += "\"/>";
    for (const auto& [px, py] : lines[i].points)
      if (std::isfinite(py))
        out += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}, {} {:.4g}: "
            "{}</title></circle>",
            x(px), y(py), escape_html(lines[i].name), escape_html(x_label), px,
            number(py, percent));
    const double at = kWidth - kRight - 110 * static_cast<double>(lines.size() - i);
    out += fmt::format(
        "<circle cx=\"{}\" cy=\"16\" r=\"4\"/><text class=\"label\" x=\"{}\" "
        "y=\"20\">{}</text></g>",
        at, at + 9, escape_html(lines[i].name));
  }
  return out + "</svg>";
}

std::string confusion_table(const Evaluation& evaluation, const std::vector<std::string>& names) {
  std::string out =
      "<table class=\"confusion\"><thead><tr><th class=\"corner\">is \\ said to be</th>";
  for (const std::string& name : names)
    out += fmt::format("<th><span>{}</span></th>", escape_html(name));
  out += "<th><span>recall</span></th></tr></thead><tbody>";
  for (size_t truth = 0; truth < names.size(); ++truth) {
    const auto& row = evaluation.confusion[truth];
    int64_t all = 0;
    for (const int64_t count : row) all += count;
    const double total = static_cast<double>(std::max<int64_t>(all, 1));
    out += fmt::format("<tr><th>{}</th>", escape_html(names[truth]));
    for (size_t said = 0; said < names.size(); ++said) {
      const double share = static_cast<double>(row[said]) / total;
      // The square root, so that rare confusions can be seen beside common hits.
      out += fmt::format(
          "<td class=\"{}\" style=\"--share:{:.3f}\" title=\"{} of {} {} said to be {} ({:.1f} "
          "%)\">{}</td>",
          said == truth ? "hit" : "miss", std::sqrt(share), row[said], all,
          escape_html(names[truth]), escape_html(names[said]), share * 100,
          row[said] == 0 ? std::string() : std::to_string(row[said]));
    }
    out += fmt::format("<td class=\"recall\">{:.1f} %</td></tr>",
                       static_cast<double>(row[truth]) / total * 100);
  }
  return out + "</tbody></table>";
}

}  // namespace tenon::train
