// Which precision a model is to compute in, and how it gets there, as the command line says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/precision/halves.h"
#include "graph/quantize/dynamic.h"
#include "graph/quantize/quantize.h"

namespace tenon::cli {

class Arguments;

enum class QuantizeForm : uint8_t {
  none,       // fp32
  samples,    // int8 weights and activations, whose ranges samples tell
  dynamic,    // int8 products, whose left side is quantised as it comes
  weights,    // int8 or int4 weights, activations in floats
  halves,     // bf16 or fp16, fp32 where range matters
  automatic,  // the quickest of fp32, bf16 and int8 that is precise enough
};

struct QuantizeFlags {
  std::string precision = "fp32";
  bool dynamic = false, weights_only = false;
  // Samples.
  std::string calibrate;  // a recipe, a folder of .npy files, "random:N"
  std::vector<std::string> inputs;
  std::optional<int64_t> samples;
  // How.
  std::string calibrator = "percentile";
  std::optional<double> percentile;
  std::optional<int64_t> block_size;
  bool equalize = false, no_bias_correction = false, reduced_range = false;
  std::vector<std::string> without_layers, operators, without_operators;
  // What is measured (tenon optimize).
  std::string max_drop, max_error, split, html;
  bool sensitivity = false;

  QuantizeForm form() const;
  int bits() const { return precision == "int4" ? 4 : 8; }
  bool has_samples() const { return !calibrate.empty() || !inputs.empty(); }
};

void add_quantize_flags(Arguments& arguments, QuantizeFlags& flags);
// --input, --max-accuracy-drop, --max-error, --sensitivity, --split, --html.
void add_measure_flags(Arguments& arguments, QuantizeFlags& flags);

// Fails (usage) where options exclude or need each other, before any file is read.
void check_quantize_flags(const QuantizeFlags& flags);

// For people: "percentile 99.99", "blocks of 32".
std::string describe_form(const QuantizeFlags& flags);

graph::HalvesOptions halves_options(const QuantizeFlags& flags);
graph::QuantizeOptions quantize_options(const QuantizeFlags& flags);
graph::DynamicOptions dynamic_options(const QuantizeFlags& flags);
graph::WeightOnlyOptions weight_options(const QuantizeFlags& flags);

}  // namespace tenon::cli
