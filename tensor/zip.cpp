// Every number of the archive is checked against the file's size before it is used (APPNOTE.TXT 6.3, sections 4.3 and
// 4.5.3).
#include "tensor/zip.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/error.h"

namespace lookhere {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers of the archive are read as memory");

constexpr std::uint64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kDirectoryBytes = 46, kLocalBytes = 30;

// A part of the file, and numbers in it.
class Bytes {
 public:
  Bytes(const MappedFile& file) : file_(file) {}
  std::uint64_t size() const { return file_.text().size(); }
  std::string_view part(std::uint64_t at, std::uint64_t count, const char* what) const {
    check(at <= size() && count <= size() - at, file_.path(), ": damaged zip archive: ", what, " at byte ", at,
          " with ", count, " bytes, but the file has ", size());
    return file_.text().substr(at, count);
  }
  // A record of `count` bytes that begins with a signature.
  std::string_view record(std::uint64_t at, std::uint64_t count, std::string_view signature, const char* what) const {
    const std::string_view bytes = part(at, count, what);
    check(bytes.starts_with(signature), file_.path(), ": damaged zip archive: no ", what, " at byte ", at);
    return bytes;
  }

 private:
  const MappedFile& file_;
};

template <class T>
T number(std::string_view bytes, std::size_t at) {
  T value = 0;
  check(at + sizeof value <= bytes.size(), "zip archive: a record ends too early");
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct Directory {
  std::uint64_t entries, bytes, at;
};

Directory find_directory(const MappedFile& file) {
  const std::string_view text = file.text();
  constexpr std::size_t kLongestComment = 0xFFFF;
  const std::size_t first = text.size() - std::min(text.size(), kEndBytes + kLongestComment);
  std::size_t end = text.npos;
  for (std::size_t at = text.size(); at-- > first && end == text.npos;)
    if (text.substr(at).starts_with("PK\5\6") && text.size() - at >= kEndBytes &&
        number<std::uint16_t>(text, at + 20) == text.size() - at - kEndBytes)
      end = at;
  check(end != text.npos, file.path(), ": a zip archive that is cut off or damaged: it has no end record");
  const std::string_view record = text.substr(end, kEndBytes);
  Directory found{.entries = number<std::uint16_t>(record, 10),
                  .bytes = number<std::uint32_t>(record, 12),
                  .at = number<std::uint32_t>(record, 16)};
  const Bytes bytes(file);
  if (end >= kLocatorBytes && text.substr(end - kLocatorBytes).starts_with("PK\6\7")) {
    const std::uint64_t at = number<std::uint64_t>(text, end - kLocatorBytes + 8);
    const std::string_view end64 = bytes.record(at, kEnd64Bytes, "PK\6\6", "zip64 end record");
    found = {.entries = number<std::uint64_t>(end64, 32),
             .bytes = number<std::uint64_t>(end64, 40),
             .at = number<std::uint64_t>(end64, 48)};
  }
  check(found.entries <= StoredZip::kMaxEntries, file.path(), ": a zip archive of ", found.entries,
        " entries, at most ", StoredZip::kMaxEntries);
  bytes.part(found.at, found.bytes, "directory");
  return found;
}

// Sizes and place of an entry: those that the directory has no room for stand in its zip64 field, in this order.
struct Place {
  std::uint64_t size, packed, at;
};
Place place_of(std::string_view header, std::string_view extra) {
  Place place{.size = number<std::uint32_t>(header, 24),
              .packed = number<std::uint32_t>(header, 20),
              .at = number<std::uint32_t>(header, 42)};
  while (extra.size() >= 4) {
    const auto id = number<std::uint16_t>(extra, 0), bytes = number<std::uint16_t>(extra, 2);
    std::string_view field = extra.substr(4, bytes);
    extra.remove_prefix(std::min<std::size_t>(extra.size(), 4U + bytes));
    if (id != 1) continue;
    for (std::uint64_t* value : {&place.size, &place.packed, &place.at})
      if (*value == 0xFFFFFFFFU) {
        *value = number<std::uint64_t>(field, 0);
        field.remove_prefix(8);
      }
  }
  return place;
}

}  // namespace

StoredZip::StoredZip(const MappedFile& file) : file_(file) {
  check(begins(file.text()), file.path(), ": not a zip archive");
  const Directory directory = find_directory(file);
  const Bytes bytes(file);
  std::uint64_t at = directory.at;
  const std::uint64_t end = directory.at + directory.bytes;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    const std::string_view header = bytes.record(at, kDirectoryBytes, "PK\1\2", "directory entry");
    const auto name_bytes = number<std::uint16_t>(header, 28), extra_bytes = number<std::uint16_t>(header, 30);
    const std::string name(bytes.part(at + kDirectoryBytes, name_bytes, "name"));
    const Place place = place_of(header, bytes.part(at + kDirectoryBytes + name_bytes, extra_bytes, "directory entry"));
    const std::string_view local = bytes.record(place.at, kLocalBytes, "PK\3\4", "entry");
    const std::uint64_t begin =
        place.at + kLocalBytes + number<std::uint16_t>(local, 26) + number<std::uint16_t>(local, 28);
    const bool encrypted = number<std::uint16_t>(header, 8) % 2 != 0;
    const bool stored = number<std::uint16_t>(header, 10) == 0 && place.packed == place.size && !encrypted;
    const Entry entry{
        .bytes = bytes.part(begin, place.packed, "entry"), .crc = number<std::uint32_t>(header, 16), .stored = stored};
    check(entries_.emplace(name, entry).second, file.path(), ": damaged zip archive: entry ", shown(name),
          " appears twice");
    at += kDirectoryBytes + name_bytes + extra_bytes + number<std::uint16_t>(header, 32);
    check(at <= end, file.path(), ": damaged zip archive: the directory is longer than it says");
  }
}

std::string StoredZip::find_ending(std::string_view end) const {
  for (const auto& [name, entry] : entries_)
    if (name.ends_with(end)) return name;
  return "";
}

const StoredZip::Entry& StoredZip::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  check(found != entries_.end(), file_.path(), ": the archive has no entry ", shown(name));
  check(found->second.stored, file_.path(), ": entry ", shown(name),
        " is packed or encrypted: torch.save stores entries as they are");
  return found->second;
}

std::string_view StoredZip::read(const std::string& name) const {
  const Entry& found = entry(name);
  const auto* bytes = reinterpret_cast<const unsigned char*>(found.bytes.data());
  check(crc32_z(0, bytes, found.bytes.size()) == found.crc, file_.path(), ": entry ", shown(name),
        " does not match its CRC-32: the file is damaged");
  return found.bytes;
}

}  // namespace lookhere
