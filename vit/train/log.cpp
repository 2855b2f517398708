// The rows of the log files.
#include "vit/train/log.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/system/posix.h"

namespace lookhere {

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

// A last line without its end is left out: a full disk or a kill may cut one short, and a resumed run removes it.
std::vector<EpochRow> read_summary(const std::string& path) {
  std::ifstream in(path);
  check_system(in.good(), "open", path);
  in.exceptions(std::ios::badbit);
  std::string line;
  std::getline(in, line);
  const bool all = is_whole_header(line, path);
  std::vector<EpochRow> rows;
  while (std::getline(in, line) && !in.eof()) {
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
