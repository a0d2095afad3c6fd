// The cases of the eager benchmark, written once for Tenon and once for libtorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// One case: `run` does it `count` times. Both sides list the same names in the same order.
struct EagerCase {
  std::string name;
  double target;  // of Tenon's time over libtorch's
  std::function<void(int64_t count)> run;
};

std::vector<EagerCase> tenon_cases();
std::vector<EagerCase> torch_cases();
void set_tenon_threads(int count);
void set_torch_threads(int count);

}  // namespace bench
