// Checkpoints: any bytes in a file give one, which is written and read to the same size, or an
// Error of kind data or unsupported.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "train/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tenon::TempDirectory folder;
  const std::string path = folder / "input.safetensors";
  tenon::write_file(path, {reinterpret_cast<const char*>(data), size});
  tenon::train::Checkpoint read;
  try {
    read = tenon::train::load_checkpoint(path);
  } catch (const tenon::Error& error) {
    if (error.kind() != tenon::ErrorKind::data && error.kind() != tenon::ErrorKind::unsupported)
      std::abort();
    return 0;
  }
  const std::string copy = folder / "copy.safetensors";
  tenon::train::save_checkpoint(copy, read);
  const tenon::train::Checkpoint again = tenon::train::load_checkpoint(copy);
  if (again.model.size() != read.model.size() || again.optimizer.size() != read.optimizer.size() ||
      again.state.has_value() != read.state.has_value())
    std::abort();
  return 0;
}
