// Recurrent layers with PyTorch's names, defaults, parameters and initialisation
// (https://pytorch.org/docs/stable/nn.html#recurrent-layers), exported as ONNX's RNN, GRU and LSTM.
//
//   nn::LSTM lstm(40, 128, {.num_layers = 2, .bidirectional = true});
//   nn::Recurrent::Result out = lstm.run(x);  // x [steps, batch, 40], out.output [steps, batch,
//   256]
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"
#include "ops/attrs.h"

namespace tenon {
struct OpDef;
}

namespace tenon::nn {

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  // x and output are [batch, steps, features]
  double dropout = 0;        // of each layer's output but the last's, in training
  bool bidirectional = false;
};

// Layers of one kind of cell, each reading the output of the one before. Parameters are PyTorch's:
// weight_ih_l0 [gates * hidden, input], weight_hh_l0, bias_ih_l0, bias_hh_l0 and so on, those of
// the way back with _reverse behind; uniform in +-1/sqrt(hidden).
class Recurrent : public Module {
 public:
  struct Result {
    Tensor output;  // [steps, batch, directions * hidden]
    Tensor h;       // the last states, [num_layers * directions, batch, hidden]
    Tensor c;       // LSTM's cell states, else undefined
  };

  // x [steps, batch, input]. h0 and c0 are like Result's h and c, or undefined for zeros; lengths,
  // i32 [batch], says how many steps each sequence has, all when undefined.
  Result run(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {},
             const Tensor& lengths = {});
  Tensor forward(const Tensor& x) override { return run(x).output; }
  std::string describe() const override;
  int64_t hidden_size() const { return hidden_; }
  const RecurrentOptions& options() const { return options_; }

 protected:
  // What differs between the cells: the operator and its attributes, and where each of ONNX's gates
  // stands among PyTorch's.
  struct Cell {
    std::string name;
    const OpDef* op;
    std::vector<int64_t> gates;
    Attrs attrs;
  };
  Recurrent(Cell cell, int64_t input, int64_t hidden, const RecurrentOptions& options);

 private:
  struct Weights {
    Tensor ih, hh, bias_ih, bias_hh;
  };

  int64_t directions() const { return options_.bidirectional ? 2 : 1; }
  Tensor reordered(const Tensor& weights) const;
  TensorList call_layer(int64_t layer, const Tensor& x, const Tensor& lengths, const Tensor& h0,
                        const Tensor& c0) const;

  Cell cell_;
  int64_t input_, hidden_;
  RecurrentOptions options_;
  std::vector<Weights> weights_;  // layer by layer, the way back behind the way there
};

class RNN final : public Recurrent {
 public:
  // nonlinearity: tanh or relu.
  RNN(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {},
      const std::string& nonlinearity = "tanh");
};
class GRU final : public Recurrent {
 public:
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {});
};
class LSTM final : public Recurrent {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {});
};

}  // namespace tenon::nn
