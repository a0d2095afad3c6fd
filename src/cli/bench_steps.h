// Where the time of a model goes: its steps beside what the machine allows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/session.h"
#include "profile/roofline.h"

namespace tenon::cli {

struct TimedStep {
  engine::StepInfo info;
  profile::Work work;  // the median of several runs
  double share = 0;    // of the time of all steps
};

// Runs the model `runs` times, timing each step.
std::vector<TimedStep> time_steps(const engine::Session& session, const TensorList& inputs,
                                  int64_t runs);

Json to_json(std::span<const TimedStep> steps, const profile::Ceilings& ceilings);
// The steps that take longest, and what the rest takes.
std::string steps_table(std::span<const TimedStep> steps, const profile::Ceilings& ceilings);
// Roofline and all steps, as HTML for inside a page.
std::string steps_html(std::span<const TimedStep> steps, const profile::Ceilings& ceilings);

}  // namespace tenon::cli
