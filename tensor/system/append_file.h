// AppendFile: a file that grows line by line.
#pragma once
#include <string>

#include "tensor/system/posix.h"

namespace lookhere {

// What was written stays when the process is killed.
class AppendFile {
 public:
  // Opens it, creates it if it is not there, and cuts it to `size` bytes. Throws Error (Exit::io) if it is shorter
  // or another process has it.
  AppendFile(const std::string& path, long size);
  // The same for a file that must be new or empty.
  static AppendFile fresh(const std::string& path);
  void write(const std::string& text);  // in one system call
  void sync();                          // to the disk, before a checkpoint counts on it
  long size() const { return size_; }

 private:
  explicit AppendFile(const std::string& path);
  long present() const;  // bytes
  std::string path_;
  Descriptor descriptor_;
  long size_ = 0;
};

}  // namespace lookhere
