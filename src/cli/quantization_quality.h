// What quantising cost and gained: speed, differences, accuracy, bytes; all by the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/quantized_model.h"

namespace tenon::cli {

struct OutputNoise {
  std::string output;
  // Over all samples, in dB: 10 log10(sum of squares / sum of squared differences).
  double signal_to_noise = 0;
  double largest = 0;  // difference, over the largest element
};

struct Accuracy {
  double before = 0, after = 0;
  std::optional<double> agreement;  // share of items with the same answer
  int64_t items = 0;
};

struct Quality {
  int64_t bytes_before = 0, bytes_after = 0;     // of constants
  double ms_before = 0, ms_after = 0;            // medians of runs in alternation
  double fastest_before = 0, fastest_after = 0;  // of those runs
  std::vector<OutputNoise> outputs;              // those of floats; none without samples
  std::optional<Accuracy> accuracy;

  double speedup() const { return ms_after > 0 ? ms_before / ms_after : 0; }
  // Less than this is what timing a few runs makes of nothing; and a busy machine disturbs medians
  // more than the fastest runs.
  bool is_faster() const { return speedup() >= 1.02 && fastest_after < fastest_before; }
};

Quality measure_quality(const QuantizedModel& model, const Calibration& calibration);

}  // namespace tenon::cli
