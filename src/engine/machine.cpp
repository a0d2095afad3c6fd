#include "engine/machine.h"

#include <fmt/core.h>

#include "base/build_id.h"
#include "base/environment.h"
#include "base/hash.h"
#include "base/text.h"

namespace tenon::engine {

const Machine& this_machine() {
  static const Machine machine = [] {
    const CpuFacts facts = read_cpu_facts();
    return Machine{facts.model.empty() ? "unknown" : facts.model, text::join(facts.extensions, " "),
                   library_build_id()};
  }();
  return machine;
}

std::string slug_of(const Machine& machine) {
  std::string slug;
  for (char c : text::lower(machine.cpu)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain)
      slug += c;
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  }
  if (slug.empty() || slug.back() != '-') slug += '-';
  return slug + fmt::format("{:08x}", hash64(machine.cpu + "\n" + machine.vectors) >> 32);
}

}  // namespace tenon::engine
