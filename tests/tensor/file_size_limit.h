// A disk that is full, for tests of writing.
#pragma once
#include <sys/resource.h>

#include <csignal>

namespace lookhere {

// While it lives no file may grow past this many bytes: "File too large". Unlike missing permissions this stops root.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(long bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{static_cast<rlim_t>(bytes), before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_), std::signal(SIGXFSZ, handler_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace lookhere
