#include "tensor/npy.h"

#include <gtest/gtest.h>

#include <random>

#include "base/file.h"

namespace tenon {
namespace {

using std::string_literals::operator""s;

Tensor read(std::string_view bytes) { return npy::read(std::as_bytes(std::span(bytes)), "x.npy"); }

// A file of any header, unpadded.
std::string file(std::string_view header, std::string_view elements, char version = 1) {
  std::string out = "\x93NUMPY" + std::string{version, '\0'};
  const size_t length = header.size();
  out += {static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  if (version > 1) out += "\0\0"s;
  return out + std::string(header) + std::string(elements);
}

std::string array(std::string_view descr, std::string_view shape, std::string_view elements,
                  bool fortran = false) {
  return file(fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr,
                          fortran ? "True" : "False", shape),
              elements);
}

std::string error_of(std::string_view bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    return std::string(info(error.kind()).name) + ": " + error.message();
  }
  return "no error";
}

constexpr DType kAll[] = {DType::f32, DType::u8,  DType::i8,      DType::u16,  DType::i16,
                          DType::i32, DType::i64, DType::boolean, DType::f16,  DType::f64,
                          DType::u32, DType::u64, DType::c64,     DType::c128, DType::bf16};

TEST(Npy, BytesAreNumPysOwn) {
  // numpy.save(f, numpy.array([[1, 2, 3]], dtype="<i2")), NumPy 1.24
  std::string expected =
      "\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }"s;
  expected.resize(127, ' ');
  expected += "\n\1\0\2\0\3\0"s;
  EXPECT_EQ(npy::encode(Tensor::from<int16_t>({1, 2, 3}, {1, 3})), expected);
}

TEST(Npy, EveryTypeAndShapeRoundTrips) {
  std::mt19937 random(3);
  for (const DType type : kAll) {
    for (const Shape& shape :
         {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 1, 3, 2}, Shape(12, 1)}) {
      Tensor x = Tensor::empty(shape, type);
      auto* bytes = static_cast<uint8_t*>(x.raw());
      for (size_t i = 0; i < x.bytes(); ++i)
        bytes[i] = static_cast<uint8_t>(random() & (type == DType::boolean ? 1 : 255));
      const Tensor y = read(npy::encode(x));
      ASSERT_EQ(y.dtype(), type);
      ASSERT_EQ(y.shape(), shape);
      ASSERT_EQ(std::string_view(static_cast<const char*>(y.raw()), y.bytes()),
                std::string_view(static_cast<const char*>(x.raw()), x.bytes()));
    }
  }
}

TEST(Npy, ViewsAreWrittenRowMajor) {
  const Tensor x = Tensor::arange(6).reshape({2, 3}).transpose(0, 1);
  EXPECT_EQ(read(npy::encode(x)).to_vector<int64_t>(), (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
}

TEST(Npy, StringsRoundTrip) {
  const std::vector<std::string> words = {"",      "abc",         "häß", "\xf0\x9f\xaa\xb5",
                                          "a\0b"s, "\xef\xbf\xbd"};
  const Tensor x = Tensor::strings(words, {3, 2});
  const Tensor y = read(npy::encode(x));
  EXPECT_EQ(y.shape(), x.shape());
  EXPECT_EQ(y.to_vector<std::string>(), words);
  EXPECT_EQ(read(npy::encode(Tensor::strings({"", ""}, {2}))).to_vector<std::string>(),
            std::vector<std::string>(2));
  EXPECT_THROW((void)npy::encode(Tensor::strings({"\xff"}, {1})), Error);
  EXPECT_THROW((void)npy::encode(Tensor::strings({"a\0"s}, {1})), Error);
}

TEST(Npy, FixedLengthText) {
  EXPECT_EQ(read(array("|S3", "(2,)", "ab\0abc"s)).to_vector<std::string>(),
            (std::vector<std::string>{"ab", "abc"}));
  EXPECT_EQ(read(array("<U2", "(1,)", "h\0\0\0\xe4\0\0\0"s)).to_vector<std::string>(),
            std::vector<std::string>{"hä"});
  EXPECT_EQ(read(array(">U2", "(1,)", "\0\0\0h\0\0\0\0"s)).to_vector<std::string>(),
            std::vector<std::string>{"h"});
  EXPECT_EQ(
      read(array("<U1", "(2, 2)", "a\0\0\0b\0\0\0c\0\0\0d\0\0\0"s, true)).to_vector<std::string>(),
      (std::vector<std::string>{"a", "c", "b", "d"}));
  EXPECT_EQ(read(array("<U0", "(3,)", "")).to_vector<std::string>(), std::vector<std::string>(3));
  EXPECT_EQ(
      error_of(array("<U1", "(1,)", "\0\xd8\0\0"s)),
      "data: x.npy: a string holds 0xd800, which is no Unicode character; get an intact copy");
}

TEST(Npy, OtherLayouts) {
  EXPECT_EQ(read(array("|u1", "(2, 3)", "\0\1\2\3\4\5"s, true)).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 2, 4, 1, 3, 5}));
  EXPECT_EQ(read(array(">i4", "(2,)", "\0\0\1\2\xff\xff\xff\xff"s)).to_vector<int64_t>(),
            (std::vector<int64_t>{258, -1}));
  EXPECT_EQ(read(array(">f2", "()", "\x3c\0"s)).item<float>(), 1);
  EXPECT_EQ(read(array(">c8", "()", "\x3f\x80\0\0\x40\0\0\0"s)).str(), "c64 [] 1.+2.j");
  EXPECT_EQ(read(array("?", "(2,)", "\0\7"s)).to_vector<int64_t>(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(read(array("|V2", "(1,)", "\x80\x3f"s)).dtype(), DType::bf16);
  for (const char version : {'\1', '\2', '\3'})
    EXPECT_EQ(
        read(file("{\"shape\":(2L,),'fortran_order':False,'descr':'=u1'}", "ab", version)).shape(),
        Shape({2}));
}

TEST(Npy, BadHeadersAreRefused) {
  EXPECT_EQ(error_of("hello"),
            "data: x.npy: this is no .npy file: it does not begin with \\x93NUMPY; check the path");
  EXPECT_EQ(
      error_of(array("<f4", "(2,)", "12345")),
      "data: x.npy: shape [2] of 4-byte elements does not match the 5 bytes after the header; "
      "get a complete copy of one array");
  EXPECT_EQ(error_of(array("O", "(2,)", "12345")),
            "unsupported: x.npy: elements of NumPy type 'O' are not read; convert them to numbers, "
            "booleans or text");
  EXPECT_EQ(
      error_of(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "1234")),
      "unsupported: x.npy: the elements are records; save each field as an array of its own");
  EXPECT_EQ(error_of(file("{'descr': '<f4'}", "1234")),
            "data: x.npy: the header '{'descr': '<f4'}' of a .npy file needs all of 'descr', "
            "'fortran_order' and 'shape' "
            "at character 17; write it with numpy.save");
  for (const char* shape :
       {"(-1,)", "(2", "2", "(1 2)", "(99999999999999999999,)", "(4611686018427387904, 4)",
        "(9223372036854775807, 9223372036854775807, 9223372036854775807)"})
    EXPECT_EQ(error_of(array("<f4", shape, "")).substr(0, 5), "data:") << shape;
  EXPECT_EQ(error_of(array("<f4", "(0, 9223372036854775807, 9223372036854775807)", "")),
            "no error");
  EXPECT_EQ(error_of(array("<f4", "(1,1,1,1,1,1,1,1,1,1,1,1,1)", "1234")).substr(0, 12),
            "unsupported:");
  EXPECT_EQ(error_of(array("<U0", "(1000000000,)", "")).substr(0, 12), "unsupported:");
  EXPECT_EQ(error_of(array("<U99999999999", "(1,)", "")).substr(0, 12), "unsupported:");
  EXPECT_EQ(error_of(file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
                          "1234"))
                .substr(0, 5),
            "data:");
  EXPECT_EQ(error_of("\x93NUMPY\x09\x00v\x00"s).substr(0, 12), "unsupported:");
}

TEST(Npy, TruncationsAreRefused) {
  for (const std::string& whole :
       {npy::encode(Tensor::arange(5)), npy::encode(Tensor::strings({"ab", "c"}, {2}))})
    for (size_t length = 0; length < whole.size(); ++length)
      ASSERT_EQ(error_of(whole.substr(0, length)).substr(0, 5), "data:") << length;
}

TEST(Npy, EveryFlippedByteIsReadOrRefused) {
  const std::string whole = npy::encode(Tensor::strings({"ab", "c"}, {2}));
  std::mt19937 random(9);
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int round = 0; round < 20; ++round) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(random());
      (void)error_of(bytes);
    }
  }
}

TEST(Npy, Files) {
  const TempDirectory folder;
  const Tensor x = Tensor::arange(1000, DType::f32).reshape({10, 100});
  npy::write_file(folder / "x.npy", x);
  EXPECT_EQ(npy::read_file(folder / "x.npy").to_vector<float>(), x.to_vector<float>());
  const Tensor mapped = npy::map_file(folder / "x.npy");
  EXPECT_EQ(mapped.select(0, 3).to_vector<float>(), x.select(0, 3).to_vector<float>());
  write_file(folder / "f.npy", array("|u1", "(2, 3)", "\0\1\2\3\4\5"s, true));
  EXPECT_EQ(npy::map_file(folder / "f.npy").strides(), Shape({1, 2}));
  EXPECT_EQ(npy::map_file(folder / "f.npy").to_vector<int64_t>(),
            (std::vector<int64_t>{0, 2, 4, 1, 3, 5}));
  write_file(folder / "odd.npy",
             file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} ", "\0\0\x80\x3f"s));
  EXPECT_EQ(npy::map_file(folder / "odd.npy").item<float>(), 1);
  write_file(folder / "s.npy", npy::encode(Tensor::strings({"a"}, {1})));
  EXPECT_EQ(npy::map_file(folder / "s.npy").to_vector<std::string>(),
            std::vector<std::string>{"a"});
  try {
    write_file(folder / "bad.npy", "nonsense");
    npy::read_file(folder / "bad.npy");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("bad.npy: this is no .npy file"), std::string::npos);
  }
}

}  // namespace
}  // namespace tenon
