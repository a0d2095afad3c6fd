#include "base/build_id.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(BuildId, IsHexadecimal) {
  const std::string& id = library_build_id();
  EXPECT_GE(id.size(), 16U) << "the linker writes one unless it is told not to";
  EXPECT_EQ(id.size() % 2, 0U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
  EXPECT_EQ(&id, &library_build_id());
}

}  // namespace
}  // namespace tenon
