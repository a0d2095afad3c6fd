// DictVectorizer: the values of a map in the order of a vocabulary.
#include <algorithm>

#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/maps.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

constexpr TypeSet kValues = types(DType::i64, DType::f32, DType::f64, DType::string);

void infer(InferContext& ctx) {
  const auto words = ctx.strings("string_vocabulary");
  const auto numbers = ctx.ints("int64_vocabulary");
  ctx.check(words.empty() != numbers.empty(),
            "{} string_vocabulary and int64_vocabulary given; give one of them",
            words.empty() ? "none of" : "both");
  const DType keys = maps::key_type(ctx.input(0)), values = maps::value_type(ctx.input(0));
  ctx.check(keys == DType::undefined || keys == (words.empty() ? DType::i64 : DType::string),
            "the keys of X are {}; that needs {}", name(keys),
            keys == DType::string ? "string_vocabulary" : "int64_vocabulary");
  ctx.check(values == DType::undefined || kValues.has(values),
            "the values of X are {}; it takes {}", name(values), kValues.str());
  const size_t count = std::max(words.size(), numbers.size());
  ctx.output(0, {1, static_cast<int64_t>(count)}, values);
}

// Where `key` is among the keys, or -1.
template <class T>
int64_t place(const std::vector<T>& keys, const T& key) {
  const auto found = std::ranges::find(keys, key);
  return found == keys.end() ? -1 : found - keys.begin();
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor keys = ctx.input(0).elements()[0], values = ctx.input(0).elements()[1];
  std::vector<int64_t> places;
  if (keys.dtype() == DType::string) {
    const auto known = keys.to_vector<std::string>();
    for (const std::string& word : ctx.strings("string_vocabulary"))
      places.push_back(place(known, word));
  } else {
    const auto known = keys.to_vector<int64_t>();
    for (int64_t number : ctx.ints("int64_vocabulary")) places.push_back(place(known, number));
  }
  Tensor y = Tensor::zeros({1, static_cast<int64_t>(places.size())}, values.dtype());
  for (size_t i = 0; i < places.size(); ++i)
    if (places[i] >= 0) y.select(1, static_cast<int64_t>(i)).copy_from(values.select(0, places[i]));
  return {y};
}

void samples(Samples& s) {
  const Tensor words = Tensor::strings({"a", "c"}, {2}), numbers = Tensor::ints({7, 3});
  const Attr word_list("string_vocabulary",
                       AttrValue(std::vector<std::string>{"a", "c", "b", "z"}));
  const Attr number_list("int64_vocabulary", {1, 3, 5, 7});
  const auto map = [](const Tensor& keys, const Tensor& values) {
    return arg::fixed(Tensor::map(keys, values));
  };
  s.add({map(words, Tensor::from<float>({4, 8}, {2}))}, {word_list});
  s.add({map(words, Tensor::ints({4, 8}))}, {word_list});
  s.add({map(words, Tensor::from<double>({4, 8}, {2}))}, {word_list});
  s.add({map(numbers, Tensor::from<float>({4, 8}, {2}))}, {number_list});
  s.add({map(numbers, Tensor::strings({"x", "y"}, {2}))}, {number_list});
  s.bad({map(numbers, Tensor::ints({4, 8}))}, {word_list},
        "the keys of X are i64; that needs int64_vocabulary");
  s.bad({map(words, Tensor::zeros({2}, DType::i8))}, {word_list}, "the values of X are i8");
  s.bad({map(words, numbers)}, {word_list, number_list}, "both string_vocabulary");
  s.bad({map(words, numbers)}, {}, "none of string_vocabulary and int64_vocabulary");
  s.bad({arg::typed({2}, DType::f32)}, {word_list}, "it takes map");
}

}  // namespace

constinit const OpDef DictVectorizer{
    .name = "DictVectorizer",
    .doc = "The values of a map in the order of a vocabulary of its keys; zero where it has none.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", types(DType::map)}, {"T2", kValues}},
    .attrs = {attr("int64_vocabulary", AttrType::ints),
              attr("string_vocabulary", AttrType::strings)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("maps come from outside"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
