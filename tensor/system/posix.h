// System calls with what every use of them needs: again when a signal interrupts one, its failure as an Error with the
// system's reason, descriptors that close themselves.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace lookhere {

// Repeats a call that a signal interrupted.
template <class F>
auto retry(F call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Throws Error (Exit::io) "cannot VERB PATH: REASON" unless ok, with the reason that the call just before left in
// errno.
// Where that is memory, of which the call wanted so many bytes: OutOfMemory.
void check_system(bool ok, const char* verb, const std::string& path, long bytes = 0);
void check_system(const std::error_code& error, const char* verb, const std::string& path);

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  operator int() const { return value_; }
  // Network file systems report a full disk only here. After EINTR Linux has closed the file all the same.
  bool close() { return ::close(std::exchange(value_, -1)) == 0 || errno == EINTR; }

 private:
  int value_;
};

enum class Lock { held, taken_elsewhere, not_supported };
// Locks an open file or folder for this process, without waiting, until the last descriptor that shares it is closed.
// Not every file system has locks.
Lock lock(const Descriptor& file);

// A folder that can be locked, where the file system is this machine's own. Throws Error (Exit::io).
Descriptor open_folder(const std::string& path);
// An empty file, made where it is missing, that can be locked on NFS, too. Throws Error (Exit::io).
Descriptor open_lock_file(const std::string& path);
// False, and errno says why, unless it is new.
bool make_new_folder(const std::string& path);
void remove_empty_folder(const std::string& path) noexcept;  // does nothing where there is a file in it
bool is_there(const std::string& path);                      // a file, a folder, or a link wherever it leads
// This machine's name, empty where it has none, and this process' number.
std::string host_name();
long process_number();

// Creates the folder and those above it; what exists already is left alone.
void make_folders(const std::string& path);

// Where a chain of symbolic links ends, whether something is there or not: who writes to a link means its target.
std::string followed(std::string path);

}  // namespace lookhere
