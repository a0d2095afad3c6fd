// RNNGrad: the gradients of RNN's inputs.
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  const Arg none = arg::none(), w = arg::any({1, 2, 2}), w2 = arg::any({2, 2, 2});
  const Arg lens = arg::fixed(Tensor::from<int32_t>({2, 1}, {2}));
  s.add({arg::any({2, 1, 2}), w, w, none, none, none, arg::any({2, 1, 1, 2}),
         arg::any({2, 1, 1, 2})})
      .outputs = 5;
  s.add({arg::any({2, 2, 1}), arg::any({2, 2, 1}), w2, arg::any({2, 4}), lens, w2,
         arg::any({2, 2, 2, 2}), none, w2},
        {{"direction", "bidirectional"}})
      .outputs = 5;
  s.add({arg::any({0, 1, 2}), w, w, none, none, none, arg::any({0, 1, 1, 2}), none,
         arg::any({1, 1, 2})})
      .outputs = 5;
  s.bad({arg::any({2, 1, 2}), w, w, none, none, none, arg::any({2, 1, 2})}, {},
        "RNNGrad: Y is f32[2, 1, 2]");
  s.bad(
      {arg::any({2, 1, 2}), w, w, none, none, none, arg::any({2, 1, 1, 2}), arg::any({2, 1, 1, 3})},
      {}, "dY is f32[2, 1, 1, 3]");
}

}  // namespace

constinit const OpDef RNNGrad{
    .name = "RNNGrad",
    .doc = "The gradients of RNN's inputs from those, Y and what flowed into the outputs.",
    .inputs = {{"X", "T"},
               {"W", "T"},
               {"R", "T"},
               optional("B", "T"),
               optional("sequence_lens", "I"),
               optional("initial_h", "T"),
               {"Y", "T"},
               optional("dY", "T"),
               optional("dY_h", "T")},
    .outputs = {{"dX", "T"},
                optional("dW", "T"),
                optional("dR", "T"),
                optional("dB", "T"),
                optional("dinitial_h", "T")},
    .types = {{"T", kFloats}, {"I", types(DType::i32)}},
    .attrs = {attr("activation_alpha", AttrType::floats), attr("activation_beta", AttrType::floats),
              attr("activations", AttrType::strings), attr("clip", AttrType::f),
              attr_s("direction", "forward", "forward|reverse|bidirectional"),
              attr("hidden_size", AttrType::i), attr_i("layout", 0)},
    .infer = recurrent::infer_grad<recurrent::Cell::rnn>,
    .expand = recurrent::expand_grad<recurrent::Cell::rnn>,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
