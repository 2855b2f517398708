// Files of data sets, made byte by byte.
#pragma once
#include <zlib.h>

#include <bit>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/testing.h"
#include "vit/data/dataset.h"

namespace lookhere {

// The value's bytes, highest first.
template <class T>
std::string big_endian(T value) {
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
  return {bytes.rbegin(), bytes.rend()};
}
inline std::string idx_header(const std::vector<std::uint32_t>& sizes, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) bytes += big_endian(size);
  return bytes;
}
inline std::string gzip(const std::string& bytes) {
  const TemporaryFolder folder;
  gzFile file = gzopen((folder / "x").c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return read_file(folder / "x");
}

// A CIFAR record: label bytes, then planes filled with red, green and blue.
inline std::string cifar_record(const std::string& labels, char red = 1, char green = 2, char blue = 3) {
  return labels + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}
// All pixels of a set, image after image.
inline std::vector<std::uint8_t> pixels_of(const Dataset& dataset) {
  std::vector<std::uint8_t> pixels, buffer;
  for (long i = 0; i < dataset.size(); ++i) {
    const Image image = dataset.read(i, buffer);
    pixels.insert(pixels.end(), image.pixels, image.pixels + image.numel());
  }
  return pixels;
}
inline std::string byte(int value) { return std::string(1, static_cast<char>(value)); }

// The folder of published data sets for a while. Restores the variable, so that tests do not see each other's.
class DataFolder {
 public:
  explicit DataFolder(const std::string& path) {
    if (const char* old = std::getenv("LOOKHERE_DATA")) old_ = old;
    setenv("LOOKHERE_DATA", path.c_str(), 1);
  }
  ~DataFolder() { old_.empty() ? unsetenv("LOOKHERE_DATA") : setenv("LOOKHERE_DATA", old_.c_str(), 1); }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

 private:
  std::string old_;
};

}  // namespace lookhere
