// The header of a safetensors file: a JSON object that says where each tensor's bytes are. Parsing it is where files
// from strangers are judged, so this half of the format stands alone: bytes in, checked entries or an Error out.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/shape.h"

namespace lookhere {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsEntry {
  std::string name, dtype;  // dtype as the format spells it, e.g. "BF16"
  Shape shape;
  long begin = 0, end = 0;  // its bytes, counted from the end of the header
};

struct SafetensorsHeader {
  static constexpr long kMaxBytes = 100'000'000;  // the format's own limit
  static constexpr long kMaxTensors = 65536;      // and as many metadata keys
  static constexpr long kMaxName = 512;           // bytes
  static constexpr const char* kMetadata = "__metadata__";

  Metadata metadata;
  std::vector<SafetensorsEntry> entries;  // in the file's order
};

// Parses `json` and checks that its tensors fill `data_bytes` bytes without holes or overlaps. Throws Error, starting
// with `path`, for all that the format does not allow: bad JSON or UTF-8, duplicate keys, missing or unknown fields,
// wrong types, unknown dtypes, negative or huge numbers, sizes that do not match; and for more than Shape::kMaxRank
// sizes or anything past the limits above.
SafetensorsHeader parse_safetensors_header(std::string_view json, long data_bytes, const std::string& path);

}  // namespace lookhere
