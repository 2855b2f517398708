// The same library's other fault: with $FAULT_INTERRUPTS set, every other system call of these is interrupted by a
// signal before it does anything (EINTR), as network file systems mounted with "intr" and FUSE have it. With
// $FAULT_FOLDER_LOCKS set folders cannot be locked (EBADF), as on NFS.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls = 0;

bool interrupted() {
  static const bool wanted = std::getenv("FAULT_INTERRUPTS") != nullptr;
  const bool now = wanted && ++calls % 2 == 1;
  if (now) errno = EINTR;
  return now;
}

// Calls the C library's own.
template <class Function, class... Arguments>
auto call(const char* name, Arguments... arguments) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(arguments...);
}

bool is_a(mode_t kind, int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && (status.st_mode & S_IFMT) == kind;
}

// Shared memory looks like a file. clang's OpenMP library keeps some, and gives up if it is interrupted there.
bool is_shared_memory(int descriptor) {
  char link[32], path[16] = {};
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  return readlink(link, path, sizeof path - 1) > 0 && std::strncmp(path, "/dev/shm/", 9) == 0;
}

}  // namespace

extern "C" {

// Files alone: the C library's own streams, which pipes and terminals are written through, do not expect it.
ssize_t write(int file, const void* data, std::size_t size) {
  if (is_a(S_IFREG, file) && interrupted()) return -1;
  return call<ssize_t (*)(int, const void*, std::size_t)>("write", file, data, size);
}
int fsync(int file) { return interrupted() ? -1 : call<int (*)(int)>("fsync", file); }
int fdatasync(int file) { return interrupted() ? -1 : call<int (*)(int)>("fdatasync", file); }
int ftruncate(int file, off_t size) noexcept {
  if (!is_shared_memory(file) && interrupted()) return -1;
  return call<int (*)(int, off_t)>("ftruncate", file, size);
}
int fchmod(int file, mode_t mode) noexcept {
  return interrupted() ? -1 : call<int (*)(int, mode_t)>("fchmod", file, mode);
}
int flock(int file, int operation) noexcept {
  static const bool folders_have_none = std::getenv("FAULT_FOLDER_LOCKS") != nullptr;
  if (folders_have_none && is_a(S_IFDIR, file)) return errno = EBADF, -1;
  return interrupted() ? -1 : call<int (*)(int, int)>("flock", file, operation);
}
int mkdir(const char* path, mode_t mode) noexcept {
  return interrupted() ? -1 : call<int (*)(const char*, mode_t)>("mkdir", path, mode);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  if (interrupted()) return -1;
  return call<int (*)(int, const char*, int, const char*)>("renameat", from_folder, from, to_folder, to);
}

}  // extern "C"
