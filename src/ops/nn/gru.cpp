// GRU: one layer of gated recurrent units (Cho et al. 2014).
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

using recurrent::lengths;
using recurrent::names;

void samples(Samples& s) {
  const Arg x = arg::any({3, 2, 2}), none = arg::none();
  const Arg w = arg::any({1, 6, 2}), r = arg::any({1, 6, 2}), b = arg::any({1, 12});
  const Arg w2 = arg::any({2, 6, 2}), r2 = arg::any({2, 6, 2}), b2 = arg::any({2, 12});
  s.add({x, w, r});
  s.add({x, w, r, b, lengths({3, 2}), arg::any({1, 2, 2})}).outputs = 2;
  s.add({x, w, r, b, none, arg::any({1, 2, 2})}, {{"linear_before_reset", 1}}).outputs = 2;
  s.add({x, w, r, b}, {{"direction", "reverse"}, {"hidden_size", 2}}).outputs = 2;
  s.add({x, w2, r2, b2, lengths({1, 3}), arg::any({2, 2, 2})},
        {{"direction", "bidirectional"}, {"linear_before_reset", 1}})
      .outputs = 2;
  s.add({arg::any({2, 3, 2}), w2, r2, none, lengths({2, 0}), arg::any({2, 2, 2})},
        {{"direction", "bidirectional"}, {"layout", 1}, {"clip", 3.5}})
      .outputs = 2;
  s.add({x, w2, r2, b2}, {{"direction", "bidirectional"},
                          {"activations", names({"HardSigmoid", "Softsign", "Sigmoid", "Affine"})},
                          {"activation_alpha", std::vector<double>{0.1, 0.4}},
                          {"activation_beta", std::vector<double>{0.5, 0.1}}});
  s.add({arg::any({0, 2, 2}), w, r, none, none, arg::any({1, 2, 2})}).outputs = 2;
  s.add({arg::any({3, 0, 2}), w, r}).outputs = 2;
  s.bad({arg::any({3, 2}), w, r}, {{"layout", 1}},
        "GRU: X is f32[3, 2]; it takes [batch, steps, input] with layout 1");
  s.bad({x, arg::any({1, 4, 2}), r}, {}, "it must have shape [1, 6, 2]");
  s.bad({x, w, arg::any({1, 2, 2})}, {}, "it must have shape [1, 6, 2]");
  s.bad({x, w, r, none, lengths({-1, 3})}, {}, "sequence_lens[0] is -1; X has 3 steps");
  s.bad({x, w, r}, {{"activations", names({"Tanh"})}}, "activations has 1 names; give 2");
}

}  // namespace

constinit const OpDef GRU{
    .name = "GRU",
    .doc = "One layer of gated recurrent units: update, reset and hidden gates.",
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
              attr("hidden_size", AttrType::i), attr_i("linear_before_reset", 0),
              attr_i("layout", 0)},
    .infer = recurrent::infer<recurrent::Cell::gru>,
    .expand = primitive,
    .grad = {recurrent::grad<recurrent::Cell::gru>, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 14,
             .older = {{1, recurrent::upgrade_1}, {3, recurrent::upgrade_1}, {7, upgrade::as_is}},
             .lower = recurrent::lower},
    .flops = recurrent::flops,
    .samples = samples,
};

}  // namespace tenon::op
