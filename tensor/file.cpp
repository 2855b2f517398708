// POSIX calls behind tensor/file.h. The order write, fsync, rename, fsync of the folder is what makes writing atomic.
#include "tensor/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>

#include "tensor/error.h"
#include "tensor/system/posix.h"
#include "tensor/text.h"

namespace lookhere {
namespace {

// A temporary file's name is that of the file to be, ".tmp-", the process id, "-" and a number: unlike any name in use.
constexpr std::size_t kLongestSuffix = 32;
const std::string kMark = ".tmp-";

// The part of a temporary name before the mark: of a long name only as much as leaves room for the rest.
std::string stem_of(const std::string& name, int folder) {
  const long longest = ::fpathconf(folder, _PC_NAME_MAX);
  const std::size_t room = longest > 0 ? static_cast<std::size_t>(longest) : 255;
  std::size_t length = std::min(name.size(), std::max(room, kLongestSuffix) - kLongestSuffix);
  if (name.size() + kLongestSuffix <= room) return name;
  while (length > 0 && (name[length] & 0xC0) == 0x80) --length;  // not within a UTF-8 character
  return name.substr(0, length);
}

bool is_temporary(const std::string& name, const std::string& stem) {
  if (!name.starts_with(stem + kMark)) return false;
  const std::string numbers = name.substr(stem.size() + kMark.size());
  const std::size_t dash = numbers.find('-');
  const auto digits = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  };
  return dash != numbers.npos && digits(numbers.substr(0, dash)) && digits(numbers.substr(dash + 1));
}

// The folder that a file is in, open, and the file's name in it: what happens there needs no long paths.
struct Place {
  explicit Place(const std::string& path) : name(std::filesystem::path(path).filename().string()) {
    std::string parent = std::filesystem::path(path).parent_path().string();
    if (parent.empty()) parent = ".";
    folder = Descriptor(retry([&] { return ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  }
  std::string name;
  Descriptor folder;
};

// Removes what earlier writers of this file left when they were killed. A writer at work holds its file's lock.
void remove_leftovers(const Place& place) {
  const int copy = ::dup(place.folder);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
  if (!entries && copy >= 0) ::close(copy);
  if (!entries) return;
  ::rewinddir(entries.get());
  const std::string stem = stem_of(place.name, place.folder);
  while (const dirent* entry = ::readdir(entries.get())) {
    if (!is_temporary(entry->d_name, stem)) continue;
    constexpr int kNoSurprises = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const Descriptor file(retry([&] { return ::openat(place.folder, entry->d_name, kNoSurprises); }));
    struct stat status {};
    if (file < 0 || ::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (lock(file) == Lock::held) ::unlinkat(place.folder, entry->d_name, 0);
  }
}

// A new file beside the one to be, locked; removed unless it has been renamed.
struct Temporary {
  const Place& place;
  std::string name;
  Descriptor file, locked;  // both are the same file; the lock stays until the second one is closed
  bool renamed = false;

  Temporary(const Place& where, const std::string& path) : place(where) {
    static std::atomic<long> number = 0;
    const std::string stem = stem_of(place.name, place.folder);
    struct stat status {};
    while (true) {
      name = concat(stem, kMark, ::getpid(), '-', number++);
      file = Descriptor(
          retry([&] { return ::openat(place.folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
      if (file < 0 && errno == EEXIST) continue;  // process ids come back
      check_system(file >= 0, "write", path);
      // Between these two calls another writer may have taken the new file for a leftover: then once more.
      if (lock(file) == Lock::taken_elsewhere) continue;
      if (::fstat(file, &status) == 0 && status.st_nlink > 0) break;
    }
    locked = Descriptor(::fcntl(file, F_DUPFD_CLOEXEC, 0));
  }
  ~Temporary() {
    if (!renamed) ::unlinkat(place.folder, name.c_str(), 0);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
};

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
  check_system(exists || errno == ENOENT, "write", path);
  check_io(!exists || !S_ISDIR(previous.st_mode), "cannot write ", path, ": Is a directory");
  // Renaming over /dev/null would work for root, and break the machine.
  check_io(!exists || S_ISREG(previous.st_mode), "cannot write ", path, ": not a regular file");
  const Place place(followed(path));
  check_system(place.folder >= 0, "write", path);

  remove_leftovers(place);
  Temporary temporary(place, path);
  Descriptor& file = temporary.file;
  if (exists) check_system(retry([&] { return ::fchmod(file, previous.st_mode & 0777); }) == 0, "write", path);
  FileWriter writer(file, path);
  body(writer);
  check_system(retry([&] { return ::fsync(file); }) == 0, "write", path);
  check_system(file.close(), "write", path);
  const auto rename = [&] {
    return ::renameat(place.folder, temporary.name.c_str(), place.folder, place.name.c_str());
  };
  check_system(retry(rename) == 0, "write", path);
  temporary.renamed = true;
  // The new file is complete by now; this makes its name survive a power cut. Some file systems have no such call.
  const bool flushed = retry([&] { return ::fsync(place.folder); }) == 0 || errno == EINVAL || errno == ENOTSUP;
  check_system(flushed, "write", path);
}

void remove_leftovers(const std::string& path) {
  const Place place(followed(path));
  if (place.folder >= 0) remove_leftovers(place);
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
  check_system(mapped != MAP_FAILED, "open", path, status.st_size);
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
