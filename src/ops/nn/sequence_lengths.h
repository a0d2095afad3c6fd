// The lengths of a batch's sequences, which are data: kernels check them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace tenon {

// Fails (usage) unless each of the `count` lengths is 0 to `steps`; `input` is what has the steps.
template <class Int>
void check_lengths(std::string_view op, std::string_view input, const Int* lengths, int64_t count,
                   int64_t steps) {
  for (int64_t b = 0; b < count; ++b)
    TENON_CHECK(lengths[b] >= 0 && lengths[b] <= steps, usage,
                "{}: sequence_lens[{}] is {}; {} has {} steps, so give 0 to {}", op, b, lengths[b],
                input, steps, steps);
}

}  // namespace tenon
