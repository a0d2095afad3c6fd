// An elementwise program as loops over tiles: each step is one of the loops that the operator's own
// kernel runs, on a few hundred elements that stay in the first-level cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/rows.h"
#include "ops/fused/elementwise_program.h"
#include "tensor/convert.h"

namespace tenon::cpu {

// Number of a pointer that a tile works with; 0 is null.
using TileValue = uint16_t;

struct TileStep {
  enum class Kind : uint8_t { compute, convert, gather };
  Kind kind = Kind::compute;
  bool uniform = false;  // one element stands for the whole tile
  TileValue out = 0;
  std::array<TileValue, 3> in{};
  // compute: the operator's loop; bit i of `scalars`: in[i] is one element
  unsigned scalars = 0;
  ElementFn fn = nullptr;
  ElementAttrs attrs;
  // convert: `quick`, else `any`
  ConvertFn quick = nullptr;
  ConvertRun any;
  // gather: of which input
  size_t input = 0;
};

// How an input comes into a tile.
struct TileInput {
  DType type = DType::undefined;
  bool uniform = false;   // one element for all of the tile
  bool gathered = false;  // its elements are brought together by a step of their own
};
struct TileOutput {
  DType type = DType::undefined;
  bool buffered = false;  // not computed in place, but copied there
};

struct TileProgram {
  static constexpr size_t kBytes = 32768;  // of all buffers
  static constexpr size_t kValues = 512;

  struct Number {
    TileValue value;
    alignas(8) std::array<std::byte, 8> bytes;
  };
  struct Buffer {
    TileValue value;
    size_t offset;  // in bytes
  };
  struct Result {
    TileValue value = 0;
    DType type = DType::undefined;  // of the value: f32 for an output of 16 bits
    bool direct = false;            // a step writes it where it belongs
    bool uniform = false;
  };

  std::vector<TileStep> steps;
  std::vector<TileValue> inputs;  // what stands for each; 0 where it is gathered or not read
  std::vector<Number> numbers;
  std::vector<Buffer> buffers;
  std::vector<Result> results;
  size_t values = 1;
  int64_t tile = 0;   // elements, at most
  int64_t grain = 0;  // elements worth a thread of their own
  // Bit i: nothing reads input i any more when output 0 is written.
  uint32_t free_inputs = 0;
};

// `types`: what each step of the program gives, as inferred.
std::variant<TileProgram, Refusal> compile_tiles(const fused::ElementwiseProgram& program,
                                                 std::span<const DType> types,
                                                 std::span<const TileInput> inputs,
                                                 std::span<const TileOutput> outputs);

}  // namespace tenon::cpu
