// IDX files, read defensively: nothing is believed before it is compared with what the file holds.
#include "vit/data/idx.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/shape.h"
#include "vit/data/byte_reader.h"

namespace lookhere {
namespace {

constexpr long kPart = 1L << 20;  // elements; an array grows only as fast as data arrives

// A big-endian element as a double, which holds all of these types exactly.
template <class T, class Bits>
double value_of(const std::uint8_t* bytes) {
  Bits bits = 0;
  for (std::size_t i = 0; i < sizeof(Bits); ++i) bits = static_cast<Bits>(bits << 8 | bytes[i]);
  return static_cast<double>(std::bit_cast<T>(bits));
}

struct Kind {
  int type;
  long size;  // bytes per element
  double (*value)(const std::uint8_t*);
};
constexpr int kBytes = 8;
constexpr std::array<Kind, 6> kKinds{{{kBytes, 1, nullptr},  // copied as they are
                                      {9, 1, value_of<std::int8_t, std::uint8_t>},
                                      {11, 2, value_of<std::int16_t, std::uint16_t>},
                                      {12, 4, value_of<std::int32_t, std::uint32_t>},
                                      {13, 4, value_of<float, std::uint32_t>},
                                      {14, 8, value_of<double, std::uint64_t>}}};

struct Header {
  Kind kind;
  std::vector<long> sizes;
  long count;  // elements
};

Header read_header(ByteReader& reader, const std::string& path) {
  std::uint8_t head[4], size[4];
  reader.read(head, 4, "header");
  check(head[0] == 0 && head[1] == 0, path, ": not an IDX file: wanted it to begin with bytes 0 0, got ", int{head[0]},
        " ", int{head[1]});
  const auto* kind = std::ranges::find(kKinds, int{head[2]}, &Kind::type);
  check(kind != kKinds.end(), path, ": wanted elements of type 8, 9, 11, 12, 13 or 14, got type ", int{head[2]});
  check(1 <= head[3] && head[3] <= 4, path, ": wanted 1 to 4 sizes, got ", int{head[3]});
  Header header{*kind, {}, 1};
  for (int i = 0; i < head[3]; ++i) {
    reader.read(size, 4, "header");
    header.sizes.push_back(long{size[0]} << 24 | long{size[1]} << 16 | long{size[2]} << 8 | long{size[3]});
    check(header.sizes.back() > 0, path, ": size ", i, " is 0");
  }
  const Shape shape(header.sizes);
  for (long n : shape) {
    check(n <= kMaxIdxBytes / kind->size / header.count, path, ": ", shape, " of type ", kind->type,
          " is more than the limit of ", kMaxIdxBytes, " bytes");
    header.count *= n;  // cannot wrap
  }
  const long bytes = header.count * kind->size + 4 + 4 * shape.rank();
  check(reader.compressed() ? bytes <= reader.limit() : bytes == reader.stored_bytes(), path, ": the header declares ",
        shape, " and so ", bytes, " bytes, the file has ", reader.stored_bytes(),
        reader.compressed() ? " compressed" : "");
  return header;
}

}  // namespace

template <class T>
IdxArray<T> read_idx(const std::string& path) {
  ByteReader reader(path);
  const Header header = read_header(reader, path);
  const Kind& kind = header.kind;
  constexpr double kMost = std::numeric_limits<T>::max();
  IdxArray<T> array{.sizes = header.sizes, .values = {}};
  array.values.reserve(header.count);  // memory is taken when it is written to
  std::vector<std::uint8_t> part(std::min(header.count, kPart) * kind.size);
  for (long done = 0; done < header.count;) {
    const long count = std::min(header.count - done, kPart);
    reader.read(part.data(), count * kind.size, "elements");
    if (kind.type == kBytes) array.values.insert(array.values.end(), part.begin(), part.begin() + count);
    for (long i = 0; i < count && kind.type != kBytes; ++i) {
      const double value = kind.value(part.data() + i * kind.size);
      check(value >= 0 && value <= kMost && value == std::floor(value), path, ": element ", done + i,
            " must be a whole number from 0 to ", kMost, ", got ", value);
      array.values.push_back(static_cast<T>(value));
    }
    done += count;
  }
  reader.expect_end();
  return array;
}
template IdxArray<std::uint8_t> read_idx(const std::string&);
template IdxArray<std::uint16_t> read_idx(const std::string&);

Dataset read_idx_dataset(const std::string& images, const std::string& labels) {
  IdxArray<std::uint8_t> array = read_idx<std::uint8_t>(images);
  const std::vector<long>& sizes = array.sizes;
  const std::size_t rank = sizes.size();
  check(rank >= 3, images, ": images want 3 sizes (n, h, w) or 4 (n, c, h, w), got ", rank);
  const IdxArray<std::uint16_t> names = read_idx<std::uint16_t>(labels);
  check(names.sizes.size() == 1, labels, ": labels want 1 size, got ", names.sizes.size());
  check(names.sizes[0] == sizes[0], labels, ": wanted ", sizes[0], " labels, one per image, got ", names.sizes[0]);

  Dataset dataset;
  dataset.set_images(std::move(array.values), rank == 4 ? sizes[1] : 1, sizes[rank - 2], sizes[rank - 1]);
  dataset.labels.assign(names.values.begin(), names.values.end());
  dataset.classes = 1 + *std::max_element(dataset.labels.begin(), dataset.labels.end());
  for (long c = 0; c < dataset.classes; ++c) dataset.class_names.push_back(std::to_string(c));
  return dataset;
}

}  // namespace lookhere
