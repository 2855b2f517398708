// Files as torch.save writes them, made by hand: pickles out of opcodes, zip archives out of entries.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tensor/error.h"

namespace lookhere {

template <class T>
std::string little_endian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// -- pickles: each of these leaves one value on the stack
// --------------------------------------------------------------
inline std::string text_op(const std::string& text) { return 'X' + little_endian<std::uint32_t>(text.size()) + text; }
inline std::string integer_op(long value) { return "\x8a\x08" + little_endian<std::int64_t>(value); }
inline std::string tuple_op(const std::vector<long>& values) {
  std::string tuple = "(";
  for (const long value : values) tuple += integer_op(value);
  return tuple + 't';
}
inline std::string storage_op(const std::string& type, const std::string& key, long elements) {
  return "(" + text_op("storage") + "ctorch\n" + type + '\n' + text_op(key) + text_op("cpu") + integer_op(elements) +
         "tQ";
}
// _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, backward_hooks)
inline std::string tensor_op(const std::string& storage, long offset, const std::vector<long>& sizes,
                             const std::vector<long>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer_op(offset) + tuple_op(sizes) + tuple_op(strides) +
         "\x89" + "ccollections\nOrderedDict\n)RtR";
}
using Pairs = std::vector<std::pair<std::string, std::string>>;  // a key's name and a value's opcodes
inline std::string dict_op(const Pairs& pairs) {
  std::string dict = "}(";
  for (const auto& [key, value] : pairs) dict += text_op(key) + value;
  return dict + 'u';
}
inline std::string pickle_of(const std::string& value) { return "\x80\x02" + value + '.'; }

// -- zip archives
// ------------------------------------------------------------------------------------------------------
struct ZipEntry {
  std::string name, bytes;
  std::uint16_t method = 0, flags = 0;
  bool zip64 = false;  // sizes and place in a field of their own
  std::uint32_t spoil_crc = 0;
};
inline std::string zip_of(const std::vector<ZipEntry>& entries, const std::string& comment = "", bool zip64 = false) {
  std::string file, directory;
  const auto u16 = [](std::size_t value) { return little_endian(static_cast<std::uint16_t>(value)); };
  const auto u32 = [](std::size_t value) { return little_endian(static_cast<std::uint32_t>(value)); };
  const auto u64 = [](std::size_t value) { return little_endian(static_cast<std::uint64_t>(value)); };
  for (const ZipEntry& e : entries) {
    const auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const unsigned char*>(e.bytes.data()), static_cast<unsigned>(e.bytes.size())));
    const std::size_t at = file.size(), size = e.zip64 ? 0xFFFFFFFFU : e.bytes.size();
    const std::string extra =
        e.zip64 ? u16(9) + u16(1) + '?' + u16(1) + u16(24) + u64(e.bytes.size()) + u64(e.bytes.size()) + u64(at) : "";
    const std::string middle =
        u16(e.flags) + u16(e.method) + u32(0) + u32(crc ^ e.spoil_crc) + u32(size) + u32(size) + u16(e.name.size());
    file += "PK\3\4" + u16(45) + middle + u16(3) + e.name + "FB?" + e.bytes;
    directory += "PK\1\2" + u16(0) + u16(45) + middle + u16(extra.size()) + u16(0) + u16(0) + u16(0) + u32(0) +
                 u32(e.zip64 ? 0xFFFFFFFFU : at) + e.name + extra;
  }
  const std::size_t begin = file.size(), count = entries.size();
  file += directory;
  if (zip64) {
    const std::size_t at = file.size();
    file += "PK\6\6" + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(count) + u64(count) + u64(directory.size()) +
            u64(begin) + "PK\6\7" + u32(0) + u64(at) + u32(1);
  }
  return file + "PK\5\6" + u16(0) + u16(0) + u16(zip64 ? 0xFFFF : count) + u16(zip64 ? 0xFFFF : count) +
         u32(zip64 ? 0xFFFFFFFFU : directory.size()) + u32(zip64 ? 0xFFFFFFFFU : begin) + u16(comment.size()) + comment;
}

// A file of torch.save: the pickle of `value`, and storages by key.
inline std::string torch_file_of(const std::string& value, const Pairs& storages) {
  std::vector<ZipEntry> entries{{.name = "a/data.pkl", .bytes = pickle_of(value)},
                                {.name = "a/byteorder", .bytes = "little"}};
  for (const auto& [key, bytes] : storages) entries.push_back({.name = "a/data/" + key, .bytes = bytes});
  entries.push_back({.name = "a/version", .bytes = "3\n"});
  return zip_of(entries);
}

}  // namespace lookhere
