// Appending with O_APPEND and one write per line: a kill leaves whole lines.
#include "tensor/system/append_file.h"

#include <fcntl.h>

#include "tensor/error.h"

namespace lookhere {

AppendFile::AppendFile(const std::string& path)
    : path_(path),
      descriptor_(retry([&] { return open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT, 0644); })) {
  check_system(descriptor_ >= 0, "open", path);
  // The run's folder is locked as well, but NFS has locks for files alone.
  check_io(lock(descriptor_) != Lock::taken_elsewhere, path, ": in use by another process: is this run still going?");
}

AppendFile::AppendFile(const std::string& path, long size) : AppendFile(path) {
  size_ = size;
  check_io(present() >= size, path, ": wanted at least ", size, " bytes, as the checkpoint left it, got ", present());
  check_system(retry([&] { return ftruncate(descriptor_, size); }) == 0, "truncate", path);
}

AppendFile AppendFile::fresh(const std::string& path) {
  AppendFile file(path);
  check_io(file.present() == 0, path, ": another process has begun a run here meanwhile: choose another --output");
  return file;
}

long AppendFile::present() const { return lseek(descriptor_, 0, SEEK_END); }

void AppendFile::write(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = retry([&] { return ::write(descriptor_, text.data() + done, text.size() - done); });
    check_system(count > 0, "write", path_);
    done += static_cast<std::size_t>(count);
  }
  size_ += static_cast<long>(text.size());
}

void AppendFile::sync() {
  check_system(retry([&] { return fdatasync(descriptor_); }) == 0, "write", path_);
}

}  // namespace lookhere
