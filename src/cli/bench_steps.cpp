#include "cli/bench_steps.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/table.h"
#include "base/text.h"
#include "ops/infer.h"
#include "profile/html.h"
#include "profile/statistics.h"

namespace tenon::cli {

namespace {

constexpr size_t kShownSteps = 25;

bool is_known(const TensorType& type) { return type.ranked && is_static(type.dims); }

double flops_of(const engine::StepInfo& step) {
  if (!step.def || step.outputs.empty() || !std::ranges::all_of(step.inputs, is_known) ||
      !std::ranges::all_of(step.outputs, is_known))
    return 0;
  InferContext ctx(*step.def, step.attrs, step.inputs, step.outputs.size());
  ctx.outputs() = step.outputs;
  return step.def->flops ? step.def->flops(ctx)
                         : static_cast<double>(to_shape(step.outputs[0].dims)->numel());
}

// What must be read and written once.
double bytes_of(const engine::StepInfo& step) {
  double bytes = 0;
  for (const auto* list : {&step.inputs, &step.outputs})
    for (const TensorType& type : *list)
      if (is_known(type) && type.dtype != DType::undefined)
        bytes += static_cast<double>(to_shape(type.dims)->numel()) *
                 static_cast<double>(size_of(type.dtype));
  return bytes;
}

std::string types_of(const engine::StepInfo& step) {
  std::vector<std::string> inputs, outputs;
  for (const TensorType& type : step.inputs)
    if (type.dtype != DType::undefined) inputs.push_back(type.str());
  for (const TensorType& type : step.outputs) outputs.push_back(type.str());
  return text::join(inputs, ", ") + " -> " + text::join(outputs, ", ");
}

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

// Indices, the slowest step first.
std::vector<size_t> by_time(std::span<const TimedStep> steps) {
  std::vector<size_t> order(steps.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return steps[a].work.seconds > steps[b].work.seconds; });
  return order;
}

}  // namespace

std::vector<TimedStep> time_steps(const engine::Session& session, const TensorList& inputs,
                                  int64_t runs) {
  const std::vector<engine::StepInfo> infos = session.steps(inputs);
  std::vector<std::vector<double>> times(infos.size());
  for (int64_t run = 0; run < runs; ++run)
    session.run_timed(inputs, [&](size_t step, double seconds) { times[step].push_back(seconds); });
  std::vector<TimedStep> steps;
  double total = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    const double seconds = profile::summarize(times[i]).median;
    total += seconds;
    steps.push_back(
        {infos[i],
         {.name = infos[i].origin.empty() ? infos[i].op : infos[i].op + ", " + infos[i].origin,
          .seconds = seconds,
          .flops = flops_of(infos[i]),
          .bytes = bytes_of(infos[i])}});
  }
  for (TimedStep& step : steps) step.share = total > 0 ? step.work.seconds / total : 0;
  return steps;
}

Json to_json(std::span<const TimedStep> steps, const profile::Ceilings& ceilings) {
  Json list = Json::array();
  for (const TimedStep& step : steps)
    list.push_back({{"op", step.info.op},
                    {"kernel", step.info.kernel},
                    {"origin", step.info.origin},
                    {"types", types_of(step.info)},
                    {"ms", step.work.seconds * 1e3},
                    {"share", step.share},
                    {"flops", step.work.flops},
                    {"bytes", step.work.bytes},
                    {"gflops", step.work.gflops()},
                    {"gbs", step.work.gbs()},
                    {"efficiency", step.work.efficiency(ceilings)}});
  return list;
}

std::string steps_table(std::span<const TimedStep> steps, const profile::Ceilings& ceilings) {
  Table table({"step", "op", "kernel", "ms", "share", "GFLOP/s", "GB/s", "of roof", "shapes"});
  for (const size_t column : {0, 3, 4, 5, 6, 7}) table.align(column, terminal::Align::right);
  const std::vector<size_t> order = by_time(steps);
  double rest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const TimedStep& step = steps[order[i]];
    if (i >= kShownSteps) {
      rest += step.work.seconds;
      continue;
    }
    table.row({std::to_string(order[i]), step.info.op, step.info.kernel,
               fmt::format("{:.4f}", step.work.seconds * 1e3), percent(step.share),
               fmt::format("{:.1f}", step.work.gflops()), fmt::format("{:.1f}", step.work.gbs()),
               fmt::format("{:.0f} %", step.work.efficiency(ceilings) * 100), types_of(step.info)});
  }
  std::string out = table.str();
  if (order.size() > kShownSteps)
    out += fmt::format("and {}, {:.4f} ms in all\n",
                       text::plural(order.size() - kShownSteps, "further step"), rest * 1e3);
  return out +
         fmt::format("roofs, {}: {:.0f} GFLOP/s, memory {:.1f} GB/s, level-2 cache {:.0f} GB/s\n",
                     text::plural(static_cast<uint64_t>(ceilings.threads), "thread"),
                     ceilings.gflops, ceilings.memory_gbs, ceilings.l2_gbs);
}

std::string steps_html(std::span<const TimedStep> steps, const profile::Ceilings& ceilings) {
  using profile::escape_html;
  std::vector<profile::Work> work;
  for (const TimedStep& step : steps) work.push_back(step.work);
  std::string out = "<div class=\"card\">" + profile::roofline_chart(ceilings, work) +
                    "</div><h2>Steps, the longest first</h2><div class=\"card scroll\"><table "
                    "class=\"numbers\"><tr><th>step</th><th class=\"text\">operator</th><th "
                    "class=\"text\">kernel</th><th>ms</th><th>share</th><th>GFLOP/s</th><th>GB/s"
                    "</th><th>of roof</th><th class=\"text\">shapes</th></tr>";
  for (const size_t i : by_time(steps)) {
    const TimedStep& step = steps[i];
    out += fmt::format(
        "<tr><td>{}</td><td class=\"text\" title=\"{}\">{}</td><td class=\"text\">{}</td><td>{:.4f}"
        "</td><td>{}</td><td>{:.1f}</td><td>{:.1f}</td><td>{:.0f} %</td><td class=\"text "
        "soft\">{}</td></tr>",
        i, escape_html(step.info.origin), escape_html(step.info.op), escape_html(step.info.kernel),
        step.work.seconds * 1e3, percent(step.share), step.work.gflops(), step.work.gbs(),
        step.work.efficiency(ceilings) * 100, escape_html(types_of(step.info)));
  }
  return out + "</table></div>";
}

}  // namespace tenon::cli
