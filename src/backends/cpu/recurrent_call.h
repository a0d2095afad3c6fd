// What the cpu kernels of RNN, GRU, LSTM and their gradients share: where things are, and inputs as
// f32.
#pragma once

#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "backends/cpu/recurrent_loops.h"
#include "backends/cpu/rows.h"
#include "runtime/kernel.h"

namespace tenon::cpu {

// A call whose sizes are known.
struct RecurrentCall {
  static constexpr size_t kMostInputs = 12;

  RecurrentCall(const PrepareContext& ctx, recurrent::Cell cell);

  const recurrent::Settings settings;
  const recurrent::Sizes sizes;
  const RecurrentLoops loops;
  std::string_view name;
  DType type;
  int64_t counts[kMostInputs] = {};  // elements; 0 where absent

  int64_t gate_columns() const { return sizes.gates * sizes.hidden; }
  bool has(size_t input) const { return counts[input] > 0; }
  // Where step t of sequence n is in X, in elements; in Y and in the states, for direction d.
  int64_t x_at(int64_t t, int64_t n) const {
    return (settings.batch_first ? n * sizes.steps + t : t * sizes.batch + n) * sizes.input;
  }
  int64_t y_at(int64_t t, int64_t d, int64_t n) const {
    return (settings.batch_first ? (n * sizes.steps + t) * sizes.directions + d
                                 : (t * sizes.directions + d) * sizes.batch + n) *
           sizes.hidden;
  }
  int64_t state_at(int64_t d, int64_t n) const {
    return (settings.batch_first ? n * sizes.directions + d : d * sizes.batch + n) * sizes.hidden;
  }
  // The time of a direction's step s in a sequence of `length`; steps past it stay where they are.
  int64_t time_of(int64_t d, int64_t s, int64_t length) const {
    return settings.reversed(d) && s < length ? length - 1 - s : s;
  }
  // Fails (usage) on lengths that do not fit; null where all sequences are whole.
  const int32_t* lengths(const RunContext& ctx) const;

  void activate(int64_t d, size_t i, float* x, const float* add) const {
    const recurrent::Activation& a = settings.activation(d, i);
    const float clip = settings.has_clip ? static_cast<float>(settings.clip)
                                         : std::numeric_limits<float>::infinity();
    loops.activate(a.function)(x, add, static_cast<size_t>(sizes.hidden), clip,
                               static_cast<float>(a.alpha), static_cast<float>(a.beta));
  }
  // Without clip: of the cell state.
  void activate_cell(int64_t d, float* x) const {
    const recurrent::Activation& a = settings.activation(d, 2);
    loops.activate(a.function)(x, nullptr, static_cast<size_t>(sizes.hidden),
                               std::numeric_limits<float>::infinity(), static_cast<float>(a.alpha),
                               static_cast<float>(a.beta));
  }
  void scale_by_slope(int64_t d, size_t i, const float* y, float* dy) const {
    const recurrent::Activation& a = settings.activation(d, i);
    loops.slope(a.function)(y, dy, static_cast<size_t>(sizes.hidden), static_cast<float>(a.alpha),
                            static_cast<float>(a.beta));
  }
};

// The inputs of a call as f32: themselves, or copies. Bit i of `unread`: input i is not wanted.
class Floats {
 public:
  Floats(const RecurrentCall& call, const RunContext& ctx, uint32_t unread = 0);
  const float* operator[](size_t input) const { return at_[input]; }  // null where absent

 private:
  const float* at_[RecurrentCall::kMostInputs] = {};
  std::vector<float> copies_[RecurrentCall::kMostInputs];
};

// c = a * b (+ c where `add`), row-major without gaps, either operand transposed: a is [rows, k], b
// is [k, columns] then.
void matrix_product(bool transpose_a, bool transpose_b, int64_t rows, int64_t columns, int64_t k,
                    const float* a, const float* b, float* c, bool add);

}  // namespace tenon::cpu
