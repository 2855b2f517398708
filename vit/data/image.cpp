// Images that are in memory from the start.
#include "vit/data/image.h"

#include "tensor/hash.h"
#include "tensor/shape.h"

namespace lookhere {
namespace {

class MemoryImages : public ImageSource {
 public:
  MemoryImages(std::vector<std::uint8_t> pixels, const Image& first) : pixels_(std::move(pixels)), first_(first) {}
  long size() const override { return std::ssize(pixels_) / first_.numel(); }
  Image read(long i, std::vector<std::uint8_t>&) const override {
    Image image = first_;
    image.pixels = pixels_.data() + i * first_.numel();
    return image;
  }
  std::uint64_t hash() const override { return hash_of(pixels_.data(), std::ssize(pixels_)); }

 private:
  std::vector<std::uint8_t> pixels_;
  Image first_;
};

}  // namespace

std::shared_ptr<const ImageSource> images_in_memory(std::vector<std::uint8_t> pixels, long channels, long height,
                                                    long width) {
  const Shape shape{channels, height, width};
  check(shape.numel() > 0 && std::ssize(pixels) % shape.numel() == 0, "wanted a whole number of images ", shape,
        ", got ", pixels.size(), " pixels");
  return std::make_shared<MemoryImages>(std::move(pixels), Image{nullptr, channels, height, width});
}

}  // namespace lookhere
