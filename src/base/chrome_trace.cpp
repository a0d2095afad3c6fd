// Recordings as Trace Event Format: "Trace Event Format", Google, 2016; JSON object form.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/file.h"
#include "base/json.h"
#include "base/trace.h"

namespace tenon::trace {

namespace {

// Times are microseconds; three decimals keep the nanoseconds.
std::string microseconds(int64_t ns) {
  return fmt::format("{}{}.{:03}", ns < 0 ? "-" : "", std::abs(ns) / 1000, std::abs(ns) % 1000);
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : fmt::format("\"{}\"", value);
}

std::string json_value(const Arg& arg) {
  if (const auto* text = std::get_if<std::string>(&arg.value)) return json_quoted(*text);
  if (const auto* number = std::get_if<double>(&arg.value)) return json_number(*number);
  return fmt::format("{}", std::get<int64_t>(arg.value));
}

// Calls write(text) for pieces of the document.
template <class Write>
void write_document(const Recording& recording, const Write& write) {
  const int pid = recording.process_id;
  write(
      fmt::format("{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"start_unix_ns\":\"{}\","
                  "\"dropped_events\":\"{}\"}},\n\"traceEvents\":[\n",
                  recording.start_unix_ns, recording.dropped));
  write(
      fmt::format("{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":{}}}}}",
                  pid, json_quoted(recording.process_name)));
  for (size_t lane = 0; lane < recording.lanes.size(); ++lane) {
    write(
        fmt::format(",\n{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\","
                    "\"args\":{{\"name\":{}}}}}",
                    pid, lane + 1, json_quoted(recording.lanes[lane].name)));
    write(
        fmt::format(",\n{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_sort_index\","
                    "\"args\":{{\"sort_index\":{}}}}}",
                    pid, lane + 1, lane));
  }
  for (const Event& event : recording.events) {
    std::string line;
    auto out = std::back_inserter(line);
    fmt::format_to(out, ",\n{{\"pid\":{},\"tid\":{},\"ts\":{},\"name\":{}", pid, event.lane + 1,
                   microseconds(event.start_ns), json_quoted(event.name));
    switch (event.kind) {
      case EventKind::span:
        fmt::format_to(out, ",\"cat\":{},\"ph\":\"X\",\"dur\":{}", json_quoted(event.category),
                       microseconds(event.duration_ns));
        break;
      case EventKind::counter:
        if (!std::isfinite(event.value)) continue;  // nothing to draw
        fmt::format_to(out, ",\"ph\":\"C\",\"args\":{{\"value\":{}}}", json_number(event.value));
        break;
      case EventKind::instant:
        fmt::format_to(out, ",\"cat\":{},\"ph\":\"i\",\"s\":\"t\"", json_quoted(event.category));
        break;
    }
    if (!event.args.empty()) {
      line += ",\"args\":{";
      for (size_t i = 0; i < event.args.size(); ++i)
        fmt::format_to(out, "{}{}:{}", i == 0 ? "" : ",", json_quoted(event.args[i].key),
                       json_value(event.args[i]));
      line += '}';
    }
    line += '}';
    write(line);
  }
  write("\n]}\n");
}

}  // namespace

void write_chrome_trace(const Recording& recording, const std::string& path) {
  if (path.ends_with(".gz")) {
    std::string document;
    write_document(recording, [&](std::string_view text) { document += text; });
    write_file(path, gzip(document));
    return;
  }
  AtomicFile file(path);
  write_document(recording, [&](std::string_view text) { file.write(text); });
  file.commit();
}

}  // namespace tenon::trace
