// The layers that recipes name: one table of builders, which see the shape that reaches them.
#pragma once

#include <functional>
#include <map>
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
  Config at;      // the layer itself, for messages
  DType type = DType::f32;
  Dims dims;  // with the batch axis
  std::string_view layer;
  std::string_view main;  // LayerDef::main

  // A setting: of the map, or the bare value when the key is the layer's main one.
  template <class T>
  T get(std::string_view key, T fallback) const {
    if (config.is_map()) return config.get<T>(key, std::move(fallback));
    return config && key == main ? config.as<T>() : std::move(fallback);
  }
  // Fails (data) when it is missing.
  template <class T>
  T get(std::string_view key) const {
    if (!has(key)) fail_missing(key);
    return get<T>(key, T{});
  }
  bool has(std::string_view key) const {
    return config.is_map() ? config.has(key) : config && key == main;
  }
  // The constant size of an axis; fails (usage) where the input has none such.
  int64_t size(int64_t axis) const;
  void need_rank(size_t rank, std::string_view form) const;

 private:
  [[noreturn]] void fail_missing(std::string_view key) const;
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
using ModelFactory =
    std::function<std::shared_ptr<nn::Module>(const Config& config, const Dims& input)>;
using ModelFactories = std::map<std::string, ModelFactory, std::less<>>;

// The model of a recipe: a list of layers or a map with `class`. Fails (data) with file and line.
std::shared_ptr<nn::Module> make_model(const Config& config, DType type, const Dims& input,
                                       const ModelFactories& models = {});

}  // namespace tenon::train
