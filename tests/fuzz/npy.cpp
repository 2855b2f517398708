// load_npy on any bytes: refused in one line, or a tensor that survives being saved and loaded again.
#include "tensor/npy.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  Tensor read;
  if (!accepted([&] { read = load_npy(scratch_with(text_of(data, size))); })) return 0;
  save_npy(scratch(), read);
  require(same_bits(load_npy(scratch()), read), "another tensor after saving");
  return 0;
}
