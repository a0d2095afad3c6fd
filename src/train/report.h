// report.html: one page about a run that opens anywhere, offline.
#pragma once

#include <string>

#include "train/recipe.h"
#include "train/run.h"

namespace tenon::train {

// Curves, confusion matrix, right and wrong predictions, timings, the model, the recipe and the
// machine.
void write_report(const std::string& path, const Recipe& recipe, const TrainResult& result);

}  // namespace tenon::train
