// Safetensors on any bytes: refused in one line, or every tensor can be read. With an odd first byte the header's
// length is filled in, which no mutation would hit upon.
#include "tensor/safetensors.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  std::string bytes(text_of(data + 1, size - 1));
  if (data[0] % 2) {
    const std::uint64_t length = bytes.rfind('}') + 1;  // 0 if there is none
    bytes.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  }
  accepted([&] {
    const Safetensors file(scratch_with(bytes));
    for (const Safetensors::Entry& entry : file.entries())
      accepted([&] { require(file.read(entry.name).shape() == entry.shape, "another shape"); });
  });
  return 0;
}
