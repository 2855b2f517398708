// Log files. Appending with O_APPEND and one write per line: a kill leaves whole lines.
#include "vit/train/log.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/posix.h"

namespace lookhere {

AppendFile::AppendFile(const std::string& path, long size)
    : path_(path),
      descriptor_(retry([&] { return open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT, 0644); })),
      size_(size) {
  check_system(descriptor_ >= 0, "open", path);
  // The run's folder is locked as well, but NFS has locks for files alone.
  check_io(lock(descriptor_) != Lock::taken_elsewhere, path, ": in use by another process: is this run still going?");
  const long present = lseek(descriptor_, 0, SEEK_END);
  check_io(present >= size, path, ": wanted at least ", size, " bytes, as the checkpoint left it, got ", present);
  check_system(retry([&] { return ftruncate(descriptor_, size); }) == 0, "truncate", path);
}

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

namespace {

// Has the header that is a file's first line the last column?
bool is_whole_header(const std::string& line, const std::string& path) {
  const std::string whole = kSummaryHeader;
  check(line + '\n' == whole || line + '\n' == kTimmsHeader, path, ": wanted the header ",
        whole.substr(0, whole.size() - 1));
  return line + '\n' == whole;
}

}  // namespace

bool has_cross_entropy(const std::string& path) {
  const MappedFile file(path);
  return is_whole_header(std::string(file.text().substr(0, file.text().find('\n'))), path);
}

std::string to_csv(const EpochRow& row, bool with_cross_entropy) {
  return fmt::format("{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g}{}\n", row.epoch, row.train_loss, row.eval_loss,
                     row.eval_top1, row.eval_top5, row.lr,
                     with_cross_entropy ? fmt::format(",{:.6g}", row.train_cross_entropy) : "");
}

std::vector<EpochRow> read_summary(const std::string& path) {
  std::ifstream in(path);
  check_system(in.good(), "open", path);
  in.exceptions(std::ios::badbit);
  std::string line;
  std::getline(in, line);
  const bool all = is_whole_header(line, path);
  std::vector<EpochRow> rows;
  while (std::getline(in, line)) {
    EpochRow r;
    int end = 0, end_of_all = 0;
    std::sscanf(line.c_str(), "%ld,%lf,%lf,%lf,%lf,%lf%n,%lf%n", &r.epoch, &r.train_loss, &r.eval_loss, &r.eval_top1,
                &r.eval_top5, &r.lr, &end, &r.train_cross_entropy, &end_of_all);
    check((all ? end_of_all : end) == std::ssize(line) && !line.empty(), path, ": line ", rows.size() + 2,
          " is no row of ", all ? "seven" : "six", " numbers");
    rows.push_back(r);
  }
  return rows;
}

std::vector<EpochRow> read_summary_so_far(const std::string& path) {
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(path, missing);
  return missing || bytes == 0 ? std::vector<EpochRow>() : read_summary(path);
}

std::string to_json_line(const StepRow& row) {
  // JSON has no NaN: a loss or norm that is not finite is null.
  const auto number = [](double value) { return std::isfinite(value) ? fmt::format("{:.6g}", value) : "null"; };
  return fmt::format(
      "{{\"step\": {}, \"epoch\": {}, \"loss\": {}, \"lr\": {}, \"grad_norm\": {}, \"cross_entropy\": {}{}}}\n",
      row.step, row.epoch, number(row.loss), number(row.lr), number(row.gradient_norm), number(row.cross_entropy),
      row.skipped ? ", \"skipped\": true" : "");
}

}  // namespace lookhere
