// Draws every image of the set "glyphs" into memory.
#include "vit/data/glyphs/glyphs.h"

#include <exception>

#include "tensor/hash.h"
#include "tensor/shape.h"
#include "vit/data/glyphs/scene.h"

namespace lookhere {
namespace {

constexpr long kMaxBytes = 16L << 30, kLargest = 16384;

}  // namespace

Dataset make_glyphs(bool train, const DatasetOptions& options) {
  const long n = train ? options.glyphs_train : options.glyphs_test, size = options.glyphs_size;
  check(n >= 1 && n <= UINT32_MAX && size >= 1 && size <= kLargest, "glyphs: wanted at least 1 image of 1 to ",
        kLargest, " pixels a side, got ", n, " of ", size);
  const long image = checked_mul(size, size);
  check(checked_mul(n, image) <= kMaxBytes, "glyphs: ", n, " images of ", Shape{1, size, size}, " exceed ", kMaxBytes,
        " bytes");
  check(options.glyphs_zoom.size() == 2, "glyphs: wanted a LOW and a HIGH zoom, got ", options.glyphs_zoom.size(),
        " numbers");
  const Zoom zoom{.low = options.glyphs_zoom[0], .high = options.glyphs_zoom[1]};
  check(zoom.low >= 0.05 && zoom.low <= zoom.high && zoom.high <= 0.75,
        "glyphs: wanted zoom 0.05 <= LOW <= HIGH <= ", "0.75, got ", zoom.low, " and ", zoom.high);
  const auto fonts = std::make_shared<const Fonts>(load_fonts(train));
  Dataset dataset;
  dataset.name = "glyphs";
  dataset.made_from = concat(fonts->faces(), " typefaces of ", fonts->families.size(),
                             " families, hash of their files ", to_hex(fonts->hash));
  dataset.classes = std::ssize(kGlyphClasses);
  for (const char* characters : kGlyphClasses) dataset.class_names.emplace_back(1, characters[0]);
  // Measured over the default training split; the same for every seed and size, so that models carry over.
  dataset.mean = {0.5F};
  dataset.std = {0.28F};
  dataset.mirror_keeps_label = false;
  dataset.labels.resize(n);
  std::vector<std::uint8_t> pixels(n * image);
  std::exception_ptr failure;
#pragma omp parallel if (n * image > 1 << 16)
  try {
    Rasterizer rasterizer;
#pragma omp for schedule(static)
    for (long i = 0; i < n; ++i) {
      const GlyphScene scene = make_glyph_scene(*fonts, zoom, options.seed, train, i);
      draw_glyph_scene(scene, size, rasterizer, pixels.data() + i * image);
      dataset.labels[i] = static_cast<std::int32_t>(scene.label);
    }
  } catch (...) {
#pragma omp critical
    failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);
  dataset.set_images(std::move(pixels), 1, size, size);
  dataset.masks = [=, seed = options.seed](long i) {
    check(0 <= i && i < n, "glyphs: no image ", i, " of ", n);
    return glyph_mask(make_glyph_scene(*fonts, zoom, seed, train, i), size);
  };
  return dataset;
}

}  // namespace lookhere
