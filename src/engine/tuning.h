// Measured choice between kernels that compute the same.
#pragma once

#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "engine/tuning_cache.h"
#include "runtime/prepared_call.h"

namespace tenon::engine {

// The choices that a session's plans rest on. Thread-safe.
class TuningLog {
 public:
  void add(const std::string& call, std::string_view kernel);
  TuningChoices choices() const;

 private:
  mutable std::mutex mutex_;
  TuningChoices choices_;
};

// Of the kernels that accept the call (accepting_kernels), the quickest on this machine with as
// many threads as thread_count(); "" where there is nothing to choose. Non-constant inputs are
// stand-ins: only their types, shapes and strides are read. What was measured once is remembered
// for the life of the process, and beyond it by save_tuning(). Thread-safe.
std::string_view quickest_kernel(const OpDef& op, std::span<const Tensor* const> inputs,
                                 const Attrs& attrs, size_t output_count,
                                 const PrepareOptions& options, TuningLog& log);

// Choices made elsewhere, for calls of which nothing is known yet.
void add_tuning(const TuningChoices& choices);

// Writes what was measured since the last time into the user's cache. Files of many choices are
// not written for each new one: unless `now`, some time must have passed.
void save_tuning(bool now = false);

}  // namespace tenon::engine
