// Image: the 8-bit pixels of one picture, which has a size of its own. ImageSource: where a data set has its images.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lookhere {

struct Image {                 // a view of memory that another owns
  const std::uint8_t* pixels;  // (channels, height, width)
  long channels, height, width;
  long numel() const { return channels * height * width; }
};

struct Extent {
  long height = 0, width = 0;  // pixels
  bool operator==(const Extent&) const = default;
};
// Told the size of an image, upright, says how many pixels of the whole each way are enough.
using EnoughPixels = std::function<Extent(Extent stored)>;

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual long size() const = 0;  // images
  // Image i, 0 <= i < size(), in memory of the source's own, or in `buffer` if it has to be read or decoded first: it
  // stays valid until the buffer is used again. May be called by many threads at a time, each with a buffer of its own.
  // Throws Error, naming the image, if it cannot be read.
  virtual Image read(long i, std::vector<std::uint8_t>& buffer) const = 0;
  // The same, but where the source can give the whole image with fewer pixels for less work, with at least as many as
  // are enough. The last size that `enough` is told is that of the image.
  virtual Image read_enough(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const {
    const Image image = read(i, buffer);
    enough({image.height, image.width});
    return image;
  }
  // Of all images: another one if any of them is another, as far as the source looks.
  virtual std::uint64_t hash() const = 0;
  // Reads what is stored of image i, if it is not in memory, and decodes nothing: for measuring. Returns its bytes.
  virtual long read_stored(long /*i*/) const { return 0; }
  // How messages call image i.
  virtual std::string name(long i) const { return "image " + std::to_string(i); }
  // Images that had to be replaced by others so far, and why, a line for each, naming it.
  using Skipped = std::map<long, std::string>;
  virtual Skipped skipped() const { return {}; }
  // Others, which read the same images, had to replace these. Throws Error where that makes too many.
  virtual void also_skipped(const Skipped&) const {}
};

// Images of one size, kept in memory: pixels (n, channels, height, width). Throws Error if they are no whole number of
// images.
std::shared_ptr<const ImageSource> images_in_memory(std::vector<std::uint8_t> pixels, long channels, long height,
                                                    long width);

}  // namespace lookhere
