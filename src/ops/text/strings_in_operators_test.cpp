// Operators that move elements move strings as they move numbers: on every backend, what comes out
// for "7" lies where what comes out for 7 does.
#include <gtest/gtest.h>

#include <functional>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/sequence/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {

namespace {

Tensor as_text(const Tensor& numbers) {
  std::vector<std::string> words;
  for (int64_t number : numbers.to_vector<int64_t>())
    words.push_back(number == 0 ? "" : std::to_string(number));
  return Tensor::strings(words, numbers.shape());
}

Tensor numbered(const Shape& shape) { return Tensor::arange(shape.numel()).reshape(shape); }

// One call, written for both types; text(x) is x as it is or as text.
struct Movement {
  const char* name;
  std::function<TensorList(const std::function<Tensor(const Tensor&)>& text)> call;
};

std::vector<Movement> movements() {
  const auto ints = [](std::initializer_list<int64_t> values) { return Tensor::ints(values); };
  return {
      {"Identity",
       [](const auto& text) {
         return TensorList{op::Identity(text(numbered({2, 3})))};
       }},
      {"Reshape",
       [=](const auto& text) {
         return TensorList{op::Reshape(text(numbered({2, 3})), ints({3, -1}))};
       }},
      {"Flatten",
       [](const auto& text) {
         return TensorList{op::Flatten(text(numbered({2, 3, 2})))};
       }},
      {"Squeeze",
       [=](const auto& text) {
         return TensorList{op::Squeeze(text(numbered({2, 1})), ints({1}))};
       }},
      {"Unsqueeze",
       [=](const auto& text) { return TensorList{op::Unsqueeze(text(numbered({2})), ints({0}))}; }},
      {"Transpose",
       [](const auto& text) {
         return TensorList{op::Transpose(text(numbered({2, 3})))};
       }},
      {"ReshapeOfATransposed",
       [=](const auto& text) {
         return TensorList{op::Reshape(op::Transpose(text(numbered({2, 3}))), ints({6}))};
       }},
      {"Concat",
       [](const auto& text) {
         return op::Concat.all({text(numbered({2, 2})), text(numbered({2, 1}))}, {{"axis", 1}});
       }},
      {"Split",
       [=](const auto& text) {
         return op::Split.all({text(numbered({2, 4})), ints({1, 3})}, {{"axis", 1}}, 2);
       }},
      {"Slice",
       [=](const auto& text) {
         return TensorList{op::Slice.all(
             {text(numbered({2, 5})), ints({4}), ints({0}), ints({1}), ints({-2})})[0]};
       }},
      {"Gather",
       [=](const auto& text) {
         return TensorList{op::Gather(text(numbered({2, 3})), ints({2, 0, 2}), {{"axis", 1}})};
       }},
      {"GatherElements",
       [](const auto& text) {
         return TensorList{op::GatherElements(text(numbered({2, 2})),
                                              Tensor::from<int64_t>({1, 0, 1, 1}, {2, 2}))};
       }},
      {"GatherND",
       [](const auto& text) {
         return TensorList{
             op::GatherND(text(numbered({2, 3})), Tensor::from<int64_t>({1, 2, 0, 1}, {2, 2}))};
       }},
      {"Tile",
       [=](const auto& text) {
         return TensorList{op::Tile(text(numbered({2, 2})), ints({2, 3}))};
       }},
      {"Expand",
       [=](const auto& text) {
         return TensorList{op::Expand(text(numbered({2, 1})), ints({2, 3}))};
       }},
      {"Where",
       [](const auto& text) {
         return TensorList{op::Where(Tensor::from<bool>({true, false}, {2, 1}),
                                     text(numbered({2, 3})), text(numbered({3})))};
       }},
      {"Compress",
       [](const auto& text) {
         return TensorList{op::Compress(
             text(numbered({3, 2})), Tensor::from<bool>({true, false, true}, {3}), {{"axis", 0}})};
       }},
      {"ScatterElements",
       [](const auto& text) {
         return TensorList{op::ScatterElements(
             text(numbered({2, 3})),
             Tensor::from<int64_t>({1, 0, 2, 1, 0, 0}, {2, 3}).slice(1, 0, 2).contiguous(),
             text(numbered({2, 2})), {{"axis", 1}})};
       }},
      {"ScatterND",
       [](const auto& text) {
         return TensorList{op::ScatterND(text(numbered({4})), Tensor::from<int64_t>({2, 0}, {2, 1}),
                                         text(numbered({2})))};
       }},
      {"Pad",
       [=](const auto& text) {
         return TensorList{op::Pad(text(numbered({2, 3})), ints({0, 1, 1, 0}))};
       }},
      {"PadReflected",
       [=](const auto& text) {
         return TensorList{op::Pad(text(numbered({3})), ints({2, 1}), {{"mode", "reflect"}})};
       }},
      {"DepthToSpace",
       [](const auto& text) {
         return TensorList{op::DepthToSpace(text(numbered({1, 4, 1, 2})), {{"blocksize", 2}})};
       }},
      {"SpaceToDepth",
       [](const auto& text) {
         return TensorList{op::SpaceToDepth(text(numbered({1, 1, 2, 4})), {{"blocksize", 2}})};
       }},
      {"OneHot",
       [=](const auto& text) {
         return TensorList{op::OneHot(ints({0, 2}), Tensor::ints({3}), text(Tensor::ints({3, 5})))};
       }},
      {"SequenceAt",
       [](const auto& text) {
         return TensorList{op::SequenceAt(
             op::SequenceConstruct.all({text(numbered({2})), text(numbered({3}))})[0],
             Tensor::from<int64_t>({1}, {}))};
       }},
  };
}

TEST(StringsInOperators, MoveAsNumbersDo) {
  for (const Movement& movement : movements()) {
    SCOPED_TRACE(movement.name);
    for (const Backend backend : {Backend::reference, Backend::automatic}) {
      const BackendScope scope(backend);
      try {
        const TensorList numbers = movement.call([](const Tensor& x) { return x; });
        const TensorList words = movement.call(as_text);
        ASSERT_EQ(words.size(), numbers.size());
        for (size_t i = 0; i < words.size(); ++i) {
          EXPECT_EQ(words[i].shape(), numbers[i].shape());
          EXPECT_EQ(words[i].to_vector<std::string>(),
                    as_text(numbers[i]).to_vector<std::string>());
        }
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
}

TEST(StringsInOperators, AreCompared) {
  const Tensor x = Tensor::strings({"a", "", "c"}, {3});
  EXPECT_EQ(op::Equal(x, Tensor::strings({"", "c", "c"}, {3})).to_vector<bool>(),
            (std::vector<bool>{false, false, true}));
  const TensorList unique = op::Unique.all({Tensor::strings({"b", "a", "b"}, {3})}, {}, 4);
  EXPECT_EQ(unique[0].to_vector<std::string>(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(unique[3].to_vector<int64_t>(), (std::vector<int64_t>{1, 2}));
}

}  // namespace

}  // namespace tenon
