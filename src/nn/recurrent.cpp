// Recurrent layers: parameters in PyTorch's order, calls in ONNX's.
#include "nn/recurrent.h"

#include <algorithm>
#include <cmath>

#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::nn {

namespace {

Tensor concat(const TensorList& parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : op::Concat.all(parts, {{"axis", axis}})[0];
}
// [first, first + count) of axis 0.
Tensor rows(const Tensor& x, int64_t first, int64_t count) {
  return op::Slice(x, Tensor::ints({first}), Tensor::ints({first + count}), Tensor::ints({0}));
}
Tensor swap_leading(const Tensor& x) { return op::Transpose(x, {{"perm", {1, 0, 2}}}); }

std::string activation_of(const std::string& nonlinearity) {
  if (nonlinearity == "tanh") return "Tanh";
  TENON_CHECK(nonlinearity == "relu", usage, "RNN: nonlinearity '{}'; use tanh or relu",
              nonlinearity);
  return "Relu";
}

}  // namespace

Recurrent::Recurrent(Cell cell, int64_t input, int64_t hidden, const RecurrentOptions& options)
    : cell_(std::move(cell)), input_(input), hidden_(hidden), options_(options) {
  TENON_CHECK(input > 0 && hidden > 0 && options.num_layers > 0, usage,
              "{}: {} inputs, {} hidden, {} layers; all must be positive", cell_.name, input,
              hidden, options.num_layers);
  TENON_CHECK(options.dropout >= 0 && options.dropout < 1, usage,
              "{}: dropout {}; use 0 up to, but not, 1", cell_.name, options.dropout);
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const int64_t columns = static_cast<int64_t>(cell_.gates.size()) * hidden;
  for (int64_t layer = 0; layer < options.num_layers; ++layer)
    for (int64_t d = 0; d < directions(); ++d) {
      const int64_t from = layer == 0 ? input : hidden * directions();
      const std::string suffix = fmt::format("_l{}{}", layer, d == 1 ? "_reverse" : "");
      const auto made = [&](const char* name, const Shape& shape) {
        return parameter(name + suffix, rand(shape, -bound, bound));
      };
      Weights w{made("weight_ih", {columns, from}), made("weight_hh", {columns, hidden}), {}, {}};
      if (options.bias) {
        w.bias_ih = made("bias_ih", {columns});
        w.bias_hh = made("bias_hh", {columns});
      }
      weights_.push_back(std::move(w));
    }
}

Tensor Recurrent::reordered(const Tensor& weights) const {
  if (std::ranges::is_sorted(cell_.gates)) return weights;
  TensorList parts;
  for (int64_t gate : cell_.gates) parts.push_back(rows(weights, gate * hidden_, hidden_));
  return concat(parts, 0);
}

TensorList Recurrent::call_layer(int64_t layer, const Tensor& x, const Tensor& lengths,
                                 const Tensor& h0, const Tensor& c0) const {
  TensorList w, r, b;
  for (int64_t d = 0; d < directions(); ++d) {
    const Weights& own = weights_[static_cast<size_t>(layer * directions() + d)];
    const auto add = [&](TensorList& list, const Tensor& tensor) {
      list.push_back(op::Unsqueeze(tensor, Tensor::ints({0})));
    };
    add(w, reordered(own.ih));
    add(r, reordered(own.hh));
    if (own.bias_ih) add(b, concat({reordered(own.bias_ih), reordered(own.bias_hh)}, 0));
  }
  const auto state = [&](const Tensor& all) {
    return all ? rows(all, layer * directions(), directions()) : Tensor();
  };
  TensorList inputs{x,       concat(w, 0), concat(r, 0), b.empty() ? Tensor() : concat(b, 0),
                    lengths, state(h0)};
  if (cell_.op == &op::LSTM) inputs.push_back(state(c0));
  const Attrs attrs =
      cell_.attrs.with({"hidden_size", hidden_})
          .with({"direction", options_.bidirectional ? "bidirectional" : "forward"});
  return cell_.op->all(inputs, attrs, cell_.op == &op::LSTM ? 3 : 2);
}

Recurrent::Result Recurrent::run(const Tensor& x, const Tensor& h0, const Tensor& c0,
                                 const Tensor& lengths) {
  TENON_CHECK(x.rank() == 3, usage, "{}: x has shape {}; it takes {}", cell_.name, str(x.dims()),
              options_.batch_first ? "[batch, steps, features]" : "[steps, batch, features]");
  TENON_CHECK(!c0 || cell_.op == &op::LSTM, usage, "{}: it has no cell state; leave c0 out",
              cell_.name);
  Tensor y = options_.batch_first ? swap_leading(x) : x;
  TensorList h, c;
  for (int64_t layer = 0; layer < options_.num_layers; ++layer) {
    if (layer > 0 && training() && options_.dropout > 0)
      y = op::Dropout(y, Tensor::scalar(options_.dropout), Tensor::from<bool>({true}, Shape{}));
    const TensorList outputs = call_layer(layer, y, lengths, h0, c0);
    // [steps, directions, batch, hidden]
    y = directions() == 1 ? op::Squeeze(outputs[0], Tensor::ints({1}))
                          : op::Reshape(op::Transpose(outputs[0], {{"perm", {0, 2, 1, 3}}}),
                                        Tensor::ints({0, 0, 2 * hidden_}));
    h.push_back(outputs[1]);
    if (outputs.size() > 2) c.push_back(outputs[2]);
  }
  return {options_.batch_first ? swap_leading(y) : y, concat(h, 0),
          c.empty() ? Tensor() : concat(c, 0)};
}

std::string Recurrent::describe() const {
  return fmt::format("{}({}, {}{}{})", cell_.name, input_, hidden_,
                     options_.num_layers > 1 ? fmt::format(", {} layers", options_.num_layers) : "",
                     options_.bidirectional ? ", bidirectional" : "");
}

RNN::RNN(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options,
         const std::string& nonlinearity)
    : Recurrent({"RNN",
                 &op::RNN,
                 {0},
                 {{"activations", std::vector<std::string>(options.bidirectional ? 2 : 1,
                                                           activation_of(nonlinearity))}}},
                input_size, hidden_size, options) {}

// PyTorch: r, z, n. ONNX: z, r, h.
GRU::GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options)
    : Recurrent({"GRU", &op::GRU, {1, 0, 2}, {{"linear_before_reset", 1}}}, input_size, hidden_size,
                options) {}

// PyTorch: i, f, g, o. ONNX: i, o, f, c.
LSTM::LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options)
    : Recurrent({"LSTM", &op::LSTM, {0, 3, 1, 2}, {}}, input_size, hidden_size, options) {}

}  // namespace tenon::nn
