// What measurements and packed weights are of.
#pragma once

#include <string>

namespace tenon::engine {

struct Machine {
  std::string cpu;      // "AMD EPYC 9B14"
  std::string vectors;  // instruction sets that kernels are chosen by: "avx2 avx512f avx512_vnni"
  // Of the library: another one's kernels may be quicker, or pack otherwise (base/build_id.h).
  std::string build = {};
  bool operator==(const Machine&) const = default;
};

// Found out once.
const Machine& this_machine();

// Of letters, digits and dashes, for names of files: "amd-epyc-9b14-3fa81c20".
std::string slug_of(const Machine& machine);

}  // namespace tenon::engine
