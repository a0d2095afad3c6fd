#include "train/layers.h"

#include <array>
#include <cstdint>

#include "base/text.h"
#include "graph/capture.h"
#include "nn/layers.h"
#include "nn/recurrent.h"
#include "ops/shape/catalog.h"

namespace tenon::train {

namespace {

using ModulePtr = std::shared_ptr<nn::Module>;

nn::Size2 size2(const LayerInput& in, std::string_view key, std::vector<int64_t> fallback) {
  const auto sizes = in.get<std::vector<int64_t>>(key, std::move(fallback));
  TENON_CHECK(sizes.size() == 1 || sizes.size() == 2, usage,
              "{} has {} numbers; give one, or [height, width]", key, sizes.size());
  return {sizes.front(), sizes.back()};
}

ModulePtr linear(const LayerInput& in) {
  return std::make_shared<nn::Linear>(in.size(-1), in.get<int64_t>("out"),
                                      in.get<bool>("bias", true));
}

ModulePtr conv2d(const LayerInput& in) {
  in.need_rank(4, "[batch, channels, height, width]");
  const nn::Conv2dOptions options{.stride = size2(in, "stride", {1}),
                                  .padding = size2(in, "padding", {0}),
                                  .dilation = size2(in, "dilation", {1}),
                                  .groups = in.get<int64_t>("groups", 1),
                                  .bias = in.get<bool>("bias", true)};
  return std::make_shared<nn::Conv2d>(in.size(1), in.get<int64_t>("out"), size2(in, "kernel", {3}),
                                      options);
}

ModulePtr batch_norm2d(const LayerInput& in) {
  in.need_rank(4, "[batch, channels, height, width]");
  return std::make_shared<nn::BatchNorm2d>(in.size(1), in.get<double>("eps", 1e-5),
                                           in.get<double>("momentum", 0.1));
}

ModulePtr layer_norm(const LayerInput& in) {
  const auto axes = in.get<int64_t>("axes", 1);
  const auto rank = static_cast<int64_t>(in.dims.size());
  TENON_CHECK(axes >= 1 && axes < rank, usage,
              "axes is {}; use 1 to {}, the number of last axes to normalise", axes, rank - 1);
  Shape shape;
  for (int64_t axis = rank - axes; axis < rank; ++axis) shape.push_back(in.size(axis));
  return std::make_shared<nn::LayerNorm>(shape, in.get<double>("eps", 1e-5));
}

template <class Pool>
ModulePtr pool2d(const LayerInput& in) {
  in.need_rank(4, "[batch, channels, height, width]");
  TENON_CHECK(in.has("kernel"), usage, "kernel is missing; write `{}: 2`", in.layer);
  const nn::Size2 kernel = size2(in, "kernel", {});
  return std::make_shared<Pool>(kernel, size2(in, "stride", {kernel.height, kernel.width}),
                                size2(in, "padding", {0}));
}

ModulePtr dropout(const LayerInput& in) {
  return std::make_shared<nn::Dropout>(in.get<double>("p", 0.5));
}
ModulePtr embedding(const LayerInput& in) {
  return std::make_shared<nn::Embedding>(in.get<int64_t>("count"), in.get<int64_t>("width"));
}
ModulePtr flatten(const LayerInput&) { return std::make_shared<nn::Flatten>(); }
ModulePtr global_avg_pool2d(const LayerInput&) { return std::make_shared<nn::GlobalAvgPool2d>(); }

ModulePtr activation(std::string_view op, Attrs attrs = {}) {
  return std::make_shared<nn::Activation>(op, std::move(attrs));
}
ModulePtr relu(const LayerInput&) { return activation("Relu"); }
ModulePtr sigmoid(const LayerInput&) { return activation("Sigmoid"); }
ModulePtr tanh(const LayerInput&) { return activation("Tanh"); }
ModulePtr gelu(const LayerInput& in) {
  return activation("Gelu", {{"approximate", in.get<std::string>("approximate", "none")}});
}
ModulePtr hard_swish(const LayerInput&) { return activation("HardSwish"); }
ModulePtr leaky_relu(const LayerInput& in) {
  return activation("LeakyRelu", {{"alpha", in.get<double>("alpha", 0.01)}});
}
ModulePtr elu(const LayerInput& in) {
  return activation("Elu", {{"alpha", in.get<double>("alpha", 1.0)}});
}
ModulePtr softmax(const LayerInput& in) {
  return activation("Softmax", {{"axis", in.get<int64_t>("axis", -1)}});
}
ModulePtr log_softmax(const LayerInput& in) {
  return activation("LogSoftmax", {{"axis", in.get<int64_t>("axis", -1)}});
}

// The states of all steps [batch, steps, states], or those of the last one alone [batch, states].
class Steps final : public nn::Module {
 public:
  Steps(std::shared_ptr<nn::Recurrent> inner, bool last) : inner_(*inner), last_(last) {
    add("inner", std::move(inner));
  }
  Tensor forward(const Tensor& x) override {
    const nn::Recurrent::Result result = inner_.run(x);
    if (!last_) return result.output;
    const int64_t directions = inner_.options().bidirectional ? 2 : 1;
    const Tensor h = op::Slice(result.h, Tensor::ints({-directions}), Tensor::ints({INT64_MAX}),
                               Tensor::ints({0}));
    return op::Reshape(op::Transpose(h, {{"perm", {1, 0, 2}}}),
                       Tensor::ints({0, directions * inner_.hidden_size()}));
  }
  std::string describe() const override {
    return inner_.describe() + (last_ ? ", last state" : "");
  }

 private:
  nn::Recurrent& inner_;
  bool last_;
};

template <class Cell>
ModulePtr recurrent(const LayerInput& in) {
  in.need_rank(3, "[batch, steps, features]");
  const nn::RecurrentOptions options{.num_layers = in.get<int64_t>("layers", 1),
                                     .batch_first = true,
                                     .dropout = in.get<double>("dropout", 0),
                                     .bidirectional = in.get<bool>("bidirectional", false)};
  return std::make_shared<Steps>(
      std::make_shared<Cell>(in.size(-1), in.get<int64_t>("hidden"), options),
      in.get<bool>("last", false));
}

ModulePtr make_layers(const Config& list, DType type, Dims dims);

// x + f(x)
class Residual final : public nn::Module {
 public:
  explicit Residual(ModulePtr inner) : inner_(*inner) { add("inner", std::move(inner)); }
  Tensor forward(const Tensor& x) override { return x + inner_(x); }
  std::string describe() const override { return "Residual"; }

 private:
  nn::Module& inner_;
};
ModulePtr residual(const LayerInput& in) {
  TENON_CHECK(in.config.is_list(), usage, "takes a list of layers; indent them below it");
  return std::make_shared<Residual>(make_layers(in.config, in.type, in.dims));
}

constexpr std::array kOut{LayerKey{"out", "outputs"}, LayerKey{"bias", "adds a bias (true)"}};
constexpr std::array kConv{LayerKey{"out", "output channels"},
                           LayerKey{"kernel", "size, or [height, width] (3)"},
                           LayerKey{"stride", "(1)"},
                           LayerKey{"padding", "zeros at each side (0)"},
                           LayerKey{"dilation", "(1)"},
                           LayerKey{"groups", "(1)"},
                           LayerKey{"bias", "adds a bias (true)"}};
constexpr std::array kPool{LayerKey{"kernel", "size, or [height, width]"},
                           LayerKey{"stride", "(the kernel)"}, LayerKey{"padding", "(0)"}};
constexpr std::array kNorm{LayerKey{"momentum", "of the running statistics (0.1)"},
                           LayerKey{"eps", "(1e-5)"}};
constexpr std::array kLayerNorm{LayerKey{"axes", "how many last axes (1)"},
                                LayerKey{"eps", "(1e-5)"}};
constexpr std::array kDropout{LayerKey{"p", "probability of a zero (0.5)"}};
constexpr std::array kEmbedding{LayerKey{"count", "rows"}, LayerKey{"width", "numbers a row"}};
constexpr std::array kAlpha{LayerKey{"alpha", "of negative inputs (leaky_relu 0.01, elu 1)"}};
constexpr std::array kAxis{LayerKey{"axis", "(-1)"}};
constexpr std::array kGelu{LayerKey{"approximate", "none or tanh (none)"}};
constexpr std::array kRecurrent{
    LayerKey{"hidden", "numbers a state"}, LayerKey{"layers", "one on the other (1)"},
    LayerKey{"bidirectional", "reads both ways (false)"}, LayerKey{"dropout", "between layers (0)"},
    LayerKey{"last", "the last state alone (false)"}};
constexpr std::array kLayers{LayerKey{"layers", "the list of layers"}};

constexpr std::array kAll{
    LayerDef{"avg_pool2d", "the mean of each window", "kernel", kPool, pool2d<nn::AvgPool2d>},
    LayerDef{"batch_norm2d", "normalises each channel over the batch", "momentum", kNorm,
             batch_norm2d},
    LayerDef{"conv2d", "convolution over height and width", "out", kConv, conv2d},
    LayerDef{"dropout", "zeroes elements while training", "p", kDropout, dropout},
    LayerDef{"elu", "exponential linear unit", "alpha", kAlpha, elu},
    LayerDef{"embedding", "rows of a table by number", "", kEmbedding, embedding},
    LayerDef{"flatten", "all axes but the batch into one", "", {}, flatten},
    LayerDef{"gelu", "Gaussian error linear unit", "approximate", kGelu, gelu},
    LayerDef{"global_avg_pool2d", "the mean of each channel", "", {}, global_avg_pool2d},
    LayerDef{"gru", "gated recurrent units over steps", "hidden", kRecurrent, recurrent<nn::GRU>},
    LayerDef{"hard_swish", "x * clip(x/6 + 1/2, 0, 1)", "", {}, hard_swish},
    LayerDef{"layer_norm", "normalises each item over its last axes", "axes", kLayerNorm,
             layer_norm},
    LayerDef{"leaky_relu", "max(x, alpha x)", "alpha", kAlpha, leaky_relu},
    LayerDef{"linear", "x W^T + b over the last axis", "out", kOut, linear},
    LayerDef{"log_softmax", "the logarithm of softmax", "axis", kAxis, log_softmax},
    LayerDef{"lstm", "long short-term memory over steps", "hidden", kRecurrent,
             recurrent<nn::LSTM>},
    LayerDef{"max_pool2d", "the greatest of each window", "kernel", kPool, pool2d<nn::MaxPool2d>},
    LayerDef{"relu", "max(x, 0)", "", {}, relu},
    LayerDef{"residual", "x + layers(x)", "layers", kLayers, residual},
    LayerDef{"rnn", "a plain recurrent layer over steps", "hidden", kRecurrent, recurrent<nn::RNN>},
    LayerDef{"sigmoid", "1 / (1 + exp(-x))", "", {}, sigmoid},
    LayerDef{"softmax", "exponentials that add up to 1", "axis", kAxis, softmax},
    LayerDef{"tanh", "hyperbolic tangent", "", {}, tanh},
};

const LayerDef& find_layer(const std::string& name, const Config& at) {
  std::vector<std::string_view> names;
  for (const LayerDef& def : kAll) {
    if (def.name == name) return def;
    names.push_back(def.name);
  }
  const std::string near = text::did_you_mean(name, names);
  at.fail(fmt::format(
      "no layer is called '{}'; {}", name,
      near.empty() ? "the layers are " + text::join(names, ", ") : "did you mean '" + near + "'?"));
}

// `- relu`, or `- conv2d: {out: 32}`.
ModulePtr make_layer(const Config& item, DType type, const Dims& dims, std::string& name) {
  Config settings;
  if (item.is_scalar()) {
    name = item.as<std::string>();
  } else {
    const std::vector<std::string> keys = item.is_map() ? item.keys() : std::vector<std::string>{};
    if (keys.size() != 1)
      item.fail(
          fmt::format("a layer is a name, or one name with its settings, not {}; write `- relu` or "
                      "`- conv2d: {{out: 32, kernel: 3}}`",
                      keys.empty() ? "a list" : "the keys " + text::join(keys, ", ")));
    name = keys[0];
    settings = item.section(name);
  }
  const LayerDef& def = find_layer(name, item);
  if (settings && !settings.is_map() && def.main.empty())
    settings.fail(def.keys.empty() ? fmt::format("{} takes no settings; write `- {}`", name, name)
                                   : fmt::format("{} takes a map of settings", name));
  return def.make({settings, item, type, dims, def.name, def.main});
}

ModulePtr make_layers(const Config& list, DType type, Dims dims) {
  auto model = std::make_shared<nn::Sequential>();
  const auto recorder = graph::Recorder::create("model");
  Tensor x = recorder->input("x", type, dims);
  for (const Config& item : list.items()) {
    std::string name = "layer";
    try {
      ModulePtr layer = make_layer(item, type, x.dims(), name);
      layer->eval();
      x = layer->forward(x);
      layer->train();
      model->push_back(std::move(layer));
    } catch (const Error& error) {
      // Errors of the recipe say where already; those of a layer do not.
      if (error.kind() == ErrorKind::data) throw;
      item.fail(fmt::format("{} on {}: {}", name, str(x.dims()), error.message()));
    }
    type = x.dtype();
  }
  return model;
}

}  // namespace

int64_t LayerInput::size(int64_t axis) const {
  const auto rank = static_cast<int64_t>(dims.size());
  const int64_t place = axis < 0 ? axis + rank : axis;
  TENON_CHECK(place > 0 && place < rank && dims[static_cast<size_t>(place)].is_const(), usage,
              "axis {} of its input {} is no fixed size; put it behind layers that give it one",
              axis, str(dims));
  return dims[static_cast<size_t>(place)].value();
}

void LayerInput::need_rank(size_t rank, std::string_view form) const {
  TENON_CHECK(dims.size() == rank, usage, "its input has {} axes; it takes {}", dims.size(), form);
}

void LayerInput::fail_missing(std::string_view key) const {
  const std::string hint =
      key == main ? fmt::format("{}: 32", layer) : fmt::format("{}: {{{}: 32}}", layer, key);
  (config ? config : at).fail(fmt::format("{} needs {}; write `- {}`", layer, key, hint));
}

std::span<const LayerDef> layers() { return kAll; }

std::shared_ptr<nn::Module> make_model(const Config& config, DType type, const Dims& input,
                                       const ModelFactories& models) {
  if (config.is_list()) {
    if (config.size() == 0) config.fail("the model has no layers; list some, as in `- linear: 10`");
    return make_layers(config, type, input);
  }
  if (!config.is_map())
    config.fail("the model is neither a list of layers nor a map with `class`; see docs/train.md");
  const auto name = config.get<std::string>("class");
  const auto found = models.find(name);
  if (found == models.end()) {
    std::vector<std::string> names;
    for (const auto& [known, factory] : models) names.push_back(known);
    config.at("class").fail(
        names.empty()
            ? fmt::format("no class is called '{}': this program gives none; write the model as a "
                          "list of layers",
                          name)
            : fmt::format("no class is called '{}'{}", name, text::suggestion(name, names)));
  }
  return found->second(config, input);
}

}  // namespace tenon::train
