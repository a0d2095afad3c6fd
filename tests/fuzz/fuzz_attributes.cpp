// Attributes of any value for every operator of ONNX: a model of one node is imported, inferred and
// run on small inputs, or refused with an Error that is no bug.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "formats/onnx/import.h"
#include "ops/catalog.h"
#include "small_run.h"

namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

// Reads the fuzzer's bytes one after the other; zeros behind their end.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t next = left_.front();
    left_ = left_.subspan(1);
    return next;
  }
  std::size_t below(std::size_t count) { return (byte() | byte() << 8) % count; }
  template <class T>
  T raw() {
    T value{};
    std::array<std::uint8_t, sizeof(T)> bytes{};
    for (std::uint8_t& one : bytes) one = byte();
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::uint8_t> left_;
};

std::int64_t any_integer(Choices& choices) {
  using Limits = std::numeric_limits<std::int64_t>;
  constexpr std::array<std::int64_t, 16> kUsual{0,
                                                1,
                                                2,
                                                3,
                                                4,
                                                -1,
                                                -2,
                                                -3,
                                                7,
                                                100,
                                                std::int64_t{1} << 31,
                                                std::int64_t{1} << 40,
                                                -65536,
                                                Limits::max(),
                                                Limits::min(),
                                                Limits::min() + 1};
  const std::size_t choice = choices.below(kUsual.size() + 1);
  return choice < kUsual.size() ? kUsual[choice] : choices.raw<std::int64_t>();
}

float any_float(Choices& choices) {
  using Limits = std::numeric_limits<float>;
  constexpr std::array<float, 10> kUsual{
      0, 1, -1, 0.5F, 2, 1e-30F, 1e30F, Limits::infinity(), -0.F, Limits::quiet_NaN()};
  const std::size_t choice = choices.below(kUsual.size() + 1);
  return choice < kUsual.size() ? kUsual[choice] : choices.raw<float>();
}

// One of the words that the operator knows, or any.
std::string any_string(Choices& choices, std::string_view known) {
  std::vector<std::string> words{"", "linear"};
  while (!known.empty()) {
    const std::size_t cut = std::min(known.find('|'), known.size());
    words.emplace_back(known.substr(0, cut));
    known.remove_prefix(std::min(cut + 1, known.size()));
  }
  const std::size_t choice = choices.below(words.size() + 1);
  return choice < words.size() ? words[choice] : std::string(choices.below(20), '\xFF');
}

void set_value(Choices& choices, const tenon::AttrSpec& spec, AttributeProto& attribute) {
  // Now and then of another type than the operator expects.
  const auto type =
      choices.byte() < 16 ? static_cast<tenon::AttrType>(choices.below(7)) : spec.type;
  const std::size_t count = choices.below(6);
  switch (type) {
    case tenon::AttrType::i:
      attribute.set_type(AttributeProto::INT);
      attribute.set_i(any_integer(choices));
      break;
    case tenon::AttrType::f:
      attribute.set_type(AttributeProto::FLOAT);
      attribute.set_f(any_float(choices));
      break;
    case tenon::AttrType::s:
      attribute.set_type(AttributeProto::STRING);
      attribute.set_s(any_string(choices, spec.choices));
      break;
    case tenon::AttrType::ints:
      attribute.set_type(AttributeProto::INTS);
      for (std::size_t i = 0; i < count; ++i) attribute.add_ints(any_integer(choices));
      break;
    case tenon::AttrType::floats:
      attribute.set_type(AttributeProto::FLOATS);
      for (std::size_t i = 0; i < count; ++i) attribute.add_floats(any_float(choices));
      break;
    case tenon::AttrType::strings:
      attribute.set_type(AttributeProto::STRINGS);
      for (std::size_t i = 0; i < count; ++i)
        attribute.add_strings(any_string(choices, spec.choices));
      break;
    case tenon::AttrType::tensor: {
      attribute.set_type(AttributeProto::TENSOR);
      TensorProto& tensor = *attribute.mutable_t();
      tensor.set_data_type(TensorProto::FLOAT);
      tensor.add_dims(any_integer(choices));
      for (std::size_t i = 0; i < count; ++i) tensor.add_float_data(any_float(choices));
      break;
    }
    case tenon::AttrType::graph: break;
  }
}

void add_opset(onnx::ModelProto& model, const std::string& domain, int version) {
  auto& opset = *model.add_opset_import();
  opset.set_domain(domain);
  opset.set_version(version);
}

std::string one_node(Choices& choices) {
  const auto operators = tenon::op::all();
  const tenon::OpDef& op = *operators[choices.below(operators.size())];
  onnx::ModelProto model;
  model.set_ir_version(10);
  add_opset(model, "", 21);
  add_opset(model, "ai.onnx.ml", 5);
  add_opset(model, "com.microsoft", 1);
  auto& graph = *model.mutable_graph();
  graph.set_name("one node");
  auto& node = *graph.add_node();
  node.set_op_type(std::string(op.name));
  node.set_domain(std::string(op.onnx.domain));

  constexpr std::array kTypes{TensorProto::FLOAT, TensorProto::INT64,   TensorProto::UINT8,
                              TensorProto::BOOL,  TensorProto::FLOAT16, TensorProto::INT8};
  const std::vector<std::vector<int>> shapes{{2, 3, 4}, {1, 4, 5, 5}, {4, 4}, {6}, {}, {0, 2}};
  const std::size_t inputs = choices.below(op.inputs.size() + 2);
  // Often all alike, which more operators take.
  const std::uint8_t mixed = choices.byte();
  std::size_t type = choices.below(kTypes.size()), shape = choices.below(shapes.size());
  for (std::size_t i = 0; i < inputs; ++i) {
    if (mixed & 1) type = choices.below(kTypes.size());
    if (mixed & 2) shape = choices.below(shapes.size());
    auto& input = *graph.add_input();
    input.set_name("x" + std::to_string(i));
    auto& tensor = *input.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(kTypes[type]);
    tensor.mutable_shape();
    for (int size : shapes[shape]) tensor.mutable_shape()->add_dim()->set_dim_value(size);
    node.add_input(input.name());
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(op.outputs.size(), 1); ++i) {
    node.add_output("y" + std::to_string(i));
    graph.add_output()->set_name(node.output(static_cast<int>(i)));
  }
  for (const tenon::AttrSpec& spec : op.attrs) {
    if (choices.byte() % 3 == 0) continue;
    AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(std::string(spec.name));
    set_value(choices, spec, attribute);
  }
  return model.SerializeAsString();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tenon::set_log_level(tenon::LogLevel::off);
  tenon::set_thread_count(1);
  Choices choices(data, size);
  const std::string model = one_node(choices);
  try {
    const tenon::graph::Graph graph =
        tenon::formats::import_onnx(std::as_bytes(std::span(model)), "input.onnx");
    if (const auto inputs = tenon::fuzz::small_inputs(graph, size))
      tenon::fuzz::run_small(graph, *inputs);
  } catch (const tenon::Error& error) {
    if (error.kind() == tenon::ErrorKind::bug) std::abort();
  }
  return 0;
}
