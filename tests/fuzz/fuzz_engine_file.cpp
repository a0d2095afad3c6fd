// Engine files: any bytes are read and compute, or give an Error that is no bug; with checksums,
// and without, so that damage reaches what lies behind them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "engine/engine_file.h"
#include "small_run.h"

namespace {

void read(const std::shared_ptr<void>& memory, std::size_t size,
          const tenon::engine::EngineReading& reading) {
  const std::span bytes(static_cast<const std::byte*>(memory.get()), size);
  try {
    const tenon::engine::EngineFile file =
        tenon::engine::read_engine(bytes, memory, "input.tenon", reading);
    for (const auto& packed : file.packed) {
      const auto* begin = static_cast<const std::byte*>(packed.tensor.raw());
      if (begin < bytes.data() || begin + packed.tensor.bytes() > bytes.data() + size) std::abort();
    }
    if (const auto inputs = tenon::fuzz::small_inputs(file.graph, size))
      tenon::fuzz::run_small(file.graph, *inputs);
  } catch (const tenon::Error& error) {
    if (error.kind() == tenon::ErrorKind::bug) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tenon::set_log_level(tenon::LogLevel::off);
  tenon::set_thread_count(1);
  constexpr std::size_t kPage = 4096;
  const std::shared_ptr<void> memory(std::aligned_alloc(kPage, (size / kPage + 1) * kPage),
                                     [](void* block) { std::free(block); });
  if (size > 0) std::memcpy(memory.get(), data, size);
  const tenon::engine::Machine machine{"a CPU", "vectors"};  // that of the corpus
  read(memory, size, {.machine = &machine});
  read(memory, size, {.machine = &machine, .checksums = false});
  return 0;
}
