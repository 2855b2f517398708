// Any bytes as a tar archive of samples; an odd first byte has the sums of all headers set right.
#include "tests/fuzz/fuzz.h"
#include "vit/data/webdataset.h"

namespace {

// By chance hardly any header would have the right one.
void mend_sums(std::string& tar) {
  constexpr std::size_t kBlock = 512, kSum = 148;
  for (std::size_t at = 0; at + kBlock <= tar.size(); at += kBlock) {
    if (tar.compare(at + 257, 5, "ustar") != 0) continue;
    tar.replace(at + kSum, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(tar[at + i]);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    tar.replace(at + kSum, 7, digits, 7);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  std::string tar(text_of(data + 1, size - 1));
  if (data[0] % 2) mend_sums(tar);
  static const struct Archive {  // its ending tells what it is
    std::string path = scratch() + ".tar";
    ~Archive() { std::filesystem::remove(path); }
  } archive;
  std::ofstream(archive.path, std::ios::binary).write(tar.data(), static_cast<std::streamsize>(tar.size()));
  accepted([&] {
    const Dataset dataset = read_webdataset(archive.path, true, {.val_split = 0});
    require(dataset.size() == dataset.images->size(), "labels and images differ");
    std::vector<std::uint8_t> buffer;
    for (long i = 0; i < dataset.size(); ++i) accepted([&] { dataset.read(i, buffer); });
  });
  return 0;
}
