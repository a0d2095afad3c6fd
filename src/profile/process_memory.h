// Memory that this process takes.
#pragma once

#include <cstdint>

namespace tenon::profile {

// The most resident memory at once since the process started, in bytes; 0 where the system does not
// tell.
uint64_t peak_resident_bytes();

}  // namespace tenon::profile
