// save_safetensors of any names, metadata and tensors: refused for the names alone, else read back as it was.
#include <set>

#include "tensor/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace lookhere {
namespace {

// RFC 3629, by its table; the writer leaves this to its JSON library.
bool is_text(const std::string& s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto byte = [&](std::size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0; };
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xC2 && lead <= 0xDF   ? 1
                             : lead >> 4 == 0xE             ? 2
                             : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                            : 0;
    if (more == 0) return false;
    const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i + 1) < low || byte(i + 1) > high) return false;
    for (std::size_t k = 2; k <= more; ++k)
      if (byte(i + k) < 0x80 || byte(i + k) > 0xBF) return false;
    i += more + 1;
  }
  return true;
}

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
    if (metadata.emplace(key, value).second) usable &= is_text(key) && is_text(value);
  }
  NamedTensors tensors;
  std::set<std::string> names;
  for (int left = from.ConsumeIntegralInRange(0, 4); left > 0; --left) {
    const std::string name = any_name(from);
    usable &= is_text(name) && name.size() <= 512 && name != SafetensorsHeader::kMetadata && names.insert(name).second;
    tensors.emplace_back(name, any_tensor(from));
  }
  const bool saved = accepted([&] { save_safetensors(scratch(), tensors, metadata); });
  require(saved == usable, saved ? "an unusable name was saved" : "a usable name was refused");
  if (saved) require_same(tensors, metadata);
  return 0;
}
