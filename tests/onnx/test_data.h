// What the tests of this folder read: lists of "name: reason" lines, and folders of recorded data.
#pragma once

#include <map>
#include <string>

namespace tenon {

// Reasons by name; blank lines and those that begin with # are comments. Fails (data) on lines of
// another form and on names that come twice.
std::map<std::string, std::string> read_reasons(const std::string& path);

// A folder of test data outside the project: what the environment variable says, else `fallback`.
std::string data_folder(const char* variable, const std::string& fallback);

}  // namespace tenon
