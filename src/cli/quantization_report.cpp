#include "cli/quantization_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/table.h"
#include "base/text.h"
#include "profile/html.h"

namespace tenon::cli {

namespace {

// What a bar begins at: rounding to 8 bits that no application notices.
constexpr double kCleanDecibels = 60;

std::string decibels(double value) {
  return std::isinf(value) ? "exact" : fmt::format("{:.1f} dB", value);
}

std::string percent(double share) { return fmt::format("{:.2f} %", share * 100); }

size_t layer_count(const QuantizedModel& model) {
  return model.layers.size() + model.in_floats.size();
}

std::string floats_table(const QuantizedModel& model, const QuantizeFlags& flags) {
  if (model.in_floats.empty()) return "";
  Table table({flags.form() == QuantizeForm::halves ? "left in fp32" : "left in floats", "operator",
               "why"});
  for (const FloatLayer& layer : model.in_floats) table.row({layer.layer, layer.op, layer.why});
  return table.str() + "\n";
}

std::string errors_table(const QuantizedModel& model) {
  if (model.errors.empty()) return "";
  Table table({"quantised alone", "signal to noise", "largest"});
  for (const size_t column : {1, 2}) table.align(column, terminal::Align::right);
  for (const graph::LayerError& error : model.errors)
    table.row({error.layer, decibels(error.signal_to_noise), percent(error.largest)});
  return table.str() + "\n";
}

std::string gains_table(const Quality& quality, const QuantizeFlags& flags,
                        const Calibration& calibration) {
  Table table({"", "fp32", flags.precision, ""});
  for (const size_t column : {1, 2, 3}) table.align(column, terminal::Align::right);
  const auto before = static_cast<double>(quality.bytes_before),
             after = static_cast<double>(quality.bytes_after);
  table.row({"weights", text::human_bytes(static_cast<uint64_t>(quality.bytes_before)),
             text::human_bytes(static_cast<uint64_t>(quality.bytes_after)),
             before > 0 ? fmt::format("{:.2f}x", after / before) : ""});
  table.row({"median", text::human_duration(quality.ms_before * 1e-3),
             text::human_duration(quality.ms_after * 1e-3),
             fmt::format("{:.2f}x as fast", quality.speedup())});
  if (quality.accuracy)
    table.row({fmt::format("accuracy ({})", calibration.split), percent(quality.accuracy->before),
               percent(quality.accuracy->after),
               fmt::format("{:+.2f} points",
                           (quality.accuracy->after - quality.accuracy->before) * 100)});
  return table.str();
}

std::string outputs_text(const Quality& quality, const Calibration& calibration) {
  std::string text;
  for (const OutputNoise& output : quality.outputs)
    text += fmt::format("{}: {} from fp32 over {}, largest difference {} of its output\n",
                        output.output, decibels(output.signal_to_noise), calibration.source,
                        percent(output.largest));
  if (quality.outputs.empty() && calibration.samples.size == 0)
    text += "no samples were given, so results were not compared; --calibrate gives some\n";
  if (quality.accuracy && quality.accuracy->agreement)
    text += fmt::format("the same answer to {} of {}\n", percent(*quality.accuracy->agreement),
                        text::plural(static_cast<uint64_t>(quality.accuracy->items), "item"));
  return text;
}

// JSON has no infinity: nothing where the result is exact.
Json decibels_json(double value) { return std::isinf(value) ? Json() : Json(value); }

Json errors_json(const QuantizedModel& model) {
  Json list = Json::array();
  for (const graph::LayerError& error : model.errors)
    list.push_back({{"layer", error.layer},
                    {"signal_to_noise_db", decibels_json(error.signal_to_noise)},
                    {"largest", error.largest}});
  return list;
}

bool has_any(std::initializer_list<std::string_view> wanted) {
  const std::vector<std::string> extensions = read_cpu_facts().extensions;
  return std::ranges::any_of(extensions, [&](const std::string& extension) {
    return std::ranges::find(wanted, extension) != wanted.end();
  });
}

// What the processor lacks for the precision, as a clause; empty where it has it.
std::string lack(const QuantizeFlags& flags) {
  if (flags.form() == QuantizeForm::weights) return "";
  if (flags.form() == QuantizeForm::halves) {
    const bool has = flags.precision == "bf16" ? has_any({"avx512_bf16", "amx_bf16"})
                                               : has_any({"avx512_fp16", "amx_fp16"});
    return has ? "" : fmt::format(", which has no instructions for {}", flags.precision);
  }
  return has_any({"avx512_vnni", "avx_vnni"}) ? "" : ", which has no VNNI to multiply bytes by";
}

}  // namespace

std::string quantization_text(const QuantizedModel& model, const Quality& quality,
                              const QuantizeFlags& flags, const Calibration& calibration) {
  std::string text =
      fmt::format("{} of {} in {}, {}", model.layers.size(),
                  text::plural(layer_count(model), "layer"), flags.precision, describe_form(flags));
  if (flags.form() == QuantizeForm::samples) text += " of " + calibration.source;
  return text + "\n\n" + floats_table(model, flags) + errors_table(model) +
         gains_table(quality, flags, calibration) + "\n" + outputs_text(quality, calibration);
}

Json quantization_json(const QuantizedModel& model, const Quality& quality,
                       const QuantizeFlags& flags, const Calibration& calibration) {
  Json floats = Json::array(), outputs = Json::array();
  for (const FloatLayer& layer : model.in_floats)
    floats.push_back({{"layer", layer.layer}, {"operator", layer.op}, {"why", layer.why}});
  for (const OutputNoise& output : quality.outputs)
    outputs.push_back({{"name", output.output},
                       {"signal_to_noise_db", decibels_json(output.signal_to_noise)},
                       {"largest", output.largest}});
  Json json = {{"precision", flags.precision},
               {"how", describe_form(flags)},
               {"samples", calibration.source},
               {"layers", model.layers},
               {"in_floats", floats},
               {"weight_bytes", {{"before", quality.bytes_before}, {"after", quality.bytes_after}}},
               {"median_ms", {{"before", quality.ms_before}, {"after", quality.ms_after}}},
               {"speedup", quality.speedup()},
               {"outputs", outputs}};
  if (!model.errors.empty()) json["sensitivity"] = errors_json(model);
  if (!quality.accuracy) return json;
  json["accuracy"] = {{"split", calibration.split},
                      {"before", quality.accuracy->before},
                      {"after", quality.accuracy->after}};
  if (quality.accuracy->agreement) json["accuracy"]["agreement"] = *quality.accuracy->agreement;
  return json;
}

std::string sensitivity_page(const QuantizedModel& model, const QuantizeFlags& flags) {
  std::string rows;
  for (const graph::LayerError& error : model.errors) {
    const double length =
        std::clamp((kCleanDecibels - error.signal_to_noise) / kCleanDecibels, 0.0, 1.0) * 300;
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td><svg width=\"300\" height=\"12\" role=\"img\" "
        "aria-label=\"{}\"><rect width=\"{:.0f}\" height=\"12\" fill=\"#c2410c\"/></svg></td></tr>",
        profile::escape_html(error.layer), decibels(error.signal_to_noise), percent(error.largest),
        decibels(error.signal_to_noise), length);
  }
  const std::string name = profile::escape_html(model.original.name);
  const std::string body = fmt::format(
      "<h1>{}</h1><p class=\"sub\">What each layer does to the output when it alone is in {}: "
      "signal to noise, and the largest difference as a share of the largest element. Long bars "
      "are layers to leave in floats; bars end at {} dB.</p><div class=\"scroll\"><table "
      "class=\"numbers\"><tr><th>Layer</th><th>Signal to noise</th><th>Largest</th><th></th></tr>"
      "{}</table></div>",
      name, flags.precision, kCleanDecibels, rows);
  return profile::html_page(model.original.name + " - sensitivity", body);
}

std::string slowness(const Quality& quality, const QuantizeFlags& flags) {
  if (quality.is_faster()) return "";
  return fmt::format(
      "{} runs at {:.2f}x of fp32's speed on this machine{}; use the model in fp32 here, unless "
      "its size counts",
      flags.precision, quality.speedup(), lack(flags));
}

}  // namespace tenon::cli
