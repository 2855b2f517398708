// ByteReader: the bytes of a file from first to last, unpacked where it is gzip (RFC 1952), told apart by content.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>

#include "tensor/file.h"

namespace lookhere {

class ByteReader {
 public:
  // Throws Error (Exit::io) if the file cannot be opened.
  explicit ByteReader(const std::string& path);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  bool compressed() const { return compressed_; }
  long stored_bytes() const { return file_.size(); }
  // The most bytes that the file can give. For gzip less than what an attacker's could: a small file that unpacks to
  // gigabytes is no data set.
  long limit() const;

  // Reads exactly `bytes` bytes of `what`. Throws Error if there are fewer, or for a damaged gzip stream.
  void read(std::uint8_t* out, long bytes, const char* what);
  // Throws Error if anything is left: data, or bytes after the gzip stream. Several streams one after another are one.
  void expect_end();

 private:
  long read_some(std::uint8_t* out, long bytes);
  long unpack_some(std::uint8_t* out, long bytes);
  bool begins_stream(long at) const;

  MappedFile file_;
  bool compressed_;
  z_stream stream_{};
  bool stream_ended_ = false;
  long at_ = 0, position_ = 0;  // bytes of the file used, bytes given
};

}  // namespace lookhere
