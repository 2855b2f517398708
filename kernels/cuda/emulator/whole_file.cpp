// Files by way of the C library, which says why something failed.
#include "kernels/cuda/emulator/whole_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "kernels/cuda/emulator/text.h"

namespace kernels::emulator {

namespace fs = std::filesystem;

WholeFile::WholeFile(const std::string& path) : path_(path), target_(path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  // Renaming over /dev/null would work for root, and break the machine.
  if (fs::exists(status) && !fs::is_regular_file(status)) fail("not a regular file");
  if (fs::exists(status)) target_ = fs::canonical(path, code).string();
  temporary_ = text(target_, ".tmp-", ::getpid());
  file_.reset(std::fopen(temporary_.c_str(), "wb"));
  if (!file_) fail(std::strerror(errno));
}

WholeFile::~WholeFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void WholeFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() && !error_) error_ = errno;
}

void WholeFile::commit() {
  if (std::fclose(file_.release()) != 0 && !error_) error_ = errno;
  if (!error_ && std::rename(temporary_.c_str(), target_.c_str()) != 0) error_ = errno;
  if (error_) fail(std::strerror(error_));
  temporary_.clear();
}

void WholeFile::fail(const std::string& why) const {
  throw std::runtime_error(text("cannot write ", path_, ": ", why));
}

}  // namespace kernels::emulator
