// Memory that this process takes.
#pragma once

#include <cstdint>

namespace tenon::profile {

// Resident memory now, in bytes; 0 where the system does not tell.
uint64_t resident_bytes();
// The most at once since the program started.
uint64_t peak_resident_bytes();

}  // namespace tenon::profile
