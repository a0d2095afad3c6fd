#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"

namespace tenon {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

Error failure(std::string_view data, uint64_t max_bytes = kNoLimit) {
  try {
    gunzip(bytes(data), max_bytes, "data.gz");
  } catch (const Error& error) {
    return error;
  }
  return {ErrorKind::bug, "nothing was thrown"};
}

std::string sample(size_t size) {
  Generator generator(1);
  std::string text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>('a' + generator.below(6));
  return text;
}

TEST(Gzip, ComesBack) {
  for (size_t size : {0, 1, 5000, 300'000}) {
    const std::string text = sample(size);
    const std::string packed = gzip(text);
    EXPECT_EQ(gunzip(bytes(packed), size, "t"), text);
    EXPECT_EQ(gzip(text), packed) << "equal input, equal output";
  }
  const std::string text = sample(10'000);
  EXPECT_LT(gzip(text, 9).size(), text.size() / 2);
}

TEST(Gzip, MembersAndPaddingAreRead) {
  const std::string two = gzip("hello ") + gzip("world");
  EXPECT_EQ(gunzip(bytes(two), 100, "t"), "hello world");
  EXPECT_EQ(gunzip(bytes(two + std::string(512, '\0')), 100, "t"), "hello world");
  EXPECT_EQ(gunzip(bytes(gzip("") + gzip("x")), 1, "t"), "x");
}

TEST(Gzip, EveryTruncationIsFound) {
  const std::string packed = gzip(sample(400));
  for (size_t size = 1; size < packed.size(); ++size) {
    const Error error = failure(packed.substr(0, size));
    EXPECT_EQ(error.kind(), ErrorKind::data) << size;
    EXPECT_NE(error.message().find("data.gz: the gzip data are truncated after"), std::string::npos)
        << error.message();
  }
  EXPECT_EQ(failure("").message(), "data.gz: an empty file is not gzip; fetch the file again");
}

TEST(Gzip, CorruptionIsFound) {
  const std::string text = sample(400);
  const std::string packed = gzip(text);
  for (size_t i = 0; i < packed.size(); ++i) {
    std::string broken = packed;
    broken[i] = static_cast<char>(broken[i] ^ 0x40);
    try {  // some header bytes say nothing about the content
      EXPECT_EQ(gunzip(bytes(broken), 10'000, "t"), text) << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
  EXPECT_NE(failure("this is not gzip").message().find("corrupt"), std::string::npos);
  EXPECT_EQ(failure(gzip("a") + "rest").kind(), ErrorKind::data);
}

TEST(Gzip, BombsAreStopped) {
  const std::string bomb = gzip(std::string(20'000'000, '\0'), 9);
  ASSERT_LT(bomb.size(), 100'000U);
  const Error error = failure(bomb, 1'000'000);
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_EQ(error.message(),
            "data.gz: expands past 1.0 MB; it is not what it should be, or made to "
            "fill the memory");
  EXPECT_EQ(failure(gzip("xx"), 1).kind(), ErrorKind::data);
  EXPECT_EQ(failure(gzip("x"), 0).kind(), ErrorKind::data);
  std::string members;
  for (int i = 0; i < 100; ++i) members += gzip(std::string(1000, 'x'));
  EXPECT_EQ(failure(members, 50'000).kind(), ErrorKind::data) << "the limit is for all members";
}

TEST(Gzip, FilesAreRead) {
  const TempDirectory directory("tenon_gz_test");
  write_file(directory / "a.gz", gzip("content"));
  EXPECT_EQ(read_gz(directory / "a.gz", 100), "content");
  EXPECT_THROW(read_gz(directory / "b.gz", 100), Error);
}

}  // namespace
}  // namespace tenon
