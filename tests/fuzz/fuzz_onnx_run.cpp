// Import of ONNX models, inference of all shapes, and one run on small inputs: any bytes compute,
// or give an Error that is no bug.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "formats/onnx/import.h"
#include "small_run.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tenon::set_log_level(tenon::LogLevel::off);
  tenon::set_thread_count(1);
  try {
    const tenon::graph::Graph graph =
        tenon::formats::import_onnx({reinterpret_cast<const std::byte*>(data), size}, "input.onnx");
    if (const auto inputs = tenon::fuzz::small_inputs(graph, size))
      tenon::fuzz::run_small(graph, *inputs);
  } catch (const tenon::Error& error) {
    if (error.kind() == tenon::ErrorKind::bug) std::abort();
  }
  return 0;
}
