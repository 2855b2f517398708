// safetensors: tensors by name in one file that can hold nothing else, no code least of all. The format of timm's and
// Hugging Face's weights: u64 header length, JSON header, raw little-endian data.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tensor/file.h"
#include "tensor/safetensors_header.h"
#include "tensor/tensor.h"

namespace lookhere {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// A file opened for reading. Opening reads and checks the header alone; each read copies one tensor out of the mapping.
class Safetensors {
 public:
  using Entry = SafetensorsEntry;

  // Throws Error: Exit::io if the file cannot be opened, Exit::input if it is malformed or its metadata does not match
  // its hash, always naming it.
  explicit Safetensors(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const Metadata& metadata() const { return header_.metadata; }
  const std::vector<Entry>& entries() const { return header_.entries; }
  bool contains(const std::string& name) const { return index_.contains(name); }
  // F32, F64, BF16 and I64 as they are, F16 as f32. Throws Error if there is no such tensor, for other dtypes, and
  // where the bytes do not match their hash. The tensor is in host memory.
  Tensor read(const std::string& name) const;

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::map<std::string, std::size_t> index_;  // from name to entry
  long data_begin_ = 0;
};

// What of a file gets a hash, so that no flipped bit goes unnoticed when it is read: nothing, or every tensor by itself
// and the metadata, which then holds the hashes.
enum class Hashes { none, all };

// Writes a new file, all or nothing (write_atomically). The same tensors and metadata give the same bytes, in whatever
// order the tensors come: they are laid out like the reference implementation's, and {"format": "pt"}, which loaders of
// Hugging Face look for, joins the metadata. Tensors may be on any device. Throws Error for duplicate or unusable
// names, undefined tensors, and hashes in the metadata that are not those of the tensors.
void save_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata = {},
                      Hashes hashes = Hashes::none);

}  // namespace lookhere
