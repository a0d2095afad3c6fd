#include "profile/roofline.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "profile/html.h"

namespace tenon::profile {

namespace {

constexpr double kWidth = 720, kHeight = 420, kLeft = 64, kRight = 16, kTop = 40, kBottom = 48;

// A logarithmic axis between two powers of ten.
struct LogScale {
  double low, high;  // exponents
  double from, to;
  double operator()(double value) const {
    const double place = (std::log10(value) - low) / (high - low);
    return from + std::clamp(place, 0.0, 1.0) * (to - from);
  }
};

std::string power_label(double exponent) {
  return exponent >= -2 && exponent <= 4 ? fmt::format("{:g}", std::pow(10, exponent))
                                         : fmt::format("1e{:g}", exponent);
}

std::string roof(const LogScale& x, const LogScale& y, double gbs, double gflops,
                 std::string_view name, std::string_view dashes) {
  const double left = std::pow(10, x.low), right = std::pow(10, x.high);
  const double ridge = gflops / gbs;
  // The slanted part leaves the chart below where it starts too low.
  const double start = std::max(left, std::pow(10, y.low) / gbs);
  return fmt::format(
      "<polyline fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"{} "
      "points=\"{:.1f},{:.1f} "
      "{:.1f},{:.1f} {:.1f},{:.1f}\"/><text class=\"label\" transform=\"translate({:.1f} {:.1f}) "
      "rotate({:.1f})\">{}: {:.0f} GB/s</text>",
      dashes, x(start), y(start * gbs), x(ridge), y(gflops), x(right), y(gflops), x(start) + 6,
      y(start * gbs) - 10,
      -std::atan2(y(start * gbs) - y(ridge * gbs), x(ridge) - x(start)) * 180 / 3.14159265358979,
      escape_html(name), gbs);
}

}  // namespace

double Work::efficiency(const Ceilings& ceilings) const {
  if (seconds <= 0) return 0;
  const double least =
      std::max(flops / (ceilings.gflops * 1e9), bytes / (ceilings.memory_gbs * 1e9));
  return least / seconds;
}

std::string roofline_chart(const Ceilings& ceilings, std::span<const Work> work) {
  double low_x = 0.1, high_x = 100, low_y = 1, high_y = ceilings.gflops * 1.5, total = 0;
  for (const Work& w : work) {
    total += w.seconds;
    if (w.flops <= 0 || w.bytes <= 0 || w.seconds <= 0) continue;
    low_x = std::min(low_x, w.flops / w.bytes), high_x = std::max(high_x, w.flops / w.bytes);
    low_y = std::min(low_y, w.gflops()), high_y = std::max(high_y, w.gflops());
  }
  // Of what hardly computes, all that can be seen is that it does not.
  low_y = std::max(low_y, ceilings.gflops * 1e-5);
  low_x = std::max(low_x, 1e-3);
  const LogScale x{std::floor(std::log10(low_x)), std::ceil(std::log10(high_x)), kLeft,
                   kWidth - kRight};
  const LogScale y{std::floor(std::log10(low_y)), std::ceil(std::log10(high_y)), kHeight - kBottom,
                   kTop};

  std::string out = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Roofline\"><text "
      "class=\"heading\" x=\"{}\" y=\"20\">Roofline</text>",
      kWidth, kHeight, kLeft);
  for (double e = y.low; e <= y.high; ++e) {
    const double at = y(std::pow(10, e));
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text "
        "class=\"tick\" "
        "text-anchor=\"end\" x=\"{}\" y=\"{:.1f}\">{}</text>",
        kLeft, kWidth - kRight, at, at, kLeft - 8, at + 4, power_label(e));
  }
  for (double e = x.low; e <= x.high; ++e) {
    const double at = x(std::pow(10, e));
    out += fmt::format(
        "<line class=\"grid\" y1=\"{}\" y2=\"{}\" x1=\"{:.1f}\" x2=\"{:.1f}\"/><text "
        "class=\"tick\" "
        "text-anchor=\"middle\" x=\"{:.1f}\" y=\"{}\">{}</text>",
        kTop, kHeight - kBottom, at, at, at, kHeight - kBottom + 18, power_label(e));
  }
  out += fmt::format(
      "<text class=\"label\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">operations for each "
      "byte</text>"
      "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 {}) "
      "rotate(-90)\">GFLOP/s</text>",
      (kLeft + kWidth - kRight) / 2, kHeight - 8, (kTop + kHeight - kBottom) / 2);

  out += "<g class=\"s1\">";
  out += roof(x, y, ceilings.memory_gbs, ceilings.gflops, "memory", "");
  out += roof(x, y, ceilings.l2_gbs, ceilings.gflops, "level-2 cache", " stroke-dasharray=\"5 4\"");
  out += fmt::format(
      "<text class=\"label\" text-anchor=\"end\" x=\"{}\" y=\"{:.1f}\">{:.0f} GFLOP/s, {} "
      "thread{}</text></g><g class=\"s0\">",
      kWidth - kRight - 4, y(ceilings.gflops) - 6, ceilings.gflops, ceilings.threads,
      ceilings.threads == 1 ? "" : "s");
  for (const Work& w : work) {
    if (w.flops <= 0 || w.bytes <= 0 || w.seconds <= 0) continue;
    const double share = total > 0 ? w.seconds / total : 0;
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"currentColor\" "
        "fill-opacity=\"0.45\" stroke=\"currentColor\"><title>{}: {:.3g} ms ({:.1f} %), {:.3g} "
        "GFLOP/s, {:.3g} GB/s, {:.0f} % of the roof</title></circle>",
        x(w.flops / w.bytes), y(w.gflops()), 3 + 22 * std::sqrt(share), escape_html(w.name),
        w.seconds * 1e3, share * 100, w.gflops(), w.gbs(), w.efficiency(ceilings) * 100);
  }
  return out + "</g></svg>";
}

}  // namespace tenon::profile
