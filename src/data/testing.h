// What the tests of this folder share: a source that counts, and the text of an error.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "data/source.h"
#include "data/sources.h"

namespace tenon::data {

// Items 0 to count-1; "x" of item i is the number i.
inline SourcePtr numbers(int64_t count) {
  return tensor_source({{"x", Tensor::arange(count)}}, "numbers");
}

// The numbers of all items, in order.
inline std::vector<int64_t> all(const SourcePtr& source, int64_t epoch = 0) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < source->size(); ++i)
    values.push_back(source->read(i, epoch)["x"].item<int64_t>());
  return values;
}

// What `body` fails with: "data: the message and its contexts".
template <class Body>
std::string failure(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return std::string(info(error.kind()).name) + ": " + error.what();
  }
  return "no failure";
}

// EXPECT_FAILURE(decode(bytes), "ends before")
#define EXPECT_FAILURE(expression, part)                                                     \
  do {                                                                                       \
    const std::string text = ::tenon::data::failure([&] { static_cast<void>(expression); }); \
    EXPECT_NE(text.find(part), std::string::npos) << text;                                   \
  } while (false)

}  // namespace tenon::data
