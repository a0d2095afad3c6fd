// Which build of the library runs.
#pragma once

#include <string>

namespace tenon {

// The identifier that linkers give whatever they write (GNU's build ID), as hexadecimal digits: the
// same wherever the same file is, another for every other code. Of the library, or of the program
// that it is linked into; "" where the linker was told not to write one.
const std::string& library_build_id();

}  // namespace tenon
