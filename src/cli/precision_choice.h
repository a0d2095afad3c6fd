// --precision auto: the quickest of fp32, bf16 and int8 on this machine whose results are close
// enough; and any other precision, for verbs that only run models.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/quantization_quality.h"
#include "cli/quantize_options.h"
#include "cli/quantized_model.h"

namespace tenon::cli {

struct PrecisionCandidate {
  QuantizeFlags flags;  // those of this precision
  // Nothing for fp32, and where the model cannot be computed in it.
  std::optional<QuantizedModel> model = {};
  std::optional<Quality> quality = {};
  std::string verdict = {};  // "chosen", "not faster than fp32", "error over 1.00 %", why not made

  // The largest difference from fp32, as a share of the output's largest element; of all outputs.
  double error() const;
};

struct PrecisionChoice {
  std::vector<PrecisionCandidate> candidates;  // fp32 first
  size_t chosen = 0;
  std::string limit;   // "error of at most 1.00 %"
  std::string source;  // what it was measured on

  const PrecisionCandidate& best() const { return candidates[chosen]; }
  std::string precision() const { return best().flags.precision; }
};

// Makes and measures all of them, each in alternation with fp32. Without samples, outputs are
// compared on random inputs, and int8 is that of products which are quantised as they come.
PrecisionChoice choose_precision(const graph::Graph& graph, const QuantizeFlags& flags,
                                 const Calibration& calibration);

std::string choice_text(const PrecisionChoice& choice);
Json choice_json(const PrecisionChoice& choice);

// A model as flags of any form want it; with what auto measured.
struct ModelInPrecision {
  graph::Graph graph;
  std::string precision;  // what auto chose, or the one asked for
  std::optional<PrecisionChoice> choice = {};
};
ModelInPrecision in_precision(graph::Graph graph, const QuantizeFlags& flags);

}  // namespace tenon::cli
