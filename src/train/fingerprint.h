// What a result depends on, as one number: the same again means that nothing need be done again.
#pragma once

#include <string>

#include "base/yaml.h"

namespace tenon::train {

// Of the recipe's text, of size and time of the files it names, and of the program's own code. 16
// hexadecimal digits.
std::string fingerprint(const Config& recipe);

}  // namespace tenon::train
