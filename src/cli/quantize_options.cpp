#include "cli/quantize_options.h"

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/share.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kUsualCalibrator = "percentile";

// Sets of forms.
constexpr unsigned set_of(QuantizeForm form) { return 1U << static_cast<unsigned>(form); }
constexpr unsigned kSamples = set_of(QuantizeForm::samples),
                   kDynamic = set_of(QuantizeForm::dynamic),
                   kWeights = set_of(QuantizeForm::weights), kHalves = set_of(QuantizeForm::halves),
                   kAuto = set_of(QuantizeForm::automatic);
constexpr unsigned kAll = kSamples | kDynamic | kWeights | kHalves | kAuto;

// An option that was given, and which forms it is for.
struct Given {
  const char* option;
  bool given;
  unsigned forms;

  bool fits(QuantizeForm form) const { return (forms & set_of(form)) != 0; }
  std::string home() const {
    if (forms == kAuto) return "--precision auto";
    if ((forms & kSamples) == 0) return (forms & kWeights) != 0 ? "--weights-only" : "--dynamic";
    return (forms & kDynamic) != 0 ? "--precision int8" : "--precision int8 --calibrate DATA";
  }
};

std::vector<Given> all_given(const QuantizeFlags& f) {
  return {{"--dynamic", f.dynamic, kDynamic | kAuto},
          {"--weights-only", f.weights_only, kWeights},
          {"--block-size", f.block_size.has_value(), kWeights},
          {"--calibrator", f.calibrator != kUsualCalibrator, kSamples | kAuto},
          {"--percentile", f.percentile.has_value(), kSamples | kAuto},
          {"--equalize", f.equalize, kSamples | kAuto},
          {"--no-bias-correction", f.no_bias_correction, kSamples | kAuto},
          {"--max-accuracy-drop", !f.max_drop.empty(), kSamples | kAuto},
          {"--max-error", !f.max_error.empty(), kAuto},
          {"--sensitivity", f.sensitivity, kSamples},
          {"--html", !f.html.empty(), kSamples},
          {"--reduced-range", f.reduced_range, kSamples | kDynamic | kAuto},
          {"--calibrate", !f.calibrate.empty(), kAll},
          {"--input", !f.inputs.empty(), kAll},
          {"--samples", f.samples.has_value(), kAll},
          {"--split", !f.split.empty(), kAll},
          {"--without-layer", !f.without_layers.empty(), kAll},
          {"--operators", !f.operators.empty(), kSamples | kHalves},
          {"--without-operator", !f.without_operators.empty(), kSamples | kHalves}};
}

// For people: whose the options are.
std::string home_of(const QuantizeFlags& flags) {
  switch (flags.form()) {
    case QuantizeForm::dynamic: return "--dynamic";
    case QuantizeForm::weights: return "--weights-only";
    case QuantizeForm::samples: return "models whose activations are quantised";
    default: return "--precision " + flags.precision;
  }
}

bool is_recipe(const std::string& path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

}  // namespace

QuantizeForm QuantizeFlags::form() const {
  if (precision == "fp32") return QuantizeForm::none;
  if (precision == "auto") return QuantizeForm::automatic;
  if (precision == "bf16" || precision == "fp16") return QuantizeForm::halves;
  if (weights_only) return QuantizeForm::weights;
  return dynamic ? QuantizeForm::dynamic : QuantizeForm::samples;
}

void add_quantize_flags(Arguments& arguments, QuantizeFlags& flags) {
  arguments
      .option("--precision", flags.precision,
              "fp32 (the file's own), bf16, fp16, int8, int4 (with --weights-only), or auto: the "
              "quickest of fp32, bf16 and int8 here that is precise enough")
      .choices({"fp32", "bf16", "fp16", "int8", "int4", "auto"});
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
  arguments.option("--without-layer", flags.without_layers, "NAME,...: leave these in fp32")
      .with_commas();
  arguments
      .option("--operators", flags.operators,
              "TYPE,...: only operators of these types, as in Conv, with bf16, fp16 and int8")
      .with_commas();
  arguments.option("--without-operator", flags.without_operators, "TYPE,...: leave these in fp32")
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
  arguments.option("--max-error", flags.max_error,
                   "With --precision auto and no --max-accuracy-drop: how far outputs may be off, "
                   "as a share of the largest element (1%)");
  arguments.flag("--sensitivity", flags.sensitivity,
                 "List how much each layer by itself suffers from 8 bits, worst first");
  arguments.option("--html", flags.html, "Write that list as a page to this file");
}

void check_quantize_flags(const QuantizeFlags& flags) {
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
           "{}: with --precision fp32 nothing is quantised; leave it out, or add --precision int8",
           one.option);
    fail(ErrorKind::usage, "{}: is not for {}; leave it out, or use {} instead", one.option,
         home_of(flags), one.home());
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
  TENON_CHECK(flags.max_error.empty() || flags.max_drop.empty(), usage,
              "--max-error and --max-accuracy-drop exclude each other; give one");
  if (!flags.max_error.empty()) parse_share(flags.max_error, "--max-error");
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
    case QuantizeForm::halves: return "fp32 where range matters";
    case QuantizeForm::automatic: return "whatever is quickest";
    case QuantizeForm::dynamic: return "products, quantised as they come";
    case QuantizeForm::weights:
      return fmt::format("weights in blocks of {}", flags.block_size.value_or(32));
    case QuantizeForm::samples: break;
  }
  if (flags.calibrator != kUsualCalibrator) return flags.calibrator;
  return fmt::format("{} {}", flags.calibrator, flags.percentile.value_or(99.99));
}

graph::HalvesOptions halves_options(const QuantizeFlags& flags) {
  return {.type = flags.precision == "fp16" ? DType::f16 : DType::bf16,
          .operators = flags.operators,
          .without_operators = flags.without_operators,
          .without_layers = flags.without_layers};
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
  options.operators = flags.operators;
  options.without_operators = flags.without_operators;
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
