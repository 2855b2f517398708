// save_npy of any tensor: NumPy could read the header, and load_npy gives the same bits.
#include "tensor/npy.h"
#include "tests/fuzz/fuzz.h"

namespace lookhere {
namespace {

// Written out here once more, so that writer and reader cannot be wrong together.
void require_header(const std::string& file, const Tensor& t) {
  require(file.size() > 10 && file.starts_with(std::string("\x93NUMPY\1\0", 8)), "magic bytes");
  const std::size_t length = static_cast<unsigned char>(file[8]) + 256 * static_cast<unsigned char>(file[9]);
  require((10 + length) % 64 == 0, "the data is not aligned to 64 bytes");
  require(file.size() == 10 + length + static_cast<std::size_t>(t.bytes()), "the file's size");
  std::string shape;
  for (const long size : t.shape()) shape += std::to_string(size) + ", ";
  if (t.shape().rank() > 1) shape.resize(shape.size() - 2);
  if (t.shape().rank() == 1) shape.resize(shape.size() - 1);
  const char* descr = t.dtype() == Dtype::f32 ? "<f4" : t.dtype() == Dtype::f64 ? "<f8" : "<i8";
  std::string wanted = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  wanted.resize(length - 1, ' ');
  require(file.substr(10, length) == wanted + "\n", "the header's text");
}

}  // namespace
}  // namespace lookhere

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  FuzzedDataProvider from(data, size);
  const Tensor t = any_tensor(from);
  const bool saved = accepted([&] { save_npy(scratch(), t); });
  require(saved == (t.dtype() != Dtype::bf16), "only bf16 is refused");
  if (!saved) return 0;
  require_header(scratch_bytes(), t);
  require(same_bits(load_npy(scratch()), t), "another tensor after loading");
  return 0;
}
