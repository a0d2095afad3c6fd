// What RNN, GRU and LSTM have in common: their attributes, activations, shapes and gradients. The
// gates of W, R and B stand in ONNX's order: [i] of RNN, [z, r, h] of GRU, [i, o, f, c] of LSTM.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::recurrent {

enum class Cell : uint8_t { rnn, gru, lstm };
constexpr int64_t gates_of(Cell cell) { return cell == Cell::rnn ? 1 : cell == Cell::gru ? 3 : 4; }

enum class Function : uint8_t {
  affine,  // alpha * x + beta
  elu,
  hard_sigmoid,
  leaky_relu,
  relu,
  scaled_tanh,  // alpha * tanh(beta * x)
  sigmoid,
  softplus,
  softsign,
  tanh,
  thresholded_relu,  // x above alpha, else 0
};

struct Activation {
  Function function;
  double alpha = 0, beta = 0;
};

// The attributes of a call of RNN, GRU, LSTM or one of their gradients.
struct Settings {
  Cell cell = Cell::rnn;
  int64_t directions = 1;
  bool only_reverse = false;
  bool batch_first = false;  // layout
  bool has_clip = false;
  double clip = 0;
  bool input_forget = false;
  bool linear_before_reset = false;
  std::vector<Activation> activations;  // each direction's f, g, h as far as the cell has them

  bool reversed(int64_t direction) const { return only_reverse || direction == 1; }
  const Activation& activation(int64_t direction, size_t i) const {
    return activations[static_cast<size_t>(direction) * activations.size() /
                           static_cast<size_t>(directions) +
                       i];
  }
};
// Fails (usage) on directions, activations and numbers that do not fit.
Settings settings_of(const Call& call, Cell cell);

struct Sizes {
  int64_t steps = 0, batch = 0, input = 0, hidden = 0, directions = 1, gates = 1;
};
Sizes sizes_of(const Settings& settings, const Shape& x, const Shape& r);

// Ports of the forward operators; GRU and RNN end with initial_h.
enum Input : size_t { kX, kW, kR, kB, kSequenceLens, kInitialH, kInitialC, kP };
// Where a gradient's inputs Y and dY stand: behind those of the forward operator, dY_h and dY_c
// behind dY.
constexpr size_t y_port(Cell cell) { return cell == Cell::lstm ? 8 : 6; }

// Shapes of Y, Y_h and Y_c from those of the inputs, all validated.
template <Cell cell>
void infer(InferContext& ctx);
// Of the products with W and R, as if every sequence had the full length.
double flops(const InferContext& ctx);
// Shapes of dX, dW, dR, dB, dinitial_h, dinitial_c and dP (GRU and RNN end with dinitial_h).
template <Cell cell>
void infer_grad(InferContext& ctx);

// Calls the cell's gradient operator.
template <Cell cell>
TensorList grad(const GradContext& ctx);
// The gradient written out in operators, step by step: for a fixed number of steps.
template <Cell cell>
TensorList expand_grad(const ExpandContext& ctx);

// Opset 1 had output_sequence, which said whether Y was computed: it is when somebody reads it.
TensorList upgrade_1(const OnnxNode& node);
// Before opset 14 there was no layout.
void lower(OnnxNode& node);

// For samples: sequence_lens, and the value of activations.
Arg lengths(std::initializer_list<int32_t> values);
std::vector<std::string> names(std::initializer_list<std::string> list);

}  // namespace tenon::recurrent
