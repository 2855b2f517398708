// save_safetensors of any names, metadata and tensors: refused for the names alone, else read back as it was.
#include <set>

#include "tensor/safetensors.h"
#include "tensor/text.h"
#include "tests/fuzz/fuzz.h"

namespace lookhere {
namespace {

std::string any_name(FuzzedDataProvider& from) {
  const std::string name = from.ConsumeRandomLengthString(24);
  if (name == "L") return std::string(513, 'x');
  if (name == "l") return std::string(512, 'x');
  return name == "M" ? SafetensorsHeader::kMetadata : name;
}

void require_same(const NamedTensors& tensors, Metadata metadata) {
  const Safetensors file(scratch());
  metadata.emplace("format", "pt");
  require(file.metadata() == metadata, "other metadata");
  require(file.entries().size() == tensors.size(), "another number of tensors");
  for (const auto& [name, tensor] : tensors) require(same_bits(file.read(name), tensor), "another tensor");
}

}  // namespace
}  // namespace lookhere

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  FuzzedDataProvider from(data, size);
  Metadata metadata;
  bool usable = true;
  for (int left = from.ConsumeIntegralInRange(0, 4); left > 0; --left) {
    const std::string key = any_name(from), value = from.ConsumeRandomLengthString();
    if (!metadata.emplace(key, value).second) continue;
    usable &= is_utf8(key) && is_utf8(value) && key != "xxh3.tensors" && key != "xxh3.metadata";  // hashes of nothing
  }
  NamedTensors tensors;
  std::set<std::string> names;
  for (int left = from.ConsumeIntegralInRange(0, 4); left > 0; --left) {
    const std::string name = any_name(from);
    usable &= is_utf8(name) && name.size() <= 512 && name != SafetensorsHeader::kMetadata && names.insert(name).second;
    tensors.emplace_back(name, any_tensor(from));
  }
  const bool saved = accepted([&] { save_safetensors(scratch(), tensors, metadata); });
  require(saved == usable, saved ? "an unusable name was saved" : "a usable name was refused");
  if (saved) require_same(tensors, metadata);
  return 0;
}
