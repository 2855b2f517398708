// IDX, the format of MNIST and its relatives: bytes 0 0 <element type> <number of sizes>, the sizes as big-endian u32,
// then the elements, row major and big-endian. Plain or compressed by gzip, told apart by content.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "vit/data/dataset.h"

namespace lookhere {

inline constexpr long kMaxIdxBytes = 4L << 30;  // a header that declares more is refused

template <class T>
struct IdxArray {
  std::vector<long> sizes;  // 1 to 4, each >= 1
  std::vector<T> values;
};

// T: std::uint8_t for pixels or std::uint16_t for labels. Elements may be of any of the format's types (u8, i8, i16,
// i32, f32, f64) but must be whole numbers that T holds. The file must hold exactly what its header declares, and no
// more memory is taken than the file really fills. Throws Error that names the file otherwise.
template <class T = std::uint8_t>
IdxArray<T> read_idx(const std::string& path);

// Images (n, h, w) or (n, c, h, w) with labels (n). There are as many classes as the highest label wants, named by
// their number; mean and std are left empty.
Dataset read_idx_dataset(const std::string& images, const std::string& labels);

}  // namespace lookhere
