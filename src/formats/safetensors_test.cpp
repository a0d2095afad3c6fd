// safetensors files: out and in again, and every way in which a header can lie.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "tensor/narrow.h"

namespace tenon::formats {

namespace {

std::string file_of(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes.append(header).append(data_bytes, '\x01');
}

SafetensorsHeader read(std::string_view bytes) {
  return read_safetensors_header(std::as_bytes(std::span(bytes)), "w");
}

void expect_error(std::string_view bytes, std::string_view words,
                  ErrorKind kind = ErrorKind::data) {
  try {
    read(bytes);
    ADD_FAILURE() << "read without an error; expected: " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(error.message().find(words), std::string::npos)
        << error.what() << "\nexpected: " << words;
  }
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  uint64_t begin, uint64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype,
                     shape, begin, end);
}

TEST(Safetensors, KeepsTensorsAndMetadata) {
  const TempDirectory folder;
  const NamedTensorList tensors{{"b", Tensor::from<float>({1, 2, 3, 4}, {2, 2}).t()},
                                {"a", Tensor::from<double>({1.5}, {})},
                                {"flags", Tensor::from<bool>({true, false, true}, {3})},
                                {"empty", Tensor::empty({0, 3}, DType::bf16)},
                                {"odd", Tensor::from<uint8_t>({7, 8, 9}, {3})},
                                {"n", Tensor::ints({-1, INT64_MIN})}};
  write_safetensors(folder / "w.safetensors", tensors, {{"step", "12"}, {"who", "t\u00e9st"}});
  const SafetensorsFile file(folder / "w.safetensors");
  EXPECT_EQ(file.metadata(),
            (std::map<std::string, std::string>{{"step", "12"}, {"who", "t\u00e9st"}}));
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    for (const Tensor& same : {file.read(name), file.view(name)}) {
      EXPECT_EQ(same.dtype(), tensor.dtype());
      EXPECT_EQ(same.shape(), tensor.shape());
      EXPECT_EQ(same.to_vector<double>(), tensor.to_vector<double>()) << name;
    }
  }
}

TEST(Safetensors, WritesEveryTypeAndTheSameBytesAgain) {
  const TempDirectory folder;
  NamedTensorList tensors;
  for (int i = 1; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    if (type == DType::string || type == DType::c128 || bits_of(type) < 8) continue;
    Tensor tensor = Tensor::empty({3}, type);
    std::memset(tensor.raw(), type == DType::boolean ? 1 : 0x41, tensor.bytes());
    tensors.emplace_back(std::string(name(type)), std::move(tensor));
  }
  write_safetensors(folder / "a", tensors);
  NamedTensorList back = read_safetensors(folder / "a");
  ASSERT_EQ(back.size(), tensors.size());
  write_safetensors(folder / "b", {back.rbegin(), back.rend()});
  EXPECT_EQ(read_file(folder / "a"), read_file(folder / "b"));
  for (const auto& [name, tensor] : back) EXPECT_EQ(tensor.dtype(), parse_dtype(name));
}

TEST(Safetensors, RefusesToWriteWhatItCannotSay) {
  const TempDirectory folder;
  const Tensor x = Tensor::ones({2});
  EXPECT_THROW(write_safetensors(folder / "x", {{"a", x}, {"a", x}}), Error);
  EXPECT_THROW(write_safetensors(folder / "x", {{"__metadata__", x}}), Error);
  EXPECT_THROW(write_safetensors(folder / "x", {{"", x}}), Error);
  EXPECT_THROW(write_safetensors(folder / "x", {{"s", Tensor::strings({"a"}, {1})}}), Error);
  EXPECT_THROW(write_safetensors(folder / "x", {{"i", Tensor::ones({2}, DType::i4)}}), Error);
  EXPECT_FALSE(exists(folder / "x"));
}

TEST(Safetensors, SuggestsNames) {
  const TempDirectory folder;
  write_safetensors(folder / "w", {{"layer.weight", Tensor::ones({2})}});
  try {
    SafetensorsFile(folder / "w").read("layer.wieght");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("layer.weight"), std::string::npos) << error.what();
  }
}

TEST(Safetensors, IsWholeOrRefused) {
  const TempDirectory folder;
  write_safetensors(folder / "w", {{"a", Tensor::ones({2})}, {"b", Tensor::ints({1})}},
                    {{"k", "v"}});
  const std::string whole = read_file(folder / "w");
  for (size_t size = 0; size < whole.size(); ++size) {
    try {
      read(whole.substr(0, size));
      ADD_FAILURE() << "the first " << size << " of " << whole.size()
                    << " bytes were read as a whole file";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
  EXPECT_THROW(read(whole + "x"), Error);
}

TEST(Safetensors, RefusesHeadersThatLie) {
  expect_error(std::string(8, '\xFF') + "{}", "this is no safetensors file");
  expect_error(file_of("[]", 0), "brace");
  expect_error(file_of("{\"a\":", 0), "no JSON");
  expect_error(file_of("{" + entry("a", "F32", "[2]", 0, 8) + "}", 4), "truncated or damaged");
  expect_error(file_of("{" + entry("a", "F32", "[2]", 0, 4) + "}", 4), "takes 8");
  expect_error(file_of("{" + entry("a", "F32", "[1]", 8, 4) + "}", 8), "truncated or damaged");
  expect_error(
      file_of("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[1]", 2, 6) + "}", 6),
      "overlap");
  expect_error(
      file_of("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[1]", 8, 12) + "}",
              12),
      "gaps");
  expect_error(file_of("{" + entry("a", "F32", "[1]", 0, 4) + "}", 8), "the file has");
  expect_error(
      file_of("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("a", "F32", "[1]", 4, 8) + "}", 8),
      "twice");
  expect_error(file_of("{" + entry("a", "F32", "[4294967296,4294967296]", 0, 4) + "}", 4),
               "63 bits");
  expect_error(file_of("{" + entry("a", "F32", "[0,9223372036854775807]", 0, 0) + "}", 0),
               "63 bits");
  expect_error(file_of("{" + entry("a", "F32", "[18446744073709551615]", 0, 4) + "}", 4),
               "63 bits");
  expect_error(file_of("{" + entry("a", "F32", "[-1]", 0, 4) + "}", 4), "whole number");
  expect_error(file_of("{" + entry("a", "F32", "[1.0]", 0, 4) + "}", 4), "whole number");
  expect_error(file_of("{" + entry("a", "F33", "[1]", 0, 4) + "}", 4),
               "which the format does not have");
  expect_error(file_of("{" + entry("a", "F4", "[4]", 0, 2) + "}", 2), "F4", ErrorKind::unsupported);
  expect_error(file_of("{" + entry("a", "U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1]", 0, 1) + "}", 1),
               "13 axes", ErrorKind::unsupported);
  expect_error(file_of(R"({"a":7})", 0), "no JSON object");
  expect_error(file_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "data_offsets");
  expect_error(file_of(R"({"__metadata__":{"k":1}})", 0), "metadata 'k' is no string");
  expect_error(file_of("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0),
               "deeper");
}

TEST(Safetensors, ReadsTensorsAtOddAddresses) {
  const TempDirectory folder;
  std::string bytes =
      file_of("{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("b", "F32", "[1]", 1, 5) + "}", 5);
  const float value = 2.5F;
  std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);
  write_file(folder / "w", bytes);
  EXPECT_EQ(SafetensorsFile(folder / "w").view("b").item<float>(), 2.5F);
}

}  // namespace
}  // namespace tenon::formats
