// zlib over the mapped file. Its gz functions would be shorter, but they take whatever follows a stream for its end.
#include "vit/data/byte_reader.h"

#include <algorithm>
#include <cstring>

#include "tensor/error.h"
#include "tensor/out_of_memory.h"

namespace lookhere {
namespace {

constexpr long kPart = 1L << 20;           // bytes at a time
constexpr long kMaxDeflateRatio = 1032;    // a packed byte never stands for more
constexpr long kSmall = 64L << 20;         // bytes that any file may unpack to
constexpr long kPlausibleRatio = 100;      // of larger ones; images reach 10
constexpr int kGzipOnly = 16 + MAX_WBITS;  // for inflateInit2

}  // namespace

ByteReader::ByteReader(const std::string& path) : file_(path), compressed_(begins_stream(0)) {
  if (compressed_ && inflateInit2(&stream_, kGzipOnly) != Z_OK) throw OutOfMemory(0, "unpack", path.c_str());
}
ByteReader::~ByteReader() {
  if (compressed_) inflateEnd(&stream_);
}

bool ByteReader::begins_stream(long at) const {
  return file_.size() - at >= 2 && file_.data()[at] == 0x1F && file_.data()[at + 1] == 0x8B;
}

long ByteReader::limit() const {
  if (!compressed_) return file_.size();
  return std::max(std::min(kSmall, kMaxDeflateRatio * file_.size()), kPlausibleRatio * file_.size());
}

void ByteReader::read(std::uint8_t* out, long bytes, const char* what) {
  const long got = read_some(out, bytes);
  position_ += got;
  check(got == bytes, file_.path(), ": truncated in the ", what, " after ", position_, " bytes");
}

void ByteReader::expect_end() {
  std::uint8_t extra = 0;
  check(read_some(&extra, 1) == 0, file_.path(), ": more data than the header declares (", position_, " bytes)");
}

long ByteReader::read_some(std::uint8_t* out, long bytes) {
  const long begin = at_;
  long done = 0;
  if (compressed_) {
    done = unpack_some(out, bytes);
  } else {
    done = std::min(bytes, file_.size() - at_);
    if (done > 0) std::memcpy(out, file_.data() + at_, static_cast<std::size_t>(done));
    at_ += done;
  }
  if (at_ > begin) file_.release(file_.data() + begin, at_ - begin);
  return done;
}

long ByteReader::unpack_some(std::uint8_t* out, long bytes) {
  long done = 0;
  while (done < bytes) {
    const long left = file_.size() - at_;
    if (stream_ended_) {
      if (left == 0) break;
      check(begins_stream(at_), file_.path(), ": ", left, " bytes after the gzip stream belong to none");
      inflateReset(&stream_);
    }
    stream_.next_in = const_cast<unsigned char*>(file_.data() + at_);  // zlib does not write there
    stream_.avail_in = static_cast<unsigned>(std::min(left, kPart));
    stream_.next_out = out + done;
    stream_.avail_out = static_cast<unsigned>(std::min(bytes - done, kPart));
    const unsigned in = stream_.avail_in, room = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw OutOfMemory(0, "unpack", file_.path().c_str());
    check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, file_.path(),
          ": damaged gzip stream: ", stream_.msg ? stream_.msg : "no such method");
    check(status == Z_STREAM_END || stream_.avail_in < in || stream_.avail_out < room, file_.path(),
          ": unexpected end of file in the gzip stream after ", position_ + done, " bytes");
    at_ += in - stream_.avail_in;
    done += room - stream_.avail_out;
    stream_ended_ = status == Z_STREAM_END;
  }
  return done;
}

}  // namespace lookhere
