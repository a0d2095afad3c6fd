// TensorBoard event files: `tensorboard --logdir runs` shows their curves.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/fit.h"

namespace tenon::train {

// One events.out.tfevents.<time>.<process> file in `folder`. What was written is on disk after
// flush().
class EventWriter {
 public:
  explicit EventWriter(const std::string& folder);
  void scalar(std::string_view tag, int64_t step, double value);
  void flush();
  const std::string& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::string path_;
  std::ofstream file_;
};

// Writes each epoch's values, and the loss and rate of every `every` steps.
CallbackPtr tensorboard(const std::string& folder, int64_t every = 20);

}  // namespace tenon::train
