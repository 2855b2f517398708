// Read from files of Linux's /proc and of its control groups; where they are missing nothing is known.
#include "tensor/system/memory_limits.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace lookhere {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  file.exceptions(std::ios::badbit);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool has(const std::string& list, const char* name) {
  const std::vector<std::string> names = parts_of(list, ',');
  return std::ranges::find(names, name) != names.end();
}

// "VmRSS:	   1234 kB"
long status(const char* field) {
  for (const std::string& line : parts_of(text_of("/proc/self/status"), '\n'))
    if (line.starts_with(field)) return std::strtol(line.c_str() + std::string(field).size(), nullptr, 10) * 1024;
  return 0;
}

struct Mount {
  bool version_2;
  std::string root, folder;  // which group is seen, and where
};

// "36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
std::vector<Mount> mounts_with_memory(const std::string& mounts) {
  std::vector<Mount> found;
  for (const std::string& line : parts_of(mounts, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> where = parts_of(line.substr(0, dash), ' '),
                                   what = parts_of(line.substr(dash + 3), ' ');
    if (where.size() < 5 || what.size() < 3) continue;
    if (what[0] == "cgroup2" || (what[0] == "cgroup" && has(what[2], "memory")))
      found.push_back({what[0] == "cgroup2", where[3], where[4]});
  }
  return found;
}

}  // namespace

long resident_memory() { return status("VmRSS:"); }
long peak_resident_memory() { return status("VmHWM:"); }

long cgroup_limit(const std::string& text) {
  constexpr long kNone = 1L << 60;
  long bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  const std::string rest(end, text.data() + text.size());
  return error == std::errc() && (rest.empty() || rest == "\n") && 0 < bytes && bytes < kNone ? bytes : 0;
}

std::vector<std::string> cgroup_limit_files(const std::string& cgroups, const std::string& mounts) {
  std::vector<std::string> files;
  for (const Mount& mount : mounts_with_memory(mounts))
    for (const std::string& line : parts_of(cgroups, '\n')) {  // "4:memory:/of/this/process", in version 2 "0::/..."
      const std::size_t first = line.find(':'), second = line.find(':', first + 1);
      if (second == std::string::npos) continue;
      const std::string controllers = line.substr(first + 1, second - first - 1);
      if (mount.version_2 ? !controllers.empty() : !has(controllers, "memory")) continue;
      std::string group = line.substr(second + 1);
      if (mount.root != "/") group = group.starts_with(mount.root) ? group.substr(mount.root.size()) : "";
      if (group.find("/..") != std::string::npos) group.clear();  // it is not to be seen from here
      for (group = group == "/" ? "" : group;; group.resize(group.rfind('/'))) {
        files.push_back(mount.folder + group + (mount.version_2 ? "/memory.max" : "/memory.limit_in_bytes"));
        if (group.rfind('/') == std::string::npos) break;
      }
    }
  return files;
}

long cgroup_memory_limit() {
  long least = 0;
  for (const std::string& file : cgroup_limit_files(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo")))
    if (const long limit = cgroup_limit(text_of(file)); limit > 0) least = least ? std::min(least, limit) : limit;
  return least;
}

}  // namespace lookhere
