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

struct Records {
  long classes, coarse_classes;  // coarse_classes 0: records have no coarse label
  const char* names;
  std::array<float, 3> mean, std;  // of the published training images
  long size() const { return (coarse_classes ? 2 : 1) + kPixels; }
};
constexpr Records kCifar10{10, 0, "batches.meta.txt", {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F}};
constexpr Records kCifar100{100, 20, "fine_label_names.txt", {0.5071F, 0.4865F, 0.4409F}, {0.2673F, 0.2564F, 0.2762F}};

std::string path_of(const std::string& folder, const std::string& file) {
  return (std::filesystem::path(folder) / file).string();
}
bool has(const std::string& folder, const char* file) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path_of(folder, file), ignored);
}

MappedFile open_file(const std::string& folder, const std::string& name, long limit) {
  MappedFile file(path_of(folder, name));
  check(file.size() <= limit, file.path(), ": ", file.size(), " bytes, more than the limit of ", limit);
  return file;
}

void append_records(const MappedFile& file, const Records& records, std::vector<std::int32_t>& labels,
                    std::vector<std::uint8_t>& pixels) {
  const std::string& path = file.path();
  check(file.size() > 0 && file.size() % records.size() == 0, path, ": wanted a positive multiple of ", records.size(),
        " bytes, got ", file.size());
  const long count = file.size() / records.size();
  pixels.reserve(pixels.size() + count * kPixels);
  for (long i = 0; i < count; ++i) {
    const std::uint8_t *record = file.data() + i * records.size(), *image = record + records.size() - kPixels;
    const int coarse = records.coarse_classes ? record[0] : 0, label = image[-1];
    check(label < records.classes, path, ": label ", label, " of record ", i, " is not below ", records.classes);
    check(!records.coarse_classes || coarse < records.coarse_classes, path, ": coarse label ", coarse, " of record ", i,
          " is not below ", records.coarse_classes);
    labels.push_back(label);
    pixels.insert(pixels.end(), image, image + kPixels);
  }
}

std::vector<std::string> class_names(const std::string& folder, const Records& records) {
  std::vector<std::string> names;
  if (!has(folder, records.names)) {
    for (long c = 0; c < records.classes; ++c) names.push_back(std::to_string(c));
    return names;
  }
  const MappedFile file = open_file(folder, records.names, kMaxNamesBytes);
  std::istringstream lines{std::string(file.text())};
  lines.exceptions(std::ios::badbit);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  check(static_cast<long>(names.size()) == records.classes, file.path(), ": wanted ", records.classes,
        " class names, got ", names.size());
  return names;
}

Dataset read_files(const std::string& folder, const std::vector<std::string>& files, const Records& records) {
  Dataset dataset;
  dataset.classes = records.classes;
  dataset.mean.assign(records.mean.begin(), records.mean.end());
  dataset.std.assign(records.std.begin(), records.std.end());
  // Photographs may be mirrored; digits, directions and shoes that all point one way may not.
  dataset.mirror_by_default = true;
  dataset.class_names = class_names(folder, records);
  std::vector<std::uint8_t> pixels;
  for (const std::string& file : files) {
    check_io(has(folder, file.c_str()), path_of(folder, file), ": no such file");
    append_records(open_file(folder, file, kMaxFileBytes), records, dataset.labels, pixels);
  }
  dataset.set_images(std::move(pixels), 3, 32, 32);
  return dataset;
}

}  // namespace

bool is_cifar10(const std::string& folder, bool) {
  return has(folder, "data_batch_1.bin") || has(folder, "test_batch.bin");
}
bool is_cifar100(const std::string& folder, bool) { return has(folder, "train.bin") || has(folder, "test.bin"); }

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
