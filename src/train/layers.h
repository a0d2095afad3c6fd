// The layers that recipes name: one table of builders, which see the shape that reaches them.
#pragma once

#include <map>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "base/yaml.h"
#include "nn/module.h"
#include "tensor/dim.h"
#include "tensor/dtype.h"

namespace tenon::train {

struct LayerKey {
  std::string_view name;
  std::string_view doc;
};

// What a builder sees: the layer's settings, and what comes in.
struct LayerInput {
  Config config;  // a map, a bare value for `main`, or absent
  Dims dims;      // with the batch axis
  std::string_view layer;

  // A setting: of the map, or the bare value when the key is the layer's main one.
  template <class T>
  T get(std::string_view key, T fallback) const;
  template <class T>
  T get(std::string_view key) const;  // fails (data) when it is missing
  // The constant size of an axis; fails (data) with the layer's place where the input has none such.
  int64_t size(size_t axis) const;
  void need_rank(size_t rank) const;
  std::string_view main;
};

struct LayerDef {
  std::string_view name;
  std::string_view doc;
  std::string_view main;  // the key that a bare value stands for: `- linear: 128`
  std::span<const LayerKey> keys;
  std::shared_ptr<nn::Module> (*make)(const LayerInput& in);
};

// All of them, by name.
std::span<const LayerDef> layers();

// Models that a program gives by name, for `model: {class: Name, ...}`; `config` is that map.
using ModelFactory = std::function<std::shared_ptr<nn::Module>(const Config& config, const Dims& input)>;
using ModelFactories = std::map<std::string, ModelFactory, std::less<>>;

// The model of a recipe: a list of layers or a map with `class`. Fails (data) with file and line.
std::shared_ptr<nn::Module> make_model(const Config& config, DType type, const Dims& input,
                                       const ModelFactories& models = {});

}  // namespace tenon::train
