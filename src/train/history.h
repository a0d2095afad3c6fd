// What training measured, epoch by epoch, and the file history.json that keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace tenon::train {

struct EpochRecord {
  int64_t epoch = 0;  // from 1
  int64_t step = 0;   // optimiser steps since the start of the run
  double seconds = 0;
  double items_per_second = 0;  // while training, without the evaluation
  double rate = 0;              // the learning rate of the last step
  // "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", as far as measured.
  std::vector<std::pair<std::string, double>> values;

  // The value of that name, or null.
  const double* find(std::string_view name) const;
};

using History = std::vector<EpochRecord>;

Json to_json(const History& history);
// Fails (data) on anything that to_json() did not write; `where` begins the message.
History history_of(const Json& json, std::string_view where);

}  // namespace tenon::train
