// What was measured on this machine, kept from one process to the next.
#pragma once

#include <map>
#include <string>

#include "engine/machine.h"

namespace tenon::engine {

// The quickest kernel by the call's signature (its operator, attributes, threads, types, shapes,
// strides); "" where there was nothing to choose.
using TuningChoices = std::map<std::string, std::string>;

inline constexpr size_t kMaxTuningChoices = 20'000;

// A JSON file. Whatever is wrong with it is no reason to fail: it is noted (debug) and does
// without.
class TuningCache {
 public:
  explicit TuningCache(std::string path, Machine machine = this_machine())
      : path_(std::move(path)), machine_(std::move(machine)) {}
  // tuning-<CPU>-<version>.json of user_cache_folder(); an empty path where there is none.
  static TuningCache of_user();

  // Nothing where the path is empty, there is no file, or it is damaged or of another machine.
  TuningChoices read() const;
  // Writes what there is, and these besides; where they do not agree, these count. Keeps
  // kMaxTuningChoices at most.
  void add(const TuningChoices& fresh) const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Machine machine_;
};

}  // namespace tenon::engine
