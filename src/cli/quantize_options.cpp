#include "cli/quantize_options.h"

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/share.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kUsualCalibrator = "percentile";

// An option that was given, and which forms it is for.
struct Given {
  const char* option;
  bool given;
  bool samples, dynamic, weights;

  bool fits(QuantizeForm form) const {
    switch (form) {
      case QuantizeForm::samples: return samples;
      case QuantizeForm::dynamic: return dynamic;
      case QuantizeForm::weights: return weights;
      default: return false;
    }
  }
  std::string home() const {
    if (weights && !samples) return "--weights-only";
    return samples && dynamic ? "--precision int8" : "--precision int8 --calibrate DATA";
  }
};

std::vector<Given> all_given(const QuantizeFlags& f) {
  return {{"--dynamic", f.dynamic, false, true, false},
          {"--weights-only", f.weights_only, false, false, true},
          {"--block-size", f.block_size.has_value(), false, false, true},
          {"--calibrator", f.calibrator != kUsualCalibrator, true, false, false},
          {"--percentile", f.percentile.has_value(), true, false, false},
          {"--equalize", f.equalize, true, false, false},
          {"--no-bias-correction", f.no_bias_correction, true, false, false},
          {"--max-accuracy-drop", !f.max_drop.empty(), true, false, false},
          {"--sensitivity", f.sensitivity, true, false, false},
          {"--html", !f.html.empty(), true, false, false},
          {"--reduced-range", f.reduced_range, true, true, false},
          {"--calibrate", !f.calibrate.empty(), true, true, true},
          {"--input", !f.inputs.empty(), true, true, true},
          {"--samples", f.samples.has_value(), true, true, true},
          {"--split", !f.split.empty(), true, true, true},
          {"--without-layer", !f.without_layers.empty(), true, true, true}};
}

bool is_recipe(const std::string& path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

}  // namespace

QuantizeForm QuantizeFlags::form() const {
  if (precision == "fp32") return QuantizeForm::none;
  if (weights_only) return QuantizeForm::weights;
  return dynamic ? QuantizeForm::dynamic : QuantizeForm::samples;
}

void add_quantize_flags(Arguments& arguments, QuantizeFlags& flags) {
  arguments
      .option("--precision", flags.precision,
              "fp32 (the file's own), int8, or int4 (with --weights-only)")
      .choices({"fp32", "bf16", "int8", "int4"});
  arguments.option(
      "--calibrate", flags.calibrate,
      "What ranges of activations are found on: a recipe (its training data), a folder "
      "of NAME.npy files, one an input, or random:N");
  arguments.option("--samples", flags.samples, "How many of them are used at most (100)")
      .above_zero();
  arguments
      .option("--calibrator", flags.calibrator,
              "How a range is found: percentile (unless said), minmax, entropy, mse")
      .choices({"percentile", "minmax", "entropy", "mse"});
  arguments.option("--percentile", flags.percentile, "Share of the numbers that lie within (99.99)")
      .within(50, 100);
  arguments.flag("--equalize", flags.equalize,
                 "Even out the scales of convolutions that follow each other");
  arguments.flag("--no-bias-correction", flags.no_bias_correction,
                 "Leave biases as they are, although rounded weights shift results");
  arguments.flag("--reduced-range", flags.reduced_range,
                 "Weights of 7 bits, for runtimes on processors without VNNI");
  arguments.option("--without-layer", flags.without_layers, "NAME,...: leave these in floats")
      .with_commas();
  arguments.flag("--dynamic", flags.dynamic,
                 "Products only, whose left side is quantised as it comes: needs no samples");
  arguments.flag("--weights-only", flags.weights_only,
                 "Weights of products only; activations stay floats");
  arguments
      .option("--block-size", flags.block_size,
              "Weights that share a scale, with --weights-only (32)")
      .above_zero();
}

void add_measure_flags(Arguments& arguments, QuantizeFlags& flags) {
  arguments
      .option("--input", flags.inputs,
              "NAME=FILE.npy, once an input: samples along the first axis, instead of --calibrate")
      .one_at_a_time();
  arguments
      .option("--split", flags.split,
              "The recipe's data that accuracy is measured on (validation where it has that, else "
              "test)")
      .choices({"train", "validation", "test"});
  arguments.option("--max-accuracy-drop", flags.max_drop,
                   "Leave the most harmful layers in floats until accuracy drops by no more, as in "
                   "0.5%");
  arguments.flag("--sensitivity", flags.sensitivity,
                 "List how much each layer by itself suffers from 8 bits, worst first");
  arguments.option("--html", flags.html, "Write that list as a page to this file");
}

void check_quantize_flags(const QuantizeFlags& flags) {
  TENON_CHECK(flags.precision != "bf16", unsupported,
              "--precision bf16: models of fp32 are not computed in bf16 so far; use fp32 or int8");
  TENON_CHECK(!flags.dynamic || !flags.weights_only, usage,
              "--dynamic and --weights-only exclude each other; give one");
  TENON_CHECK(
      flags.precision != "int4" || flags.weights_only, usage,
      "--precision int4: products of 4 bits do not exist, only weights; add --weights-only");
  const QuantizeForm form = flags.form();
  for (const Given& one : all_given(flags)) {
    if (!one.given || one.fits(form)) continue;
    if (form == QuantizeForm::none)
      fail(ErrorKind::usage,
           "{}: with --precision {} nothing is quantised; leave it out, or add {}", one.option,
           flags.precision, one.home());
    fail(ErrorKind::usage, "{}: is not for {}; leave it out, or use {} instead", one.option,
         form == QuantizeForm::dynamic   ? "--dynamic"
         : form == QuantizeForm::weights ? "--weights-only"
                                         : "models whose activations are quantised",
         one.home());
  }
  TENON_CHECK(flags.calibrate.empty() || flags.inputs.empty(), usage,
              "--calibrate and --input exclude each other; give one");
  TENON_CHECK(
      flags.has_samples() || form != QuantizeForm::samples, usage,
      "--precision int8: ranges of activations are found on samples, and none are given; add "
      "--calibrate with a recipe or a folder of .npy files, or --dynamic or --weights-only, "
      "which need none");
  TENON_CHECK(flags.has_samples() || !flags.samples, usage,
              "--samples: none are given to take from; add --calibrate");
  TENON_CHECK(!flags.percentile || flags.calibrator == "percentile", usage,
              "--percentile: is for --calibrator percentile, not {}; give one of them",
              flags.calibrator);
  TENON_CHECK(flags.split.empty() || is_recipe(flags.calibrate), usage,
              "--split {}: is a recipe's; give --calibrate recipe.yaml", flags.split);
  if (flags.max_drop.empty()) return;
  parse_share(flags.max_drop, "--max-accuracy-drop");
  TENON_CHECK(is_recipe(flags.calibrate), usage,
              "--max-accuracy-drop {}: accuracy is measured on a recipe's data; give --calibrate "
              "recipe.yaml",
              flags.max_drop);
}

std::string describe_form(const QuantizeFlags& flags) {
  switch (flags.form()) {
    case QuantizeForm::none: return "as the file has it";
    case QuantizeForm::dynamic: return "products, quantised as they come";
    case QuantizeForm::weights:
      return fmt::format("weights in blocks of {}", flags.block_size.value_or(32));
    case QuantizeForm::samples: break;
  }
  if (flags.calibrator != kUsualCalibrator) return flags.calibrator;
  return fmt::format("{} {}", flags.calibrator, flags.percentile.value_or(99.99));
}

graph::QuantizeOptions quantize_options(const QuantizeFlags& flags) {
  graph::QuantizeOptions options;
  const std::string& how = flags.calibrator;
  options.calibrator = how == "minmax"    ? graph::Calibrator::min_max
                       : how == "entropy" ? graph::Calibrator::entropy
                       : how == "mse"     ? graph::Calibrator::mse
                                          : graph::Calibrator::percentile;
  options.percentile = flags.percentile.value_or(options.percentile);
  options.reduced_range = flags.reduced_range;
  options.without_layers = flags.without_layers;
  options.equalize = flags.equalize;
  options.correct_bias = !flags.no_bias_correction;
  return options;
}

graph::DynamicOptions dynamic_options(const QuantizeFlags& flags) {
  return {flags.reduced_range, flags.without_layers};
}

graph::WeightOnlyOptions weight_options(const QuantizeFlags& flags) {
  graph::WeightOnlyOptions options;
  options.bits = flags.bits();
  options.block_size = flags.block_size.value_or(options.block_size);
  options.without_layers = flags.without_layers;
  return options;
}

}  // namespace tenon::cli
