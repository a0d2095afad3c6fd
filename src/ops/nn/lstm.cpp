// LSTM: one layer of long short-term memory (Hochreiter and Schmidhuber 1997; peepholes of Gers
// 2000).
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

using recurrent::lengths;
using recurrent::names;

void samples(Samples& s) {
  const Arg x = arg::any({3, 2, 2}), none = arg::none();
  const Arg w = arg::any({1, 8, 2}), r = arg::any({1, 8, 2}), b = arg::any({1, 16});
  const Arg w2 = arg::any({2, 8, 2}), r2 = arg::any({2, 8, 2}), b2 = arg::any({2, 16});
  const Arg state = arg::any({1, 2, 2}), state2 = arg::any({2, 2, 2});
  s.add({x, w, r});
  s.add({x, w, r, b, lengths({3, 2}), state, state}).outputs = 3;
  s.add({x, w, r, none, lengths({2, 3}), none, state, arg::any({1, 6})}).outputs = 3;
  s.add({x, w, r, b}, {{"direction", "reverse"}, {"hidden_size", 2}}).outputs = 2;
  s.add({x, w2, r2, b2, lengths({1, 3}), state2, state2, arg::any({2, 6})},
        {{"direction", "bidirectional"}})
      .outputs = 3;
  s.add({arg::any({2, 3, 2}), w2, r2, none, lengths({2, 0}), state2, state2},
        {{"direction", "bidirectional"}, {"layout", 1}, {"clip", 3.5}})
      .outputs = 3;
  s.add({x, w, r, b, none, none, none, arg::any({1, 6})}, {{"input_forget", 1}}).outputs = 3;
  s.add({x, w2, r2, b2}, {{"direction", "bidirectional"},
                          {"activations", names({"HardSigmoid", "Softsign", "Affine", "Sigmoid",
                                                 "ScaledTanh", "Softplus"})},
                          {"activation_alpha", std::vector<double>{0.1, 0.4, 0.8}},
                          {"activation_beta", std::vector<double>{0.5, 0.1, 0.6}}});
  s.add({arg::any({0, 2, 2}), w, r, none, none, state, state}).outputs = 3;
  s.add({arg::any({3, 0, 2}), w, r}).outputs = 3;
  s.bad({arg::any({3, 2}), w, r}, {}, "LSTM: X is f32[3, 2]; it takes [steps, batch, input]");
  s.bad({x, arg::any({1, 6, 2}), r}, {}, "it must have shape [1, 8, 2]");
  s.bad({x, w, r, none, none, none, arg::any({2, 2, 2})}, {}, "initial_c is f32[2, 2, 2]");
  s.bad({x, w, r, none, none, none, none, arg::any({1, 4})}, {}, "it must have shape [1, 6]");
  s.bad({x, w, r, none, lengths({4, 3})}, {}, "sequence_lens[0] is 4; X has 3 steps");
  s.bad({x, w, r}, {{"activations", names({"Sigmoid", "Tanh"})}},
        "activations has 2 names; give 3");
}

}  // namespace

constinit const OpDef LSTM{
    .name = "LSTM",
    .doc =
        "One layer of long short-term memory: input, output, forget and cell gates, peepholes if P "
        "is given.",
    .inputs = {{"X", "T"},
               {"W", "T"},
               {"R", "T"},
               optional("B", "T"),
               optional("sequence_lens", "I"),
               optional("initial_h", "T"),
               optional("initial_c", "T"),
               optional("P", "T")},
    .outputs = {optional("Y", "T"), optional("Y_h", "T"), optional("Y_c", "T")},
    .types = {{"T", kFloats}, {"I", types(DType::i32)}},
    .attrs = {attr("activation_alpha", AttrType::floats), attr("activation_beta", AttrType::floats),
              attr("activations", AttrType::strings), attr("clip", AttrType::f),
              attr_s("direction", "forward", "forward|reverse|bidirectional"),
              attr("hidden_size", AttrType::i), attr_i("input_forget", 0), attr_i("layout", 0)},
    .infer = recurrent::infer<recurrent::Cell::lstm>,
    .expand = primitive,
    .grad = {recurrent::grad<recurrent::Cell::lstm>, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 14,
             .older = {{1, recurrent::upgrade_1}, {7, upgrade::as_is}},
             .lower = recurrent::lower},
    .flops = recurrent::flops,
    .samples = samples,
};

}  // namespace tenon::op
