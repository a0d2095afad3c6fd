// Tensors of files: every encoding, sparse ones, and data beside the model.
#include "formats/onnx/tensors.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <functional>

#include "base/file.h"
#include "formats/onnx/testing.h"

namespace tenon::formats::test {

namespace {

TEST(OnnxTensors, ReadsEveryEncoding) {
  const auto round = [](const std::function<void(TensorProto&)>& fill, int type,
                        std::vector<int64_t> dims = {2}) {
    Model model;
    fill(model.constant("c", type, dims));
    model.node("Identity", {"c"}, {"y"});
    model.output("y");
    const graph::Graph graph = model.import();
    const Tensor value = graph::Interpreter(graph).run({})[0];
    EXPECT_EQ(static_cast<int>(value.dtype()), type);
    return value;
  };
  using Numbers = std::vector<double>;
  const auto ints32 = [](int32_t a, int32_t b) {
    return [=](TensorProto& t) { t.add_int32_data(a), t.add_int32_data(b); };
  };
  for (int type : {TensorProto::INT32, TensorProto::INT16, TensorProto::INT8})
    EXPECT_EQ(round(ints32(-5, 100), type).to_vector<double>(), (Numbers{-5, 100}));
  for (int type : {TensorProto::UINT16, TensorProto::UINT8})
    EXPECT_EQ(round(ints32(5, 200), type).to_vector<double>(), (Numbers{5, 200}));
  EXPECT_EQ(round(ints32(7, 0), TensorProto::BOOL).to_vector<double>(), (Numbers{1, 0}));
  EXPECT_EQ(round(ints32(0x3C00, 0xC000), TensorProto::FLOAT16).to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(round(ints32(0x3F80, 0xC000), TensorProto::BFLOAT16).to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(
      round([](auto& t) { t.add_int64_data(INT64_MIN), t.add_int64_data(3); }, TensorProto::INT64)
          .to_vector<int64_t>(),
      (std::vector<int64_t>{INT64_MIN, 3}));
  for (int type : {TensorProto::UINT32, TensorProto::UINT64})
    EXPECT_EQ(round([](auto& t) { t.add_uint64_data(4000000000), t.add_uint64_data(1); }, type)
                  .to_vector<double>(),
              (Numbers{4000000000, 1}));
  EXPECT_EQ(
      round([](auto& t) { t.add_double_data(1.5), t.add_double_data(-2); }, TensorProto::DOUBLE)
          .to_vector<double>(),
      (Numbers{1.5, -2}));
  EXPECT_EQ(round([](auto& t) { t.set_raw_data(std::string("\0\0\x80\x3F\0\0\0\xC0", 8)); },
                  TensorProto::FLOAT)
                .to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(round([](auto& t) { t.set_raw_data(std::string("\x02\0", 2)); }, TensorProto::BOOL)
                .to_vector<double>(),
            (Numbers{1, 0}));
  EXPECT_EQ(
      round([](auto& t) { t.add_string_data("a"), t.add_string_data("\xFF"); }, TensorProto::STRING)
          .to_vector<std::string>(),
      (std::vector<std::string>{"a", "\xFF"}));
  EXPECT_EQ(round([](auto&) {}, TensorProto::FLOAT, {0, 4}).shape(), (Shape{0, 4}));
}

// The bits of each element as it lies in memory: one byte each.
std::vector<int> bits_of(const Tensor& tensor) {
  const auto* bytes = static_cast<const uint8_t*>(tensor.raw());
  return {bytes, bytes + tensor.numel()};
}

TEST(OnnxTensors, UnpacksStorageTypes) {
  const auto read = [](DType type, std::vector<int64_t> dims, const std::string& bytes, bool raw) {
    TensorProto proto;
    proto.set_data_type(static_cast<int>(type));
    for (int64_t size : dims) proto.add_dims(size);
    if (raw)
      proto.set_raw_data(bytes);
    else
      for (char byte : bytes) proto.add_int32_data(static_cast<uint8_t>(byte));
    ExternalData none;
    const Tensor tensor = read_tensor(proto, none, "t");
    EXPECT_EQ(name(tensor.dtype()), name(type));
    TensorProto again;
    write_tensor(tensor, again);
    EXPECT_EQ(again.raw_data(), bytes);
    return bits_of(tensor);
  };
  using Bits = std::vector<int>;
  for (bool raw : {true, false}) {
    for (DType type :
         {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::f8e8m0})
      EXPECT_EQ(read(type, {2}, "\x38\xFF", raw), (Bits{0x38, 0xFF}));
    for (DType type : {DType::u4, DType::i4, DType::f4e2m1}) {
      EXPECT_EQ(read(type, {3}, "\x21\x0F", raw), (Bits{1, 2, 15}));
      EXPECT_EQ(read(type, {2, 2}, "\x21\xF3", raw), (Bits{1, 2, 3, 15}));
      EXPECT_EQ(read(type, {0}, "", raw), Bits{});
    }
    for (DType type : {DType::u2, DType::i2})
      EXPECT_EQ(read(type, {5}, "\xE4\x02", raw), (Bits{0, 1, 2, 3, 2}));
  }
  TensorProto proto;
  proto.set_data_type(static_cast<int>(DType::i4));
  proto.add_dims(3);
  proto.set_raw_data("a");
  ExternalData none;
  EXPECT_THROW(read_tensor(proto, none, "t"), Error);
}

TEST(OnnxTensors, ReadsSparseInitialisers) {
  Model model;
  auto& sparse = *model.proto.mutable_graph()->add_sparse_initializer();
  sparse.mutable_values()->set_name("s");
  sparse.mutable_values()->set_data_type(TensorProto::FLOAT);
  sparse.mutable_values()->add_dims(2);
  sparse.mutable_values()->add_float_data(5);
  sparse.mutable_values()->add_float_data(6);
  sparse.mutable_indices()->set_data_type(TensorProto::INT64);
  sparse.mutable_indices()->add_dims(2);
  sparse.mutable_indices()->add_int64_data(1);
  sparse.mutable_indices()->add_int64_data(3);
  sparse.add_dims(2);
  sparse.add_dims(2);
  model.node("Identity", {"s"}, {"y"});
  model.output("y");
  EXPECT_EQ(run(model.import(), {}), (std::vector<double>{0, 5, 0, 6}));
  sparse.mutable_indices()->set_int64_data(1, 4);
  model.expect_error(ErrorKind::data, "sparse value 1 lies outside [2, 2]");
}

TEST(OnnxTensors, ReadsExternalDataInsideTheFolderOnly) {
  const TempDirectory folder;
  Model model;
  model.output("y");
  auto& constant = model.constant("w", TensorProto::FLOAT, {2});
  constant.set_data_location(TensorProto::EXTERNAL);
  const auto set = [&](const std::string& key, const std::string& value) {
    for (auto& entry : *constant.mutable_external_data())
      if (entry.key() == key) return entry.set_value(value);
    auto& entry = *constant.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  set("location", "w.bin");
  set("offset", "4");
  set("length", "8");
  model.node("Neg", {"w"}, {"y"});
  write_file(folder / "w.bin", std::string("\0\0\0\0\0\0\x80\x3F\0\0\0\x40", 12));
  const auto import = [&] {
    write_file(folder / "m.onnx", model.proto.SerializeAsString());
    return import_onnx(folder / "m.onnx");
  };
  EXPECT_EQ(run(import(), {}), (std::vector<double>{-1, -2}));
  model.expect_error(ErrorKind::unsupported, "import it by path");

  const auto expect = [&](std::string_view words) {
    try {
      import();
      ADD_FAILURE() << "imported without an error; expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos) << error.what();
    }
  };
  set("offset", "8");
  expect("w.bin");
  set("offset", "18446744073709551615");
  expect("w.bin");
  set("offset", "x");
  expect("whole number");
  set("offset", "0");
  for (const char* location : {"../w.bin", "/etc/passwd", "a/../../w.bin", ""}) {
    set("location", location);
    expect("outside the model's folder");
  }
  const TempDirectory elsewhere;
  write_file(elsewhere / "w.bin", std::string(8, '\0'));
  std::filesystem::create_symlink(elsewhere / "w.bin", folder / "link.bin");
  std::filesystem::create_directory_symlink(elsewhere.path(), folder / "links");
  std::filesystem::create_symlink("w.bin", folder / "inner.bin");
  for (const char* location : {"link.bin", "links/w.bin"}) {
    set("location", location);
    expect("a link that leads out of the model's folder");
  }
  set("location", "inner.bin");
  EXPECT_EQ(run(import(), {}), (std::vector<double>{0, -1}));
}

}  // namespace

}  // namespace tenon::formats::test
