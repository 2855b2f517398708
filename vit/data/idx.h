// IDX, the format of MNIST and its relatives: bytes 0 0 <element type> <number of sizes>, the sizes as big-endian u32,
// then the elements, row major. Plain or compressed by gzip, told apart by content.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "vit/data/dataset.h"

namespace lookhere {

inline constexpr long kMaxIdxBytes = 4L << 30;  // a header that declares more is refused

struct IdxArray {
  std::vector<long> sizes;  // 1 to 4, each >= 1
  std::vector<std::uint8_t> values;
};

// Only unsigned bytes are read. The file must hold exactly what its header declares, and no more memory is taken than
// the file really fills. Throws Error that names the file otherwise.
IdxArray read_idx(const std::string& path);

// Images (n, h, w) or (n, c, h, w) with labels (n). There are as many classes as the highest label wants, named by
// their number; mean and std are left empty.
Dataset read_idx_dataset(const std::string& images, const std::string& labels);

}  // namespace lookhere
