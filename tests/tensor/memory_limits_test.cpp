// What a process has, and what a control group allows it.
#include <unistd.h>

#include "tensor/machine.h"
#include "tensor/system/memory_limits.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(SystemMemory, ALimitIsANumberOfBytes) {
  EXPECT_EQ(cgroup_limit("8589934592\n"), 8589934592);
  EXPECT_EQ(cgroup_limit("4096"), 4096);
  for (const char* none : {"max\n", "9223372036854771712\n", "18446744073709551615\n", "", "\n", "0\n", "-1\n",
                           "12 kB\n", "0x1000\n", "some text"})
    EXPECT_EQ(cgroup_limit(none), 0) << none;
}

using Files = std::vector<std::string>;

TEST(SystemMemory, OwnGroupAndThoseAboveAreAsked) {
  const std::string v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
  EXPECT_EQ(cgroup_limit_files("0::/user.slice/job.scope\n", v2),
            (Files{"/sys/fs/cgroup/user.slice/job.scope/memory.max", "/sys/fs/cgroup/user.slice/memory.max",
                   "/sys/fs/cgroup/memory.max"}));
  EXPECT_EQ(cgroup_limit_files("0::/\n", v2), Files{"/sys/fs/cgroup/memory.max"}) << "a container";
  // Version 1, beside a version 2 that controls nothing; a container that sees its own group alone.
  const std::string v1 =
      "35 31 0:32 /docker/1234 /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(cgroup_limit_files("4:memory:/docker/1234/job\n1:cpu,cpuacct:/job\n0::/\n", v1),
            (Files{"/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                   "/sys/fs/cgroup/unified/memory.max"}));
  EXPECT_EQ(cgroup_limit_files("4:memory:/../elsewhere\n", v1), Files{"/sys/fs/cgroup/memory/memory.limit_in_bytes"});
  EXPECT_EQ(cgroup_limit_files("", v2), Files{});
  EXPECT_EQ(cgroup_limit_files("0::/a\n", ""), Files{});
  EXPECT_EQ(cgroup_limit_files("0:\n::\nmemory\n", "a - b\n - cgroup2 c d\n1 2 3 / /x - cgroup2\n"), Files{});
}

TEST(SystemMemory, TheMachineHasNoMoreThanIsAllowed) {
  const long pages = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), allowed = cgroup_memory_limit();
  EXPECT_EQ(memory_of_machine(), allowed > 0 ? std::min(pages, allowed) : pages);
  EXPECT_GT(resident_memory(), 1 << 20);
  EXPECT_GE(peak_resident_memory(), resident_memory());
  EXPECT_LT(resident_memory(), memory_of_machine());
}

}  // namespace
}  // namespace lookhere
