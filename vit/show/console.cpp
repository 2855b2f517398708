// The two streams. The first failure's errno is kept: by the end of the program another call has overwritten it.
#include "vit/show/console.h"

#include <cerrno>
#include <cstdio>

#include "tensor/system/posix.h"

namespace lookhere {
namespace {

int first_failure = 0;  // errno

void note_failure(bool ok) {
  if (!ok && !first_failure) first_failure = errno ? errno : EIO;
}

}  // namespace

void write_to_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::clearerr(stderr);  // a disk that was full may have room again
}

void write_to_stdout(const std::string& text) {
  errno = 0;
  note_failure(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

void finish_output() {
  errno = 0;
  note_failure(std::fflush(stdout) == 0 && !std::ferror(stdout));
  errno = first_failure;
  check_system(!first_failure, "write to", "standard output");
}

}  // namespace lookhere
