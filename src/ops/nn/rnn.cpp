// RNN: one layer of a recurrent network, H_t = f(W X_t + R H_{t-1} + B).
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

using recurrent::lengths;
using recurrent::names;

void samples(Samples& s) {
  const Arg x = arg::any({3, 2, 2}), none = arg::none();
  const Arg w = arg::any({1, 3, 2}), r = arg::any({1, 3, 3}), b = arg::any({1, 6});
  const Arg w2 = arg::any({2, 3, 2}), r2 = arg::any({2, 3, 3}), b2 = arg::any({2, 6});
  s.add({x, w, r});
  s.add({x, w, r, b, lengths({3, 2}), arg::any({1, 2, 3})}).outputs = 2;
  s.add({x, w, r, b}, {{"direction", "reverse"}, {"hidden_size", 3}}).outputs = 2;
  s.add({x, w2, r2, b2, lengths({1, 3}), arg::any({2, 2, 3})}, {{"direction", "bidirectional"}})
      .outputs = 2;
  s.add({arg::any({2, 3, 2}), w2, r2, none, lengths({2, 0}), arg::any({2, 2, 3})},
        {{"direction", "bidirectional"},
         {"layout", 1},
         {"activations", names({"Sigmoid", "ScaledTanh"})},
         {"activation_alpha", std::vector<double>{0.7}},
         {"activation_beta", std::vector<double>{1.3}}})
      .outputs = 2;
  s.add({x, w, r}, {{"activations", names({"Relu"})}, {"clip", 2.5}});
  s.add({x, w, r}, {{"activations", names({"Affine"})},
                    {"activation_alpha", std::vector<double>{0.5}},
                    {"activation_beta", std::vector<double>{0.1}}});
  s.add({x, w2, r2}, {{"direction", "bidirectional"},
                      {"activations", names({"LeakyRelu", "HardSigmoid"})},
                      {"activation_alpha", std::vector<double>{0.2, 0.15}}});
  s.add({x, w2, r2}, {{"direction", "bidirectional"}, {"activations", names({"Elu", "softsign"})}});
  s.add({x, w2, r2}, {{"direction", "bidirectional"},
                      {"activations", names({"Softplus", "ThresholdedRelu"})},
                      {"activation_alpha", std::vector<double>{0.3}},
                      {"clip", 3.0}});
  s.add({arg::any({0, 2, 2}), w, r, none, none, arg::any({1, 2, 3})}).outputs = 2;
  s.add({arg::any({3, 0, 2}), w, r}).outputs = 2;
  s.bad({arg::any({3, 2}), w, r}, {}, "RNN: X is f32[3, 2]; it takes [steps, batch, input]");
  s.bad({x, arg::any({1, 3}), r}, {}, "W is f32[1, 3]; it takes [directions, 1 * hidden, input]");
  s.bad({x, arg::any({1, 3, 4}), r}, {}, "it must have shape [1, 3, 2]");
  s.bad({x, w, r2}, {{"direction", "bidirectional"}}, "it must have shape [2, 3, 2]");
  s.bad({x, w, r, arg::any({1, 3})}, {}, "it must have shape [1, 6]");
  s.bad({x, w, r, none, lengths({3, 3, 3})}, {}, "it must have shape [2]");
  s.bad({x, w, r, none, lengths({3, 4})}, {}, "sequence_lens[1] is 4; X has 3 steps");
  s.bad({x, w, r, none, none, arg::any({2, 3})}, {}, "it must have shape [1, 2, 3]");
  s.bad({x, w, r}, {{"hidden_size", 4}}, "hidden_size is 4, but R is f32[1, 3, 3]");
  s.bad({x, w, r}, {{"direction", "both"}}, "use one of forward, reverse");
  s.bad({x, w, r}, {{"layout", 2}}, "layout is 2; use 0");
  s.bad({x, w, r}, {{"clip", -1.0}}, "clip is -1; it is a bound");
  s.bad({x, w, r}, {{"activations", names({"Tanh", "Tanh"})}}, "activations has 2 names; give 1");
  s.bad({x, w, r}, {{"activations", names({"Tahn"})}}, "did you mean 'Tanh'?");
}

}  // namespace

constinit const OpDef RNN{
    .name = "RNN",
    .doc =
        "One layer of a recurrent network: H_t = f(W X_t + R H_{t-1} + Wb + Rb), f being tanh "
        "unless given.",
    .inputs = {{"X", "T"},
               {"W", "T"},
               {"R", "T"},
               optional("B", "T"),
               optional("sequence_lens", "I"),
               optional("initial_h", "T")},
    .outputs = {optional("Y", "T"), optional("Y_h", "T")},
    .types = {{"T", kFloats}, {"I", types(DType::i32)}},
    .attrs = {attr("activation_alpha", AttrType::floats), attr("activation_beta", AttrType::floats),
              attr("activations", AttrType::strings), attr("clip", AttrType::f),
              attr_s("direction", "forward", "forward|reverse|bidirectional"),
              attr("hidden_size", AttrType::i), attr_i("layout", 0)},
    .infer = recurrent::infer<recurrent::Cell::rnn>,
    .expand = primitive,
    .grad = {recurrent::grad<recurrent::Cell::rnn>, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 14,
             .older = {{1, recurrent::upgrade_1}, {7, upgrade::as_is}},
             .lower = recurrent::lower},
    .flops = recurrent::flops,
    .samples = samples,
};

}  // namespace tenon::op
