// How much memory this process has, and how much it is allowed.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

// Bytes, now and at most so far, programs and libraries included; 0 where the system does not tell.
long resident_memory();
long peak_resident_memory();

// The least that the process's control group and those above it allow, in bytes; 0: they set no limit.
long cgroup_memory_limit();
// Where these limits are: by what /proc/self/cgroup and /proc/self/mountinfo say, of cgroups of both versions.
std::vector<std::string> cgroup_limit_files(const std::string& cgroups, const std::string& mounts);
// What such a file says; 0 for no limit ("max", the largest number of pages in version 1) and for what is no number.
long cgroup_limit(const std::string& text);

}  // namespace lookhere
