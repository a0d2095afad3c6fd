// Memory of the operating system.
#pragma once

#include "tensor/block_cache.h"

namespace tenon {

// Blocks of 4 MiB and more are aligned for and advised to use huge pages.
MemorySource& system_memory();

}  // namespace tenon
