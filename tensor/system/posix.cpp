// POSIX calls, and what their results mean.
#include "tensor/system/posix.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <climits>
#include <filesystem>
#include <system_error>

#include "tensor/error.h"
#include "tensor/out_of_memory.h"

namespace lookhere {

void check_system(bool ok, const char* verb, const std::string& path, long bytes) {
  if (ok) return;
  const int code = errno;
  if (code == ENOMEM) throw OutOfMemory(bytes, verb, path.c_str());
  check_io(false, "cannot ", verb, ' ', path, ": ", std::generic_category().message(code));
}

void check_system(const std::error_code& error, const char* verb, const std::string& path) {
  if (error) errno = error.value();
  check_system(!error, verb, path);
}

Lock lock(const Descriptor& file) {
  if (retry([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) == 0) return Lock::held;
  return errno == EWOULDBLOCK ? Lock::taken_elsewhere : Lock::not_supported;
}

Descriptor open_folder(const std::string& path) {
  Descriptor folder(retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  check_system(folder >= 0, "open", path);
  return folder;
}

Descriptor open_lock_file(const std::string& path) {
  Descriptor file(retry([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_CREAT, 0644); }));
  check_system(file >= 0, "open", path);
  return file;
}

bool make_new_folder(const std::string& path) {
  return retry([&] { return ::mkdir(path.c_str(), 0777); }) == 0;
}

void remove_empty_folder(const std::string& path) noexcept { ::rmdir(path.c_str()); }

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}
long process_number() { return ::getpid(); }

void make_folders(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const bool made = make_new_folder(part);
    // One that exists may be refused with another reason than that: /, or a folder one may not write to.
    struct stat status {};
    const int reason = errno;
    const bool there = made || (::stat(part.c_str(), &status) == 0 && S_ISDIR(status.st_mode));
    errno = reason;
    check_system(there, "create", path);
    if (end == path.npos) return;
  }
}

std::string followed(std::string path) {
  constexpr int kMostLinks = 40;  // as in the kernel
  for (int links = 0; links < kMostLinks; ++links) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) return path;
    const std::filesystem::path to(std::string(target, static_cast<std::size_t>(length)));
    path = (std::filesystem::path(path).parent_path() / to).string();  // an absolute one replaces what stands before it
  }
  errno = ELOOP;
  check_system(false, "write", path);
  return path;
}

}  // namespace lookhere
