// Files of torch.save on any bytes: refused in one line, or every tensor can be read; and the same as weights of a
// model. With an odd first byte the rest is a pickle, and the archive around it is made here: no mutation would hit
// upon one.
#include "tensor/torch_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tensor/torch_files.h"
#include "vit/model/import/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  std::string bytes(text_of(data + 1, size - 1));
  if (data[0] % 2)
    bytes = zip_of({{.name = "a/data.pkl", .bytes = bytes}, {.name = "a/data/0", .bytes = std::string(64, '\1')}});
  scratch_with(bytes);
  accepted([&] {
    const TorchFile file(scratch());
    for (const PickleValue& value : file.pickle().values)
      if (value.kind == PickleKind::tensor)
        accepted([&] { require(file.read(value, "t").shape() == file.shape_of(value, "t"), "another shape"); });
  });
  accepted(
      [&] { import_model(scratch(), {.heads = 1, .norm_eps = 1e-6, .activation = "gelu", .pool = "cls"}, "", false); });
  return 0;
}
