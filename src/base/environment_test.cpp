#include "base/environment.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "base/testing.h"
#include "base/version.h"

namespace tenon {
namespace {

TEST(Environment, KnowsThisMachine) {
  const Environment environment = read_environment();
  EXPECT_GE(environment.cpu.available, 1);
  EXPECT_GE(environment.cpu.logical, environment.cpu.cores);
  EXPECT_LE(environment.cpu.available, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_GT(environment.memory.total, environment.memory.available);
  EXPECT_GT(environment.memory.available, 0U);
  EXPECT_TRUE(environment.kernel.starts_with("Linux "));
  EXPECT_FALSE(environment.compiler.empty());
  EXPECT_EQ(environment.tenon_version, kVersion);
  EXPECT_GE(environment.libraries.size(), 4U);
  const auto rows = describe(environment);
  EXPECT_EQ(rows[0].first, "Tenon");
  for (const auto& [label, value] : rows) EXPECT_FALSE(label.empty() || value.empty()) << label;
}

TEST(Cgroup, Version2TakesTheTightestAround) {
  const TempDirectory root("tenon_cgroup_test");
  create_directories(root / "a/b");
  write_file(root / "a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/a/b"), 0);
  write_file(root / "a/cpu.max", "250000 100000\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/a/b"), 3);
  write_file(root / "a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/a/b"), 1) << "a fraction is one";
  write_file(root / "cpu.max", "200000 100000\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/not/visible"), 2) << "inside a container";
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/"), 2);

  EXPECT_EQ(detail::cgroup_memory(root.path(), "/a/b"), 0U);
  write_file(root / "a/memory.max", "1073741824\n");
  write_file(root / "a/b/memory.max", "max\n");
  EXPECT_EQ(detail::cgroup_memory(root.path(), "/a/b"), 1073741824U);
}

TEST(Cgroup, Version1) {
  const TempDirectory root("tenon_cgroup_test");
  create_directories(root / "cpu/docker");
  create_directories(root / "memory");
  write_file(root / "cpu/docker/cpu.cfs_quota_us", "400000\n");
  write_file(root / "cpu/docker/cpu.cfs_period_us", "100000\n");
  write_file(root / "memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/docker"), 4);
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/"), 0);
  EXPECT_EQ(detail::cgroup_memory(root.path(), "/docker"), 0U) << "no limit";
  write_file(root / "cpu/docker/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(detail::cgroup_cpus(root.path(), "/docker"), 0);
  EXPECT_EQ(detail::cgroup_cpus(root / "none", "/"), 0);
}

TEST(UserCacheFolder, IsWhereTheUserSays) {
  const test::Variable on("TENON_CACHE", nullptr), own("TENON_CACHE_DIR", "/a/b"),
      caches("XDG_CACHE_HOME", "/c"), home("HOME", "/home/u");
  EXPECT_EQ(user_cache_folder(), "/a/b");
  {
    const test::Variable off("TENON_CACHE", "off");
    EXPECT_EQ(user_cache_folder(), "");
  }
  const test::Variable relative("TENON_CACHE_DIR", "b");
  EXPECT_EQ(user_cache_folder(), "/c/tenon");
  const test::Variable none("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(user_cache_folder(), "/home/u/.cache/tenon");
  const test::Variable homeless("HOME", nullptr);
  EXPECT_EQ(user_cache_folder(), "");
}

}  // namespace
}  // namespace tenon
