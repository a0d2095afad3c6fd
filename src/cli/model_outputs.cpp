// Tensors, sequences, maps and optionals on their way out.
#include "cli/model_outputs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "tensor/npy.h"

namespace tenon::cli {

namespace {

bool same_keys(const Tensor& a, const Tensor& b) {
  if (a.same_as(b)) return true;
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  return a.dtype() == DType::string ? a.to_vector<std::string>() == b.to_vector<std::string>()
                                    : a.to_vector<int64_t>() == b.to_vector<int64_t>();
}

struct Columns {
  Tensor keys, values;  // [count], [rows, count, ...]
};

// The maps of a sequence as one table, when they have the same keys.
std::optional<Columns> columns_of(const Tensor& output) {
  if (output.dtype() != DType::sequence || output.numel() == 0) return std::nullopt;
  const auto maps = output.elements();
  if (maps[0].dtype() != DType::map) return std::nullopt;
  const Tensor &keys = maps[0].elements()[0], &first = maps[0].elements()[1];
  Shape shape = first.shape();
  shape.insert(0, output.numel());
  Columns table{keys, Tensor::empty(shape, first.dtype())};
  for (int64_t row = 0; row < output.numel(); ++row) {
    const auto entries = maps[static_cast<size_t>(row)].elements();
    if (!same_keys(entries[0], keys) || entries[1].shape() != first.shape() ||
        entries[1].dtype() != first.dtype())
      return std::nullopt;
    table.values.select(0, row).copy_from(entries[1]);
  }
  return table;
}

Json element_json(const Tensor& x) {
  if (x.dtype() == DType::string) return *x.data<std::string>();
  if (x.dtype() == DType::boolean) return x.item<bool>();
  if (x.dtype() == DType::u64) return *x.data<uint64_t>();
  if (is_float(x.dtype())) return x.item<double>();
  return x.item<int64_t>();
}

std::string key_text(const Tensor& key) {
  return key.dtype() == DType::string ? *key.data<std::string>()
                                      : std::to_string(key.item<int64_t>());
}

Json json_of(const Tensor& x) {
  if (x.dtype() == DType::optional) return x.numel() == 0 ? Json() : json_of(x.elements()[0]);
  if (x.dtype() == DType::map) {
    const Tensor &keys = x.elements()[0], &values = x.elements()[1];
    Json object = Json::object();
    for (int64_t i = 0; i < keys.numel(); ++i)
      object[key_text(keys.select(0, i))] = json_of(values.select(0, i));
    return object;
  }
  Json list = Json::array();
  if (x.dtype() == DType::sequence) {
    for (const Tensor& element : x.elements()) list.push_back(json_of(element));
    return list;
  }
  if (x.rank() == 0) return element_json(x);
  for (int64_t i = 0; i < x.size(0); ++i) list.push_back(json_of(x.select(0, i)));
  return list;
}

// "f32 [] 0.5" without what is known already.
std::string value_text(const Tensor& value) {
  const std::string text = value.str();
  const std::string head = fmt::format("{} {} ", name(value.dtype()), value.shape().str());
  return value.rank() == 0 && text.starts_with(head) ? text.substr(head.size()) : text;
}

std::string map_text(const Tensor& map) {
  const Tensor &keys = map.elements()[0], &values = map.elements()[1];
  std::string text = "{";
  for (int64_t i = 0; i < keys.numel(); ++i)
    text += fmt::format("{}{}: {}", i ? ", " : "", key_text(keys.select(0, i)),
                        value_text(values.select(0, i)));
  return text + "}";
}

}  // namespace

std::string file_stem(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || c == ':'; }, '_');
  return name;
}

std::string write_output(const std::string& stem, const Tensor& output) {
  if (!is_container(output.dtype())) {
    npy::write_file(stem + ".npy", output.contiguous());
    return stem + ".npy";
  }
  if (const auto table = columns_of(output)) {
    npy::write_file(stem + ".keys.npy", table->keys.contiguous());
    npy::write_file(stem + ".npy", table->values);
    return stem + ".npy";
  }
  write_json(stem + ".json", json_of(output));
  return stem + ".json";
}

std::string output_text(const Tensor& output) {
  if (output.dtype() == DType::map) return map_text(output);
  if (output.dtype() != DType::sequence || output.numel() == 0 ||
      output.elements()[0].dtype() != DType::map)
    return output.str();
  std::string text = fmt::format("{} maps", output.numel());
  for (const Tensor& map : output.elements()) text += "\n  " + map_text(map);
  return text;
}

std::string output_type(const Tensor& output) {
  std::string text(name(output.dtype()));
  if (output.dtype() == DType::map)
    return fmt::format("map of {} to {}", name(output.elements()[0].dtype()),
                       name(output.elements()[1].dtype()));
  if (is_container(output.dtype()) && output.numel() > 0)
    text += " of " + output_type(output.elements()[0]);
  return text;
}

}  // namespace tenon::cli
