// POSIX calls behind tensor/file.h. The order write, fsync, rename, fsync of the folder is what makes writing atomic.
#include "tensor/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "tensor/error.h"
#include "tensor/text.h"

namespace lookhere {
namespace {

// Repeats a call that a signal interrupted.
template <class F>
auto retry(F call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Throws Error "cannot VERB PATH: REASON" unless ok, with the reason that the call just before left in errno.
void check_system(bool ok, const char* verb, const std::string& path) {
  if (ok) return;
  const int code = errno;
  check_io(false, "cannot ", verb, ' ', path, ": ", std::generic_category().message(code));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return value_; }
  // Network file systems report a full disk only here. After EINTR Linux has closed the file all the same.
  bool close() { return ::close(std::exchange(value_, -1)) == 0 || errno == EINTR; }

 private:
  int value_;
};

// Removes the temporary file unless it has been renamed.
struct Temporary {
  std::string path;
  bool renamed = false;
  ~Temporary() {
    if (!renamed) ::unlink(path.c_str());
  }
};

// Unlike any name in use: the process id tells processes apart, the number threads. A file that has the name already
// was left by a crash (process ids come back), so it can go.
std::string temporary_name(const std::string& path) {
  static std::atomic<long> number = 0;
  std::string name = concat(path, ".tmp-", ::getpid(), '-', number++);
  ::unlink(name.c_str());
  return name;
}

}  // namespace

void FileWriter::write(const void* data, long bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {  // the system may take less than it was given, at most 2 GiB
    const long written = retry([&] { return ::write(descriptor_, from, static_cast<std::size_t>(bytes)); });
    if (written == 0) errno = EIO;  // POSIX leaves this case open: do not wait for ever
    check_system(written > 0, "write", path_);
    from += written, bytes -= written;
  }
}

void write_atomically(const std::string& path, const std::function<void(FileWriter&)>& body) {
  struct stat previous {};
  const bool exists = ::stat(path.c_str(), &previous) == 0;
  check_io(!exists || !S_ISDIR(previous.st_mode), "cannot write ", path, ": Is a directory");
  // Renaming over /dev/null would work for root, and break the machine.
  check_io(!exists || S_ISREG(previous.st_mode), "cannot write ", path, ": not a regular file");
  std::string folder_name = std::filesystem::path(path).parent_path().string();
  if (folder_name.empty()) folder_name = ".";
  const Descriptor folder(retry([&] { return ::open(folder_name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  check_system(folder >= 0, "write", path);

  const std::string name = temporary_name(path);
  Descriptor file(retry([&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
  check_system(file >= 0, "write", path);
  Temporary temporary{name};
  if (exists) check_system(::fchmod(file, previous.st_mode & 0777) == 0, "write", path);
  FileWriter writer(file, path);
  body(writer);
  check_system(retry([&] { return ::fsync(file); }) == 0, "write", path);
  check_system(file.close(), "write", path);
  check_system(std::rename(name.c_str(), path.c_str()) == 0, "write", path);
  temporary.renamed = true;
  // The new file is complete by now; this makes its name survive a power cut. Some file systems have no such call.
  const bool flushed = retry([&] { return ::fsync(folder); }) == 0 || errno == EINVAL || errno == ENOTSUP;
  check_system(flushed, "write", path);
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a named pipe must fail below, not wait for a writer.
  const Descriptor file(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  check_system(file >= 0, "open", path);
  struct stat status {};
  check_system(::fstat(file, &status) == 0, "open", path);
  check_io(!S_ISDIR(status.st_mode), "cannot open ", path, ": Is a directory");
  check_io(S_ISREG(status.st_mode), "cannot open ", path, ": not a regular file");
  if (status.st_size == 0) return;  // mmap refuses to map nothing
  void* mapped = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  check_system(mapped != MAP_FAILED, "open", path);
  data_ = static_cast<unsigned char*>(mapped);
  size_ = status.st_size;
}

void MappedFile::release(const unsigned char* begin, long bytes) const {
  // Pages go as a whole. Neighbours that share one lose nothing: nobody writes here, so the file has every byte.
  const long page = sysconf(_SC_PAGESIZE), from = (begin - data_) / page * page;
  madvise(data_ + from, static_cast<std::size_t>(begin - data_ + bytes - from), MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, static_cast<std::size_t>(size_));
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::size_t length = std::min(text.size(), kLongest);
  if (length < text.size())
    while (length > 0 && (text[length] & 0xC0) == 0x80) --length;  // not within a UTF-8 character
  return '"' + printable(text.substr(0, length)) + (length < text.size() ? "...\"" : "\"");
}

}  // namespace lookhere
