// What was quantised, and what it cost and gained, for people and programs.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/quantization_quality.h"

namespace tenon::cli {

std::string quantization_text(const QuantizedModel& model, const Quality& quality,
                              const QuantizeFlags& flags, const Calibration& calibration);
Json quantization_json(const QuantizedModel& model, const Quality& quality,
                       const QuantizeFlags& flags, const Calibration& calibration);
// A page of what each layer by itself does to the output.
std::string sensitivity_page(const QuantizedModel& model, const QuantizeFlags& flags);
// Where the quantised model is no faster: a sentence that says so, and why where that is known.
std::string slowness(const Quality& quality, const QuantizeFlags& flags);

}  // namespace tenon::cli
