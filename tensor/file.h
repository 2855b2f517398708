// Files: atomic writing and read-only mapping, with the system's reason in every message. Errors carry Exit::io, or are
// OutOfMemory.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace lookhere {

// Where the body of write_atomically puts its bytes.
class FileWriter {
 public:
  // Writes all `bytes` bytes or throws.
  void write(const void* data, long bytes);
  void write(std::string_view text) { write(text.data(), static_cast<long>(text.size())); }

 private:
  friend void write_atomically(const std::string&, const std::function<void(FileWriter&)>&);
  FileWriter(int descriptor, const std::string& path) : descriptor_(descriptor), path_(path) {}
  int descriptor_;
  const std::string& path_;
};

// After a crash at any moment `path` holds either the previous file or the new one, never a part: the body writes a
// temporary file beside it, which is flushed to the disk and then renamed. If anything fails, also by an exception from
// the body, the temporary is removed, `path` stays as it was and an Error says why:
// "cannot write PATH: No space left on device". Only regular files are replaced, and of a link its target; an existing
// file's permissions are kept. What earlier writers of this path left when they were killed is removed.
void write_atomically(const std::string& path, const std::function<void(FileWriter&)>& body);
// Removes such leftovers alone: regular files PATH.tmp-NUMBER-NUMBER that no process is writing.
void remove_leftovers(const std::string& path);

// A file's bytes, mapped read-only: they are read from the disk when touched. The file may be empty. Whoever truncates
// a mapped file in place kills its readers (SIGBUS); write_atomically never does.
class MappedFile {
 public:
  // Throws Error if the path cannot be opened or is no regular file: "cannot open PATH: No such file or directory".
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile(std::move(other)).swap(*this);
    return *this;
  }

  const unsigned char* data() const { return data_; }  // nullptr if empty
  long size() const { return size_; }                  // bytes
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), static_cast<std::size_t>(size_)}; }
  const std::string& path() const { return path_; }
  // Frees the memory of these bytes. Whoever reads them again gets them from the file again.
  void release(const unsigned char* begin, long bytes) const;

 private:
  void swap(MappedFile& other) noexcept {
    std::swap(path_, other.path_), std::swap(data_, other.data_), std::swap(size_, other.size_);
  }
  std::string path_;
  unsigned char* data_ = nullptr;
  long size_ = 0;
};

// Text from an untrusted file made fit for a one-line message: in quotes, printable (tensor/text.h), at most 80 bytes.
std::string shown(std::string_view text);

}  // namespace lookhere
