// A file that is written completely or not at all: a temporary file beside it, which gets its name at the end.
#pragma once
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace kernels::emulator {

class WholeFile {
 public:
  // Throws std::runtime_error: "cannot write PATH: Permission denied". Only regular files are replaced, and of a link
  // its target.
  explicit WholeFile(const std::string& path);
  ~WholeFile();  // without commit() all is as it was
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  // What goes wrong here is reported by commit().
  void write(std::string_view text);
  // At last. Throws as the constructor does.
  void commit();

 private:
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_, target_, temporary_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
  int error_ = 0;  // errno of the first write that failed
};

}  // namespace kernels::emulator
