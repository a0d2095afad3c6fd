// Memory of the operating system.
#pragma once

#include "tensor/block_cache.h"

namespace tenon {

// Blocks of 4 MiB and more are aligned for and advised to use huge pages.
MemorySource& system_memory();

// Gives the memory of the whole pages in there back to the system. Touched again, those of a mapped
// file are read again, others are zero. Nothing happens where the system cannot.
void drop_pages(const void* begin, size_t bytes) noexcept;

}  // namespace tenon
