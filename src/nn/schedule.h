// Learning-rate schedules: pure functions of the step, so a resumed run needs nothing but the step.
#pragma once

#include <cstdint>
#include <memory>

namespace tenon::nn {

class Schedule {
 public:
  virtual ~Schedule() = default;
  // What the base learning rate is multiplied by at `step` (from 0).
  virtual double factor(int64_t step) const = 0;
};

class ConstantSchedule final : public Schedule {
 public:
  double factor(int64_t) const override { return 1; }
};

// gamma^(step / every), as torch's StepLR.
class StepSchedule final : public Schedule {
 public:
  StepSchedule(int64_t every, double gamma);
  double factor(int64_t step) const override;

 private:
  int64_t every_;
  double gamma_;
};

// From 1 to `last` along half a cosine over `total` steps, `last` after that (Loshchilov and
// Hutter, "SGDR", ICLR 2017, without restarts).
class CosineSchedule final : public Schedule {
 public:
  explicit CosineSchedule(int64_t total, double last = 0);
  double factor(int64_t step) const override;

 private:
  int64_t total_;
  double last_;
};

// Linear from 1/steps to 1 over `steps` steps, then `after` from its own step 0.
class WarmupSchedule final : public Schedule {
 public:
  WarmupSchedule(int64_t steps, std::shared_ptr<const Schedule> after);
  double factor(int64_t step) const override;

 private:
  int64_t steps_;
  std::shared_ptr<const Schedule> after_;
};

}  // namespace tenon::nn
