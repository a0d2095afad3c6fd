#include <fmt/core.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "profile/ceilings.h"
#include "profile/html.h"
#include "profile/process_memory.h"
#include "profile/roofline.h"
#include "profile/statistics.h"

namespace tenon::profile {
namespace {

TEST(Statistics, OfAFewNumbers) {
  const Summary s = summarize({4, 1, 3, 2, 5});
  EXPECT_EQ(s.count, 5U);
  EXPECT_DOUBLE_EQ(s.median, 3);
  EXPECT_DOUBLE_EQ(s.mean, 3);
  EXPECT_DOUBLE_EQ(s.min, 1);
  EXPECT_DOUBLE_EQ(s.max, 5);
  EXPECT_DOUBLE_EQ(s.p10, 1.4);
  EXPECT_DOUBLE_EQ(s.p90, 4.6);
  EXPECT_NEAR(s.spread(), 3.2 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(summarize({2, 1}).median, 1.5) << "between the two in the middle";
}

TEST(Statistics, OfNoneAndOne) {
  EXPECT_EQ(summarize({}).count, 0U);
  EXPECT_DOUBLE_EQ(summarize({}).spread(), 0);
  const Summary one = summarize({7});
  EXPECT_DOUBLE_EQ(one.p99, 7);
  EXPECT_DOUBLE_EQ(one.spread(), 0);
}

TEST(Html, EscapesWhatIsNotMarkup) {
  EXPECT_EQ(escape_html("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
  const std::string page = html_page("x < y", "<p>body</p>", ".own{}");
  EXPECT_NE(page.find("<title>x &lt; y</title>"), std::string::npos);
  EXPECT_NE(page.find("<p>body</p>"), std::string::npos);
  EXPECT_NE(page.find(".own{}"), std::string::npos);
  EXPECT_NE(html_tile("1 < 2", "is so").find("<b>1 &lt; 2</b>"), std::string::npos);
}

TEST(Ceilings, RoofsMeetAtTheRidge) {
  const Ceilings c{.cpu = "x", .threads = 1, .gflops = 100, .l2_gbs = 80, .memory_gbs = 20};
  EXPECT_DOUBLE_EQ(c.attainable(1), 20);
  EXPECT_DOUBLE_EQ(c.attainable(5), 100);
  EXPECT_DOUBLE_EQ(c.attainable(500), 100);
}

TEST(Ceilings, AreMeasuredUnlessKept) {
  const TempDirectory folder("tenon_ceilings_test");
  const test::Variable off("TENON_CACHE", ""), place("TENON_CACHE_DIR", folder.path().c_str());
  const Ceilings measured = ceilings();
  EXPECT_GT(measured.gflops, 0);
  EXPECT_GT(measured.l2_gbs, 0);
  EXPECT_GT(measured.memory_gbs, 0);
  // On a busy machine nothing is kept; what is kept is believed.
  const std::string path = folder / "ceilings.json";
  const std::string key = fmt::format("{}, {} threads, 1", measured.cpu, measured.threads);
  const auto write = [&](double gflops) {
    write_json(path, {{key, {{"gflops", gflops}, {"l2_gbs", 80}, {"memory_gbs", 20}}}});
  };
  write(123.5);
  EXPECT_EQ(ceilings().gflops, 123.5);
  EXPECT_EQ(ceilings().memory_gbs, 20);
  // What is no measurement is measured anew.
  write(0);
  EXPECT_GT(ceilings().gflops, 0);
  write_file(path, "[]");
  EXPECT_GT(ceilings().gflops, 0);
  write_file(path, "{");
  EXPECT_GT(ceilings().gflops, 0);
}

TEST(Roofline, EfficiencyIsTheLeastTimeOverTheTime) {
  const Ceilings c{.cpu = "x", .threads = 1, .gflops = 100, .l2_gbs = 80, .memory_gbs = 20};
  const Work computes{"conv", 1e-3, 50e6, 1e6}, copies{"copy", 1e-3, 0, 10e6};
  EXPECT_NEAR(computes.efficiency(c), 0.5, 1e-12);
  EXPECT_NEAR(computes.gflops(), 50, 1e-9);
  EXPECT_NEAR(copies.efficiency(c), 0.5, 1e-12);
  EXPECT_NEAR(copies.gbs(), 10, 1e-9);
  EXPECT_EQ(Work{}.efficiency(c), 0);
}

TEST(Roofline, DrawsWhatComputes) {
  const Ceilings c{.cpu = "x", .threads = 2, .gflops = 100, .l2_gbs = 80, .memory_gbs = 20};
  const Work work[] = {{"conv<1>", 1e-3, 50e6, 1e6}, {"copy", 1e-3, 0, 10e6}};
  const std::string svg = roofline_chart(c, work);
  EXPECT_NE(svg.find("conv&lt;1&gt;: 1 ms (50.0 %)"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("copy:"), std::string::npos) << "without operations it has no place";
  EXPECT_NE(svg.find("100 GFLOP/s, 2 threads"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_TRUE(svg.ends_with("</svg>"));
}

TEST(ProcessMemory, GrowsAndItsPeakStays) {
  const uint64_t before = resident_bytes();
  EXPECT_GT(before, 1U << 20);
  {
    constexpr size_t kBytes = 64 << 20;
    const std::vector<char> touched(kBytes, 1);
    EXPECT_GT(resident_bytes() + touched[kBytes / 2], before + kBytes / 2);
  }
  EXPECT_GE(peak_resident_bytes(), before + (32U << 20));
}

}  // namespace
}  // namespace tenon::profile
