// GRUGrad: the gradients of GRU's inputs.
#include "ops/nn/catalog.h"
#include "ops/nn/recurrent.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  const Arg none = arg::none(), w = arg::any({1, 6, 2}), w2 = arg::any({2, 6, 2});
  const Arg x = arg::any({2, 1, 2}), y = arg::any({2, 1, 1, 2});
  const Arg lens = arg::fixed(Tensor::from<int32_t>({2, 1}, {2}));
  s.add({x, w, w, arg::any({1, 12}), none, none, y, y}).outputs = 5;
  s.add({x, w, w, none, none, none, y, none, arg::any({1, 1, 2})}, {{"linear_before_reset", 1}})
      .outputs = 5;
  s.add({arg::any({2, 2, 1}), arg::any({2, 6, 1}), w2, arg::any({2, 12}), lens, arg::any({2, 2, 2}),
         arg::any({2, 2, 2, 2}), arg::any({2, 2, 2, 2})},
        {{"direction", "bidirectional"}})
      .outputs = 3;
  s.add({arg::any({0, 1, 2}), w, w, none, none, none, arg::any({0, 1, 1, 2}), none,
         arg::any({1, 1, 2})})
      .outputs = 5;
  s.bad({x, w, w, none, none, none, arg::any({2, 1, 2})}, {}, "GRUGrad: Y is f32[2, 1, 2]");
  s.bad({x, w, w, none, none, none, y, none, arg::any({1, 2})}, {}, "dY_h is f32[1, 2]");
}

}  // namespace

constinit const OpDef GRUGrad{
    .name = "GRUGrad",
    .doc = "The gradients of GRU's inputs from those, Y and what flowed into the outputs.",
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
              attr("hidden_size", AttrType::i), attr_i("linear_before_reset", 0),
              attr_i("layout", 0)},
    .infer = recurrent::infer_grad<recurrent::Cell::gru>,
    .expand = recurrent::expand_grad<recurrent::Cell::gru>,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
