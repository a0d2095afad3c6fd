#include "cli/precision_choice.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "base/text.h"
#include "cli/share.h"

namespace tenon::cli {

namespace {

constexpr double kMaxError = 0.01;
// Where nothing is given to compare outputs on.
constexpr const char* kRandomSamples = "random:4";

std::string percent(double share) { return fmt::format("{:.2f} %", share * 100); }

double accuracy_drop(const Accuracy& accuracy) { return accuracy.before - accuracy.after; }

// What is too much of it, or nothing where it is within the limit.
std::string excess(const PrecisionCandidate& candidate, const QuantizeFlags& flags) {
  if (!flags.max_drop.empty()) {
    if (!candidate.quality->accuracy) return "no accuracy was measured";
    const double limit = parse_share(flags.max_drop, "--max-accuracy-drop");
    return accuracy_drop(*candidate.quality->accuracy) <= limit
               ? ""
               : fmt::format("accuracy drops by more than {}", percent(limit));
  }
  const double limit =
      flags.max_error.empty() ? kMaxError : parse_share(flags.max_error, "--max-error");
  return candidate.error() <= limit ? "" : fmt::format("error over {}", percent(limit));
}

std::string limit_text(const QuantizeFlags& flags) {
  if (!flags.max_drop.empty())
    return fmt::format("an accuracy drop of at most {}",
                       percent(parse_share(flags.max_drop, "--max-accuracy-drop")));
  return fmt::format(
      "an error of at most {}",
      percent(flags.max_error.empty() ? kMaxError : parse_share(flags.max_error, "--max-error")));
}

std::vector<QuantizeFlags> all_flags(const QuantizeFlags& given) {
  QuantizeFlags fp32, bf16, int8 = given;
  bf16.precision = "bf16";
  bf16.without_layers = given.without_layers;
  int8.precision = "int8";
  int8.dynamic = given.dynamic || !given.has_samples();
  return {fp32, bf16, int8};
}

void make_and_measure(PrecisionCandidate& candidate, const graph::Graph& graph,
                      const Calibration& ranges, const Calibration& measured) {
  try {
    candidate.model = quantize_model(graph, candidate.flags, ranges);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    candidate.verdict = "no layer can be";
    return;
  }
  if (candidate.model->layers.empty()) {
    candidate.verdict = "no layer can be within the limit";
    return;
  }
  candidate.quality = measure_quality(*candidate.model, measured);
}

}  // namespace

double PrecisionCandidate::error() const {
  double most = 0;
  if (quality)
    for (const OutputNoise& output : quality->outputs) most = std::max(most, output.largest);
  return most;
}

PrecisionChoice choose_precision(const graph::Graph& graph, const QuantizeFlags& flags,
                                 const Calibration& calibration) {
  PrecisionChoice choice;
  choice.limit = limit_text(flags);
  Calibration measured = calibration;
  if (calibration.samples.size == 0) {
    QuantizeFlags random;
    random.calibrate = kRandomSamples;
    measured = load_calibration(graph, random);
  }
  choice.source = measured.source;
  for (QuantizeFlags& one : all_flags(flags)) choice.candidates.push_back({std::move(one)});
  double best = 1;
  for (size_t i = 1; i < choice.candidates.size(); ++i) {
    PrecisionCandidate& candidate = choice.candidates[i];
    make_and_measure(candidate, graph, calibration, measured);
    if (!candidate.quality) continue;
    candidate.verdict = excess(candidate, flags);
    if (!candidate.verdict.empty()) continue;
    if (!candidate.quality->is_faster()) {
      candidate.verdict = "not faster than fp32";
    } else if (candidate.quality->speedup() > best) {
      best = candidate.quality->speedup();
      choice.chosen = i;
    }
  }
  for (size_t i = 0; i < choice.candidates.size(); ++i) {
    std::string& verdict = choice.candidates[i].verdict;
    if (i == choice.chosen)
      verdict = "chosen";
    else if (verdict.empty())
      verdict = "slower than " + choice.precision();
  }
  return choice;
}

std::string choice_text(const PrecisionChoice& choice) {
  const auto has_accuracy = [](const PrecisionCandidate& one) {
    return one.quality && one.quality->accuracy;
  };
  const bool accuracies = std::ranges::any_of(choice.candidates, has_accuracy);
  Table table(accuracies ? std::vector<std::string>{"precision", "weights", "median", "speed",
                                                    "error", "accuracy", ""}
                         : std::vector<std::string>{"precision", "weights", "median", "speed",
                                                    "error", ""});
  for (size_t column = 1; column < (accuracies ? 6U : 5U); ++column)
    table.align(column, terminal::Align::right);
  const auto measured = std::ranges::find_if(
      choice.candidates, [](const PrecisionCandidate& one) { return one.quality.has_value(); });
  const Quality* any = measured == choice.candidates.end() ? nullptr : &*measured->quality;
  for (const PrecisionCandidate& one : choice.candidates) {
    const bool is_fp32 = one.flags.form() == QuantizeForm::none;
    const Quality* quality = is_fp32 ? any : one.quality ? &*one.quality : nullptr;
    std::vector<std::string> row{one.flags.precision, "-", "-", "-", "-"};
    if (quality) {
      row[1] = text::human_bytes(
          static_cast<uint64_t>(is_fp32 ? quality->bytes_before : quality->bytes_after));
      row[2] = text::human_duration((is_fp32 ? quality->ms_before : quality->ms_after) * 1e-3);
      row[3] = is_fp32 ? "1.00x" : fmt::format("{:.2f}x", quality->speedup());
      row[4] = is_fp32 ? "-" : percent(one.error());
    }
    if (accuracies)
      row.push_back(!quality || !quality->accuracy
                        ? "-"
                        : percent(is_fp32 ? quality->accuracy->before : quality->accuracy->after));
    row.push_back(one.verdict);
    table.row(std::move(row));
  }
  return fmt::format("{}\n{} is the quickest of them here with {}, over {}\n", table.str(),
                     choice.precision(), choice.limit, choice.source);
}

Json choice_json(const PrecisionChoice& choice) {
  Json list = Json::array();
  for (const PrecisionCandidate& one : choice.candidates) {
    Json json = {{"precision", one.flags.precision}, {"verdict", one.verdict}};
    if (one.quality) {
      json["weight_bytes"] = one.quality->bytes_after;
      json["median_ms"] = {{"fp32", one.quality->ms_before}, {"this", one.quality->ms_after}};
      json["speedup"] = one.quality->speedup();
      json["error"] = one.error();
      if (one.quality->accuracy)
        json["accuracy"] = {{"fp32", one.quality->accuracy->before},
                            {"this", one.quality->accuracy->after}};
    }
    list.push_back(std::move(json));
  }
  return {{"chosen", choice.precision()},
          {"limit", choice.limit},
          {"samples", choice.source},
          {"candidates", list}};
}

ModelInPrecision in_precision(graph::Graph graph, const QuantizeFlags& flags) {
  if (flags.form() == QuantizeForm::none) return {std::move(graph), flags.precision};
  const Calibration calibration = load_calibration(graph, flags);
  if (flags.form() != QuantizeForm::automatic)
    return {quantize_model(graph, flags, calibration).quantized, flags.precision};
  PrecisionChoice choice = choose_precision(graph, flags, calibration);
  const PrecisionCandidate& best = choice.best();
  ModelInPrecision made{best.model ? best.model->quantized : graph, choice.precision()};
  made.choice = std::move(choice);
  return made;
}

}  // namespace tenon::cli
