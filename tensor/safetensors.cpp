// Reading and writing safetensors, header checks aside (tensor/safetensors_header.cpp).
#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tensor/half.h"
#include "tensor/hash.h"

namespace lookhere {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors and npy files are read and written as memory");

constexpr long kLengthBytes = sizeof(std::uint64_t);

Tensor read_half(const Shape& shape, const unsigned char* from) {
  Tensor t = empty(shape, Dtype::f32, Device::cpu);
  for (long i = 0; i < t.numel(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, from + i * 2, 2);  // a file may place it at an odd address
    t.host<float>()[i] = from_half(half);
  }
  return t;
}

const char* stored_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return "F32";
    case Dtype::f64:
      return "F64";
    case Dtype::bf16:
      return "BF16";
    case Dtype::i64:
      return "I64";
  }
  return "?";
}

// The reference implementation's order, widest first, so that every tensor is aligned.
int rank(Dtype dtype) {
  switch (dtype) {
    case Dtype::i64:
      return 0;
    case Dtype::f64:
      return 1;
    case Dtype::f32:
      return 2;
    case Dtype::bf16:
      return 3;
  }
  return 4;
}

// `text` as a JSON string.
std::string json_string(const std::string& text, const std::string& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail("cannot write ", path, ": ", shown(text), " is not UTF-8");
  }
}

std::string json_list(const auto& numbers) {
  std::string list;
  for (const long number : numbers) list += (list.empty() ? "" : ",") + std::to_string(number);
  return '[' + list + ']';
}

using FileOrder = std::vector<const NamedTensors::value_type*>;

FileOrder in_file_order(const std::string& path, const NamedTensors& tensors) {
  check(std::ssize(tensors) <= SafetensorsHeader::kMaxTensors, "cannot write ", path, ": ", tensors.size(),
        " tensors, at most ", SafetensorsHeader::kMaxTensors);
  FileOrder order;
  std::map<std::string, bool> seen;
  for (const auto& item : tensors) {
    const auto& [name, tensor] = item;
    check(tensor.defined(), "cannot write ", path, ": tensor ", shown(name), " has no value");
    check(std::ssize(name) <= SafetensorsHeader::kMaxName && name != SafetensorsHeader::kMetadata, "cannot write ",
          path, ": ", shown(name), " cannot name a tensor");
    check(seen.emplace(name, true).second, "cannot write ", path, ": tensor ", shown(name), " appears twice");
    order.push_back(&item);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const int x = rank(a->second.dtype()), y = rank(b->second.dtype());
    return x != y ? x < y : a->first < b->first;
  });
  return order;
}

// Hashes are stored as 16 hexadecimal digits each, those of the tensors one after another as they lie in the file.
constexpr const char *kTensorHashes = "xxh3.tensors", *kMetadataHash = "xxh3.metadata";
constexpr std::size_t kDigits = 16;

std::string metadata_hash(const Metadata& metadata) {
  std::string all;
  for (const auto& [key, value] : metadata)
    if (key != kMetadataHash) all += concat(key.size(), ' ', key, ' ', value.size(), ' ', value, '\n');
  return to_hex(hash_of(all.data(), std::ssize(all)));
}

void add_hashes(Metadata& metadata, const FileOrder& order) {
  metadata[kTensorHashes].clear();
  for (const auto* item : order) {
    const Tensor values = item->second.to(Device::cpu);
    metadata[kTensorHashes] += to_hex(hash_of(values.host<std::byte>(), values.bytes()));
  }
  metadata[kMetadataHash] = metadata_hash(metadata);
}

void check_metadata(const SafetensorsHeader& header, const std::string& path) {
  const auto tensors = header.metadata.find(kTensorHashes), own = header.metadata.find(kMetadataHash);
  if (tensors == header.metadata.end() && own == header.metadata.end()) return;  // another program's file
  const bool whole = tensors != header.metadata.end() && own != header.metadata.end() &&
                     own->second == metadata_hash(header.metadata) &&
                     tensors->second.size() == kDigits * header.entries.size();
  check(whole, path,
        ": the metadata does not match its hash: the file is damaged, or was changed by a program that kept ",
        kTensorHashes, " and ", kMetadataHash, " in the metadata");
}

}  // namespace

Safetensors::Safetensors(const std::string& path) : file_(path) {
  const long rest = file_.size() - kLengthBytes;
  check(rest >= 2, path, ": not a safetensors file: ", file_.size(), " bytes, the smallest has ", kLengthBytes + 2);
  check(!file_.text().starts_with("PK"), path,
        ": not a safetensors file but a zip archive, as PyTorch's checkpoints are: `lookhere import` reads those");
  std::uint64_t length = 0;
  std::memcpy(&length, file_.data(), kLengthBytes);
  check(length >= 2 && length <= SafetensorsHeader::kMaxBytes, path, ": not a safetensors file: header length ", length,
        ", wanted 2 to ", SafetensorsHeader::kMaxBytes);
  const long header_bytes = static_cast<long>(length);
  check(header_bytes <= rest, path, ": header length ", header_bytes, ", but only ", rest, " bytes follow");
  data_begin_ = kLengthBytes + header_bytes;
  header_ = parse_safetensors_header(file_.text().substr(kLengthBytes, length), rest - header_bytes, path);
  check_metadata(header_, path);
  for (std::size_t i = 0; i < entries().size(); ++i) index_.emplace(entries()[i].name, i);
}

Tensor Safetensors::read(const std::string& name) const {
  const auto found = index_.find(name);
  check(found != index_.end(), path(), ": no tensor ", shown(name));
  const Entry& entry = entries()[found->second];
  const unsigned char* from = file_.data() + data_begin_ + entry.begin;
  if (const auto hashes = metadata().find(kTensorHashes); hashes != metadata().end())
    check(hashes->second.substr(kDigits * found->second, kDigits) == to_hex(hash_of(from, entry.end - entry.begin)),
          path(), ": tensor ", shown(name), " does not match its hash: the file is damaged");
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::i64}) {
    if (entry.dtype != stored_name(dtype)) continue;
    Tensor t = empty(entry.shape, dtype, Device::cpu);
    std::memcpy(t.host<std::byte>(), from, static_cast<std::size_t>(t.bytes()));
    file_.release(from, t.bytes());
    return t;
  }
  check(entry.dtype == "F16", path(), ": tensor ", shown(name), ": wanted F32, F64, BF16, F16 or I64, got ",
        entry.dtype);
  Tensor t = read_half(entry.shape, from);
  file_.release(from, entry.end - entry.begin);
  return t;
}

void save_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata, Hashes hashes) {
  const FileOrder order = in_file_order(path, tensors);
  Metadata given = metadata;
  given.emplace("format", "pt");
  Metadata complete = given;
  if (hashes == Hashes::all || given.contains(kTensorHashes) || given.contains(kMetadataHash))
    add_hashes(complete, order);
  for (const char* key : {kTensorHashes, kMetadataHash})
    check(!given.contains(key) || given == complete, "cannot write ", path, ": ", key,
          " in the metadata is not the hash of what is written");
  std::string header;
  for (const auto& [key, value] : complete)
    header += (header.empty() ? "" : ",") + json_string(key, path) + ':' + json_string(value, path);
  header = concat("{\"", SafetensorsHeader::kMetadata, "\":{", header, '}');
  long end = 0;
  for (const auto* item : order) {
    const auto& [name, tensor] = *item;
    const long begin = std::exchange(end, end + tensor.bytes());
    header += concat(',', json_string(name, path), ":{\"dtype\":\"", stored_name(tensor.dtype()),
                     "\",\"shape\":", json_list(tensor.shape()),
                     ",\"data_offsets\":", json_list(std::initializer_list<long>{begin, end}), '}');
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  check(std::ssize(header) <= SafetensorsHeader::kMaxBytes, "cannot write ", path, ": its header would have ",
        header.size(), " bytes, at most ", SafetensorsHeader::kMaxBytes);
  write_atomically(path, [&](FileWriter& out) {
    const std::uint64_t length = header.size();
    out.write(&length, kLengthBytes);
    out.write(header);
    for (const auto* item : order) {
      const Tensor values = item->second.to(Device::cpu);
      out.write(values.host<std::byte>(), values.bytes());
    }
  });
}

}  // namespace lookhere
