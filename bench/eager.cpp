// Eager execution side by side with libtorch, in one process, the two sides alternating.
//
//   ./dev bench eager [--json]
//
// Prints, for 1 and 2 threads, the median time of each side, the ratio of the medians, the spread
// of the paired ratios and the target of the ratio.
#include "eager.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace {

constexpr int kRounds = 15;
constexpr double kRoundSeconds = 0.03;

double seconds_of(const bench::EagerCase& c, int64_t count) {
  const auto begin = std::chrono::steady_clock::now();
  c.run(count);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() /
         static_cast<double>(count);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

struct Result {
  double tenon, torch, low, high;
};

Result measure(const bench::EagerCase& tenon, const bench::EagerCase& torch) {
  const auto count_of = [](const bench::EagerCase& c) {
    seconds_of(c, 2);  // the first calls choose kernels
    return std::max<int64_t>(
        1, static_cast<int64_t>(kRoundSeconds / std::max(seconds_of(c, 3), 1e-9)));
  };
  const int64_t tenon_count = count_of(tenon), torch_count = count_of(torch);
  std::vector<double> tenon_times, torch_times, ratios;
  for (int round = 0; round < kRounds; ++round) {
    tenon_times.push_back(seconds_of(tenon, tenon_count));
    torch_times.push_back(seconds_of(torch, torch_count));
    ratios.push_back(tenon_times.back() / torch_times.back());
  }
  std::sort(ratios.begin(), ratios.end());
  return {median(tenon_times), median(torch_times), ratios[kRounds / 10],
          ratios[kRounds - 1 - kRounds / 10]};
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  const auto tenon = bench::tenon_cases();
  const auto torch = bench::torch_cases();
  if (json)
    std::printf("[");
  else
    std::printf("%-36s %7s %12s %12s %7s %15s %7s\n", "case", "threads", "tenon us", "libtorch us",
                "ratio", "10-90 %", "target");
  bool first = true;
  for (int threads = 1; threads <= 2; ++threads) {
    bench::set_tenon_threads(threads);
    bench::set_torch_threads(threads);
    for (size_t i = 0; i < tenon.size(); ++i) {
      const Result r = measure(tenon[i], torch[i]);
      const double ratio = r.tenon / r.torch;
      if (json)
        std::printf(
            "%s\n {\"case\": \"%s\", \"threads\": %d, \"tenon_us\": %.3f, \"libtorch_us\": %.3f, "
            "\"ratio\": %.3f, "
            "\"ratio_p10\": %.3f, \"ratio_p90\": %.3f, \"target\": %.2f}",
            first ? "" : ",", tenon[i].name.c_str(), threads, r.tenon * 1e6, r.torch * 1e6, ratio,
            r.low, r.high, tenon[i].target);
      else
        std::printf("%-36s %7d %12.2f %12.2f %7.2f %7.2f-%-7.2f %5.2f%s\n", tenon[i].name.c_str(),
                    threads, r.tenon * 1e6, r.torch * 1e6, ratio, r.low, r.high, tenon[i].target,
                    ratio <= tenon[i].target ? "" : "  missed");
      std::fflush(stdout);
      first = false;
    }
  }
  if (json) std::printf("\n]\n");
}
