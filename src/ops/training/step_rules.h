// What the optimiser steps have in common.
#pragma once

#include "ops/infer.h"

namespace tenon::step_rules {

// Checks that lr (input 0) and step (1) are scalars and that inputs from 2 on have param's shape,
// which all outputs get.
void infer(InferContext& ctx);

}  // namespace tenon::step_rules
