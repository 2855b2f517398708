// IDX files, read defensively: nothing is believed before it is compared with what the file holds.
#include "vit/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "tensor/out_of_memory.h"
#include "tensor/shape.h"

namespace lookhere {
namespace {

constexpr long kMaxDeflateRatio = 1032;  // a compressed byte never stands for more than this many
constexpr long kFirstPart = 1L << 20;    // bytes; an array grows from here only as fast as data arrives

// zlib's gz functions pass through files that do not begin with gzip's magic bytes: one path for both kinds.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code error;
    check_io(std::filesystem::is_regular_file(path, error), path, ": no such file");
    stored_bytes_ = static_cast<long>(std::filesystem::file_size(path, error));
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_ && errno == ENOMEM) throw OutOfMemory(0, "open", path.c_str());
    check_io(!error && file_, path, ": cannot open");
    gzbuffer(file_.get(), 1 << 17);
  }
  bool compressed() { return gzdirect(file_.get()) == 0; }
  long stored_bytes() const { return stored_bytes_; }

  // Reads exactly `bytes` bytes of `what`.
  void read(std::uint8_t* out, long bytes, const char* what) {
    const long got = read_some(out, bytes);
    check(got == bytes, path_, ": truncated in the ", what, " after ", position_, " bytes");
  }
  void expect_end() {
    std::uint8_t extra = 0;
    const long declared = position_;
    check(read_some(&extra, 1) == 0, path_, ": more data than the header declares (", declared, " bytes)");
  }

 private:
  long read_some(std::uint8_t* out, long bytes) {
    long done = 0;
    while (done < bytes) {
      const int got = gzread(file_.get(), out + done, static_cast<unsigned>(std::min(bytes - done, 1L << 30)));
      if (got <= 0) break;
      done += got;
    }
    position_ += done;
    int status = Z_OK;  // also tells of a gzip stream that ends early or fails its checksum
    const char* message = gzerror(file_.get(), &status);
    if (status == Z_MEM_ERROR) throw OutOfMemory(0, "read", path_.c_str());
    check(status == Z_OK, status == Z_ERRNO ? path_ + ": cannot read" : std::string(message));
    return done;
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  long stored_bytes_ = 0, position_ = 0;
};

std::vector<long> read_sizes(Reader& reader, const std::string& path) {
  std::uint8_t head[4], size[4];
  reader.read(head, 4, "header");
  check(head[0] == 0 && head[1] == 0, path, ": not an IDX file: wanted it to begin with bytes 0 0, got ", int{head[0]},
        " ", int{head[1]});
  check(head[2] == 8, path, ": wanted unsigned bytes (type 8), got type ", int{head[2]});
  check(1 <= head[3] && head[3] <= 4, path, ": wanted 1 to 4 sizes, got ", int{head[3]});
  std::vector<long> sizes;
  for (int i = 0; i < head[3]; ++i) {
    reader.read(size, 4, "header");
    sizes.push_back(long{size[0]} << 24 | long{size[1]} << 16 | long{size[2]} << 8 | long{size[3]});
    check(sizes.back() > 0, path, ": size ", i, " is 0");
  }
  return sizes;
}

}  // namespace

IdxArray read_idx(const std::string& path) {
  Reader reader(path);
  IdxArray array;
  array.sizes = read_sizes(reader, path);
  const Shape shape(array.sizes);
  const long header = 4 + 4 * shape.rank();
  long bytes = 1;
  for (long size : shape) {
    check(size <= kMaxIdxBytes / bytes, path, ": ", shape, " is more than the limit of ", kMaxIdxBytes, " bytes");
    bytes *= size;  // cannot wrap
  }
  const bool possible = reader.compressed() ? bytes <= checked_mul(reader.stored_bytes(), kMaxDeflateRatio)
                                            : bytes + header == reader.stored_bytes();
  check(possible, path, ": the header declares ", shape, " and so ", bytes + header, " bytes, the file has ",
        reader.stored_bytes(), reader.compressed() ? " compressed" : "");
  for (long done = 0, part = 0; done < bytes; done += part) {
    part = std::min(bytes - done, std::max(done, kFirstPart));
    array.values.resize(done + part);
    reader.read(array.values.data() + done, part, "elements");
  }
  reader.expect_end();
  return array;
}

Dataset read_idx_dataset(const std::string& images, const std::string& labels) {
  IdxArray array = read_idx(images);
  const std::vector<long>& sizes = array.sizes;
  const std::size_t rank = sizes.size();
  check(rank >= 3, images, ": images want 3 sizes (n, h, w) or 4 (n, c, h, w), got ", rank);
  const IdxArray names = read_idx(labels);
  check(names.sizes.size() == 1, labels, ": labels want 1 size, got ", names.sizes.size());
  check(names.sizes[0] == sizes[0], labels, ": wanted ", sizes[0], " labels, one per image, got ", names.sizes[0]);

  Dataset dataset;
  dataset.channels = rank == 4 ? sizes[1] : 1;
  dataset.height = sizes[rank - 2];
  dataset.width = sizes[rank - 1];
  dataset.pixels = std::move(array.values);
  dataset.labels.assign(names.values.begin(), names.values.end());
  dataset.classes = 1 + *std::max_element(dataset.labels.begin(), dataset.labels.end());
  for (long c = 0; c < dataset.classes; ++c) dataset.class_names.push_back(std::to_string(c));
  return dataset;
}

}  // namespace lookhere
