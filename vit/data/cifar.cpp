// CIFAR records, checked against the size of their file before any are read.
#include "vit/data/cifar.h"

#include <array>
#include <filesystem>
#include <sstream>

#include "tensor/error.h"
#include "tensor/file.h"

namespace lookhere {
namespace {

constexpr long kPixels = 3 * 32 * 32;
constexpr long kMaxFileBytes = 4L << 30, kMaxNamesBytes = 64L << 10;

struct Format {
  long classes, coarse_classes;  // coarse_classes 0: records have no coarse label
  const char* names;
  std::array<float, 3> mean, std;  // of the published training images
  long record() const { return (coarse_classes ? 2 : 1) + kPixels; }
};
constexpr Format kCifar10{10, 0, "batches.meta.txt", {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}};
constexpr Format kCifar100{100, 20, "fine_label_names.txt", {0.5071F, 0.4865F, 0.4409F}, {0.2673F, 0.2564F, 0.2762F}};

std::string read_whole(const std::string& path, long limit) {
  std::error_code error;
  check_io(std::filesystem::is_regular_file(path, error), path, ": no such file");
  const MappedFile file(path);
  check(file.size() <= limit, path, ": ", file.size(), " bytes, more than the limit of ", limit);
  return std::string(file.text());
}

void append_records(Dataset& dataset, const std::string& path, const Format& format) {
  const std::string content = read_whole(path, kMaxFileBytes);
  const auto bytes = static_cast<long>(content.size());
  check(bytes > 0 && bytes % format.record() == 0, path, ": wanted a positive multiple of ", format.record(),
        " bytes, got ", bytes);
  dataset.pixels.reserve(dataset.pixels.size() + bytes / format.record() * kPixels);
  for (long at = 0; at < bytes; at += format.record()) {
    const auto* record = reinterpret_cast<const std::uint8_t*>(content.data()) + at;
    const auto* pixels = record + format.record() - kPixels;
    const int coarse = format.coarse_classes ? record[0] : 0, label = pixels[-1];
    check(label < format.classes, path, ": label ", label, " of record ", at / format.record(), " is not below ",
          format.classes);
    check(!format.coarse_classes || coarse < format.coarse_classes, path, ": coarse label ", coarse, " of record ",
          at / format.record(), " is not below ", format.coarse_classes);
    dataset.labels.push_back(label);
    dataset.pixels.insert(dataset.pixels.end(), pixels, pixels + kPixels);
  }
}

std::vector<std::string> class_names(const std::string& folder, const Format& format) {
  std::vector<std::string> names;
  const std::string path = (std::filesystem::path(folder) / format.names).string();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    for (long c = 0; c < format.classes; ++c) names.push_back(std::to_string(c));
    return names;
  }
  std::istringstream lines(read_whole(path, kMaxNamesBytes));
  lines.exceptions(std::ios::badbit);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  check(static_cast<long>(names.size()) == format.classes, path, ": wanted ", format.classes, " class names, got ",
        names.size());
  return names;
}

Dataset read_files(const std::string& folder, const std::vector<std::string>& files, const Format& format) {
  Dataset dataset;
  dataset.channels = 3;
  dataset.height = dataset.width = 32;
  dataset.classes = format.classes;
  dataset.mean.assign(format.mean.begin(), format.mean.end());
  dataset.std.assign(format.std.begin(), format.std.end());
  // Photographs may be mirrored; digits, directions and shoes that all point one way may not.
  dataset.mirror_by_default = true;
  dataset.class_names = class_names(folder, format);
  for (const std::string& file : files)
    append_records(dataset, (std::filesystem::path(folder) / file).string(), format);
  return dataset;
}

}  // namespace

Dataset read_cifar10(const std::string& folder, bool train) {
  std::vector<std::string> files{"test_batch.bin"};
  if (train)
    files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
  return read_files(folder, files, kCifar10);
}

Dataset read_cifar100(const std::string& folder, bool train) {
  return read_files(folder, {train ? "train.bin" : "test.bin"}, kCifar100);
}

}  // namespace lookhere
