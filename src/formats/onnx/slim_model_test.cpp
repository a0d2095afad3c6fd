// Models whose weights stay where they lie while protobuf reads the rest.
#include "formats/onnx/slim_model.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <numeric>

#include "base/file.h"
#include "formats/onnx/testing.h"
#include "graph/interpreter.h"

namespace tenon::formats::test {

namespace {

constexpr int kMany = 6000;

std::string raw_floats(float first) {
  std::vector<float> values(kMany);
  std::iota(values.begin(), values.end(), first);
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// y = (x + large) * small + other
Model large_model() {
  Model model;
  model.input("x", {std::to_string(kMany)}).output("y");
  model.constant("large", TensorProto::FLOAT, {kMany}).set_raw_data(raw_floats(1));
  model.constant("small", TensorProto::FLOAT, {1}).add_float_data(2);
  model.constant("other", TensorProto::FLOAT, {kMany}).set_raw_data(raw_floats(-7));
  model.node("Add", {"x", "large"}, {"a"});
  model.node("Mul", {"a", "small"}, {"b"});
  model.node("Add", {"b", "other"}, {"y"});
  return model;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(SlimModel, LeavesLargeContentsWhereTheyLie) {
  const std::string file = large_model().proto.SerializeAsString();
  const auto slim = slim_model(bytes_of(file));
  ASSERT_TRUE(slim);
  EXPECT_LT(slim->bytes.size(), 1000U);
  ASSERT_EQ(slim->raw.size(), 3U);
  EXPECT_TRUE(slim->raw[1].empty());
  for (const auto& [at, first] : {std::pair{0, 1.F}, std::pair{2, -7.F}}) {
    const auto raw = slim->raw[static_cast<size_t>(at)];
    EXPECT_GE(raw.data(), bytes_of(file).data());
    const std::string contents(reinterpret_cast<const char*>(raw.data()), raw.size());
    EXPECT_EQ(contents, raw_floats(first)) << at;
  }
  ModelProto rest;
  ASSERT_TRUE(rest.ParseFromString(slim->bytes));
  ModelProto whole = large_model().proto;
  for (const int at : {0, 2}) {
    EXPECT_TRUE(rest.graph().initializer(at).has_raw_data());
    whole.mutable_graph()->mutable_initializer(at)->set_raw_data("");
  }
  EXPECT_EQ(rest.SerializeAsString(), whole.SerializeAsString());
}

TEST(SlimModel, ImportsTheSameFromFilesAndMemory) {
  const Model model = large_model();
  const std::string bytes = model.proto.SerializeAsString();
  const TempDirectory folder("slim");
  const std::string path = folder.path() + "/model.onnx";
  write_file(path, bytes);
  const Tensor x = Tensor::zeros({kMany});
  for (const bool trainable : {false, true}) {
    const ImportOptions options{.trainable = trainable};
    const auto from_file = run(import_onnx(path, options), {x});
    ASSERT_EQ(from_file.size(), static_cast<size_t>(kMany));
    for (int i = 0; i < kMany; ++i)
      ASSERT_EQ(from_file[static_cast<size_t>(i)], 2.0 * (1 + i) + (i - 7)) << i;
    EXPECT_EQ(run(import_onnx(bytes_of(bytes), "model", options), {x}), from_file);
  }
}

TEST(SlimModel, CountsContentsAgainstTheShape) {
  Model model = large_model();
  model.proto.mutable_graph()->mutable_initializer(0)->set_dims(0, kMany + 1);
  const std::string bytes = model.proto.SerializeAsString();
  ASSERT_TRUE(slim_model(bytes_of(bytes)));
  try {
    import_onnx(bytes_of(bytes), "model");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("raw_data holds 24000 bytes, but f32[6001] takes"),
              std::string::npos)
        << error.what();
  }
}

TEST(SlimModel, LeavesWhatIsOddToProtobuf) {
  EXPECT_FALSE(slim_model({}));
  const std::string text(100'000, '{');
  EXPECT_FALSE(slim_model(bytes_of(text)));

  // Contents given twice: the last ones count.
  Model model = large_model();
  std::string bytes = model.proto.SerializeAsString();
  TensorProto again = model.proto.graph().initializer(0);
  std::string tensor = again.SerializeAsString();
  again.Clear();
  again.set_raw_data(raw_floats(50));
  tensor += again.SerializeAsString();
  const auto varint = [](size_t value) {
    std::string coded;
    for (; value >= 0x80; value >>= 7) coded.push_back(static_cast<char>(value | 0x80U));
    coded.push_back(static_cast<char>(value));
    return coded;
  };
  model.proto.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1);
  const std::string graph = "\x2a" + varint(tensor.size()) + tensor;
  bytes = model.proto.SerializeAsString() + "\x3a" + varint(graph.size()) + graph;
  EXPECT_EQ(run(import_onnx(bytes_of(bytes), "model"), {Tensor::zeros({kMany})})[0], 2.0 * 50 - 7);
}

TEST(SlimModel, EveryTruncationIsAnError) {
  const std::string bytes = large_model().proto.SerializeAsString();
  for (size_t count = 0; count < bytes.size(); count += count < 200 ? 1 : 997) {
    const std::string part = bytes.substr(0, count);
    EXPECT_THROW(import_onnx(bytes_of(part), "model"), Error) << count;
  }
}

}  // namespace

}  // namespace tenon::formats::test
