// LSTMGrad: the gradients of LSTM's inputs.
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  const Arg none = arg::none(), w = arg::any({1, 8, 2}), w2 = arg::any({2, 8, 2});
  const Arg x = arg::any({2, 1, 2}), y = arg::any({2, 1, 1, 2}), state = arg::any({1, 1, 2});
  const Arg lens = arg::fixed(Tensor::from<int32_t>({2, 1}, {2}));
  s.add({x, w, w, arg::any({1, 16}), none, none, none, none, y, y}).outputs = 7;
  s.add({x, w, w, none, none, state, state, arg::any({1, 6}), y, none, state, state}).outputs = 7;
  s.add({arg::any({2, 2, 1}), arg::any({2, 8, 1}), w2, none, lens, arg::any({2, 2, 2}), none, none,
         arg::any({2, 2, 2, 2}), arg::any({2, 2, 2, 2})},
        {{"direction", "bidirectional"}, {"layout", 1}})
      .outputs = 6;
  s.add({arg::any({0, 1, 2}), w, w, none, none, none, none, none, arg::any({0, 1, 1, 2}), none,
         state, state})
      .outputs = 7;
  s.bad({x, w, w, none, none, none, none, none, arg::any({2, 1, 2})}, {},
        "LSTMGrad: Y is f32[2, 1, 2]");
  s.bad({x, w, w, none, none, none, none, none, y, none, none, arg::any({1, 2})}, {},
        "dY_c is f32[1, 2]");
}

}  // namespace

constinit const OpDef LSTMGrad{
    .name = "LSTMGrad",
    .doc = "The gradients of LSTM's inputs from those, Y and what flowed into the outputs.",
    .inputs = {{"X", "T"},
               {"W", "T"},
               {"R", "T"},
               optional("B", "T"),
               optional("sequence_lens", "I"),
               optional("initial_h", "T"),
               optional("initial_c", "T"),
               optional("P", "T"),
               {"Y", "T"},
               optional("dY", "T"),
               optional("dY_h", "T"),
               optional("dY_c", "T")},
    .outputs = {{"dX", "T"},
                optional("dW", "T"),
                optional("dR", "T"),
                optional("dB", "T"),
                optional("dinitial_h", "T"),
                optional("dinitial_c", "T"),
                optional("dP", "T")},
    .types = {{"T", kFloats}, {"I", types(DType::i32)}},
    .attrs = {attr("activation_alpha", AttrType::floats), attr("activation_beta", AttrType::floats),
              attr("activations", AttrType::strings), attr("clip", AttrType::f),
              attr_s("direction", "forward", "forward|reverse|bidirectional"),
              attr("hidden_size", AttrType::i), attr_i("input_forget", 0), attr_i("layout", 0)},
    .infer = recurrent::infer_grad<recurrent::Cell::lstm>,
    .expand = recurrent::expand_grad<recurrent::Cell::lstm>,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
