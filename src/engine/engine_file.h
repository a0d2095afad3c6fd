// Engine files (.tenon): a model as the passes left it, with its weights page by page as they are
// mapped, what was measured, and the weights as this machine's kernels take them.
//
//   engine::Session session = engine::Session::load("model.onnx");
//   session.prepare(inputs);                              // what is measured and packed is kept
//   engine::save_engine(session, "model.tenon");
//   engine::Session again = engine::Session::load("model.tenon");
//
// On another CPU, or with another version of Tenon, measurements and packed weights are left aside
// with a line in the log; all else is as it was.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/machine.h"
#include "engine/session.h"

namespace tenon::engine {

struct EngineFileOptions {
  std::string precision = "fp32";  // for who asks what the file is
  // Packed weights too: the file is larger, and ready sooner on CPUs like this one.
  bool packed = true;
};

// Of the session's plans so far. The file appears complete or not at all. Fails (unsupported) on
// graphs with constants that files do not hold.
void save_engine(const Session& session, const std::string& path,
                 const EngineFileOptions& options = {});

// By its first bytes; false too where it cannot be read.
bool is_engine_file(const std::string& path);

struct EngineFile {
  std::string version;  // of Tenon
  Machine machine;
  std::string precision;
  bool at_home = false;  // written by this version on a machine like this one

  graph::Graph graph;
  // Only at home:
  TuningChoices tuning;
  struct Packed {
    std::string value;    // of the graph, a constant
    uint64_t offset = 0;  // in bytes: which part of it is packed
    LayoutDigest layout;
    Tensor tensor;
  };
  std::vector<Packed> packed;
};

// Weights are shown where they lie in the mapped file, which must not be shortened meanwhile; they
// are not read, so their checksum is not looked at (check_engine_file does). Fails in one sentence:
// (data) on what is no engine file, is truncated or damaged, (unsupported) on other formats.
EngineFile read_engine(const std::string& path);

struct EngineReading {
  const Machine* machine = nullptr;  // instead of this one
  bool checksums = true;             // false, for fuzzing: damage goes further
};
// The same from memory, which `owner` keeps alive; `name` begins messages.
EngineFile read_engine(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                       const std::string& name, const EngineReading& reading = {});

// Reads all of it. Fails (data) naming the section that is not what was written.
void check_engine_file(const std::string& path);

}  // namespace tenon::engine
