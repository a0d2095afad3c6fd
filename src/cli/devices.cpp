// tenon devices: what can compute here.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/text.h"
#include "base/threads.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "tensor/device.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples = "  tenon devices --json\n";

int list(const Globals& globals) {
  const CpuFacts cpu = read_cpu_facts();
  const MemoryStats memory = cpu_device().allocator().stats();
  if (globals.json) {
    print_json(Json::array({{{"name", cpu_device().name()},
                             {"model", cpu.model},
                             {"cores", cpu.cores},
                             {"available", cpu.available},
                             {"threads", thread_count()},
                             {"extensions", cpu.extensions},
                             {"memory_in_use", memory.in_use},
                             {"memory_reserved", memory.reserved}}}));
    return 0;
  }
  std::printf("cpu    %s, %d cores, %d threads in use\n       vector units: %s\n",
              cpu.model.c_str(), cpu.cores, thread_count(),
              text::join(cpu.extensions, " ").c_str());
  return 0;
}

Run define(Arguments&, const Globals& globals) {
  return [&globals] { return list(globals); };
}

}  // namespace

constinit const Verb devices{"devices", Stage::know, "List the devices that can compute here.",
                             kExamples, define};

}  // namespace tenon::cli
