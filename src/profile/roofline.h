// Work beside what the machine allows.
#pragma once

#include <span>
#include <string>

#include "profile/ceilings.h"

namespace tenon::profile {

// One piece of work, measured.
struct Work {
  std::string name;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;  // read and written at least once

  double gflops() const { return seconds > 0 ? flops / seconds * 1e-9 : 0; }
  double gbs() const { return seconds > 0 ? bytes / seconds * 1e-9 : 0; }
  // The least time by the roofs of arithmetic and memory, as a share of the time taken. More than 1
  // where data came from a cache.
  double efficiency(const Ceilings& ceilings) const;
};

// Operations for each byte against operations a second, both logarithmic, under the roofs; the area
// of a point is its share of the time. SVG for inside a page (profile/html.h).
std::string roofline_chart(const Ceilings& ceilings, std::span<const Work> work);

}  // namespace tenon::profile
