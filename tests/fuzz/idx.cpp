// read_idx on any bytes, as they are or, with an odd first byte, compressed by gzip.
#include "vit/data/idx.h"

#include <zlib.h>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  scratch_with(text_of(data + 1, size - 1));
  if (data[0] % 2) {
    const gzFile file = gzopen(scratch().c_str(), "wb1");
    if (size > 1) gzwrite(file, data + 1, static_cast<unsigned>(size - 1));
    gzclose(file);
  }
  accepted([&] {
    const IdxArray array = read_idx(scratch());
    require(static_cast<long>(array.values.size()) == Shape(array.sizes).numel(), "sizes and values differ");
  });
  return 0;
}
