// A zip archive whose entries are stored as they are, as torch.save writes them: their bytes by name, out of the mapped
// file. Only the central directory decides; nothing is unpacked, and no name is ever a path of the file system.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tensor/file.h"

namespace lookhere {

class StoredZip {
 public:
  static constexpr long kMaxEntries = 1 << 17;

  // Zip64 too. Throws Error, naming the file: not a zip, cut off, sizes beyond the file, names that appear twice.
  // `file` must outlive it.
  explicit StoredZip(const MappedFile& file);
  static bool begins(std::string_view bytes) { return bytes.starts_with("PK\3\4"); }

  // An entry's name, if there is one that ends so; the first in the order of names.
  std::string find_ending(std::string_view end) const;
  bool contains(const std::string& name) const { return entries_.contains(name); }
  // The bytes that `read` would give. Throws Error if there is no such entry, or it is packed or encrypted.
  long size_of(const std::string& name) const { return static_cast<long>(entry(name).bytes.size()); }
  // Throws Error as size_of does, and if the bytes are not what their CRC-32 says.
  std::string_view read(const std::string& name) const;

 private:
  struct Entry {
    std::string_view bytes;
    std::uint32_t crc;
    bool stored;
  };
  const Entry& entry(const std::string& name) const;
  const MappedFile& file_;
  std::map<std::string, Entry> entries_;
};

}  // namespace lookhere
