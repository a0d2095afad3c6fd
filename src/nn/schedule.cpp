// Learning-rate schedules.
#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace tenon::nn {

StepSchedule::StepSchedule(int64_t every, double gamma) : every_(every), gamma_(gamma) {
  TENON_CHECK(every > 0 && gamma > 0, usage,
              "step schedule: every {} steps by {}; both must be positive", every, gamma);
}
double StepSchedule::factor(int64_t step) const {
  return std::pow(gamma_, static_cast<double>(step / every_));
}

CosineSchedule::CosineSchedule(int64_t total, double last) : total_(total), last_(last) {
  TENON_CHECK(total > 0, usage, "cosine schedule: {} steps; give a positive number", total);
}
double CosineSchedule::factor(int64_t step) const {
  const double done = std::min(1.0, static_cast<double>(step) / static_cast<double>(total_));
  return last_ + (1 - last_) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

WarmupSchedule::WarmupSchedule(int64_t steps, std::shared_ptr<const Schedule> after)
    : steps_(steps), after_(std::move(after)) {
  TENON_CHECK(steps >= 0, usage, "warm-up: {} steps; use 0 or more", steps);
}
double WarmupSchedule::factor(int64_t step) const {
  if (step >= steps_) return after_->factor(step - steps_);
  return static_cast<double>(step + 1) / static_cast<double>(steps_);
}

}  // namespace tenon::nn
