#include "base/trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tenon::trace {
namespace {

class Trace : public testing::Test {
 protected:
  void TearDown() override { stop(); }
};

const Event* find(const Recording& recording, std::string_view name) {
  for (const Event& event : recording.events)
    if (event.name == name) return &event;
  return nullptr;
}

TEST_F(Trace, RecordsNothingWhenOff) {
  start();
  stop();
  EXPECT_FALSE(enabled());
  int evaluated = 0;
  {
    TENON_TRACE("op", std::to_string(++evaluated), "x", 1);
    const Span span("op", "off");
    counter("bytes", 1);
    instant("op", "now");
    Track("gpu").record("op", "kernel", 0, 1);
    EXPECT_FALSE(span.recording());
  }
  EXPECT_EQ(evaluated, 0) << "arguments are not evaluated";
  EXPECT_TRUE(collect().events.empty());
}

TEST_F(Trace, SpansNestAndCarryArguments) {
  start();
  {
    const std::string name = "outer";
    Span outer("op", name + "!", "flops", int64_t{123}, "shape", std::string("[2, 3]"));
    EXPECT_TRUE(outer.recording());
    { TENON_TRACE("kernel", "inner", "share", 0.5, "fused", true); }
    outer.arg("late", "yes");
    counter("bytes", 42);
    instant("train", "epoch");
  }
  stop();
  const Recording recording = collect();
  ASSERT_EQ(recording.events.size(), 4U);
  const Event& outer = recording.events[0];
  const Event& inner = recording.events[1];
  EXPECT_EQ(outer.name, "outer!");
  EXPECT_EQ(outer.category, "op");
  ASSERT_EQ(outer.args.size(), 3U);
  EXPECT_EQ(outer.args[0].key, "flops");
  EXPECT_EQ(std::get<int64_t>(outer.args[0].value), 123);
  EXPECT_EQ(std::get<std::string>(outer.args[1].value), "[2, 3]");
  EXPECT_EQ(outer.args[2].key, "late");
  EXPECT_EQ(std::get<double>(inner.args[0].value), 0.5);
  EXPECT_EQ(std::get<int64_t>(inner.args[1].value), 1);
  EXPECT_GE(inner.start_ns, outer.start_ns);
  EXPECT_LE(inner.start_ns + inner.duration_ns, outer.start_ns + outer.duration_ns);
  EXPECT_LE(outer.start_ns + outer.duration_ns, recording.duration_ns);
  EXPECT_EQ(find(recording, "bytes")->value, 42);
  EXPECT_EQ(find(recording, "epoch")->kind, EventKind::instant);
  EXPECT_GT(recording.start_unix_ns, int64_t{1'500'000'000} * 1'000'000'000);
}

TEST_F(Trace, OpenSpansAreShown) {
  start();
  const Span span("op", "open");
  const Recording recording = collect();
  ASSERT_NE(find(recording, "open"), nullptr);
  EXPECT_GE(find(recording, "open")->duration_ns, 0);
}

TEST_F(Trace, SpansOfAnEarlierRecordingAreForgotten) {
  start();
  {
    Span old("op", "old");
    start();
    const Span fresh("op", "fresh");
    old.arg("x", 1);
  }
  const Recording recording = collect();
  EXPECT_EQ(find(recording, "old"), nullptr);
  ASSERT_NE(find(recording, "fresh"), nullptr);
  EXPECT_TRUE(find(recording, "fresh")->args.empty());
}

TEST_F(Trace, EndsEarlyAndOnce) {
  start();
  Span span("op", "early");
  span.end();
  EXPECT_FALSE(span.recording());
  const int64_t duration = collect().events[0].duration_ns;
  span.end();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(collect().events[0].duration_ns, duration);
}

TEST_F(Trace, FullBuffersCountWhatIsLost) {
  start({.max_events_per_thread = 10});
  for (int i = 0; i < 25; ++i) const Span span("op", "x");
  counter("y", 1);
  const Recording recording = collect();
  EXPECT_EQ(recording.events.size(), 10U);
  EXPECT_EQ(recording.dropped, 16U);
  EXPECT_EQ(recording.lanes[0].dropped, 16U);
}

TEST_F(Trace, ThreadsHaveLanes) {
  start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      set_thread_name("worker " + std::to_string(t));
      for (int i = 0; i < 100; ++i) TENON_TRACE("op", "work", "i", i);
    });
  for (int i = 0; i < 20; ++i) (void)collect();  // while they record
  for (std::thread& thread : threads) thread.join();
  stop();
  const Recording recording = collect();
  EXPECT_EQ(recording.lanes.size(), 4U);
  EXPECT_EQ(recording.events.size(), 400U);
  std::vector<std::string> names;
  for (const Lane& lane : recording.lanes) names.push_back(lane.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names[0], "worker 0");
  EXPECT_EQ(names[3], "worker 3");
  start();
  EXPECT_TRUE(collect().lanes.empty()) << "threads that ended are forgotten";
}

TEST_F(Trace, StartsAndStopsWhileThreadsRecord) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!done) {
        Span span("op", "work", "k", 1);
        counter("c", 1);
        span.arg("text", "value");
      }
    });
  for (int i = 0; i < 20; ++i) {
    start({.max_events_per_thread = 200});
    std::this_thread::yield();
    (void)collect();
    stop();
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Trace, TracksAreSortedRowsOfTheirOwn) {
  start();
  const int64_t now = now_ns();
  const Track track("cuda:0");
  track.record("kernel", "second", now + 500, 100);
  Track("cuda:0").record("kernel", "first", now, 200);
  const Recording recording = collect();
  ASSERT_EQ(recording.lanes.size(), 1U);
  EXPECT_EQ(recording.lanes[0].name, "cuda:0");
  ASSERT_EQ(recording.events.size(), 2U);
  EXPECT_EQ(recording.events[0].name, "first");
  EXPECT_EQ(recording.events[1].start_ns - recording.events[0].start_ns, 500);
  EXPECT_EQ(recording.events[1].duration_ns, 100);
}

TEST_F(Trace, ChromeTraceIsJson) {
  start();
  set_process(3, "rank 3");
  { TENON_TRACE("op", "a \"quoted\"\n\xff name", "shape", "[2]", "n", 7, "nan", std::nan("")); }
  counter("bytes", 1.5);
  counter("bytes", std::nan(""));
  instant("train", "step");
  stop();
  const TempDirectory directory("tenon_trace_test");
  write_chrome_trace(directory / "t.json");
  const Json trace = read_json(directory / "t.json");

  EXPECT_EQ(trace["otherData"]["dropped_events"], "0");
  std::map<std::string, std::vector<Json>> by_phase;
  for (const Json& event : trace["traceEvents"]) {
    by_phase[event["ph"]].push_back(event);
    EXPECT_EQ(event["pid"], 3);
  }
  EXPECT_EQ(by_phase["M"][0]["args"]["name"], "rank 3");
  EXPECT_EQ(by_phase["M"][1]["args"]["name"], "main");
  ASSERT_EQ(by_phase["X"].size(), 1U);
  const Json& span = by_phase["X"][0];
  EXPECT_EQ(span["name"], "a \"quoted\"\n\\xff name");
  EXPECT_EQ(span["cat"], "op");
  EXPECT_EQ(span["args"], (Json{{"shape", "[2]"}, {"n", 7}, {"nan", "nan"}}));
  EXPECT_GE(span["dur"].get<double>(), 0);
  ASSERT_EQ(by_phase["C"].size(), 1U) << "what is no number is not drawn";
  EXPECT_EQ(by_phase["C"][0]["args"]["value"], 1.5);
  EXPECT_EQ(by_phase["i"][0]["name"], "step");

  write_chrome_trace(directory / "t.json.gz");
  EXPECT_EQ(read_gz(directory / "t.json.gz", 1 << 20), read_file(directory / "t.json"));
  EXPECT_THROW(write_chrome_trace(directory / "none/t.json"), Error);
  set_process(0, "tenon");
}

}  // namespace
}  // namespace tenon::trace
