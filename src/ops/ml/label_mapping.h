// The keys, values and default of LabelEncoder, and of what expands into it.
#pragma once

#include "ops/infer.h"

namespace tenon::label_mapping {

struct Mapping {
  Tensor keys, values;  // vectors of one length
  Tensor fallback;      // rank 0, of the values' type
};

// Fails (usage) unless one list of keys and one of values of that length are given.
Mapping read(const Call& call);

}  // namespace tenon::label_mapping
