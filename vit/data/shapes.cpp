// Draws every image of the set "shapes" into memory.
#include "vit/data/shapes.h"

#include "tensor/shape.h"
#include "vit/data/scene.h"

namespace lookhere {
namespace {

constexpr long kMaxBytes = 16L << 30;

}  // namespace

Dataset make_shapes(bool train, const DatasetOptions& options) {
  const long n = train ? options.shapes_train : options.shapes_test, size = options.shapes_size;
  check(n >= 1 && n <= UINT32_MAX && size >= 1, "shapes: wanted at least 1 image of at least 1 pixel, got ", n, " of ",
        size);
  const long image = checked_mul(3, checked_mul(size, size));
  check(checked_mul(n, image) <= kMaxBytes, "shapes: ", n, " images of ", Shape{3, size, size}, " exceed ", kMaxBytes,
        " bytes");
  Dataset dataset;
  dataset.name = "shapes";
  dataset.classes = Scene::kLabels;
  dataset.class_names = {"north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"};
  // Measured over the default training split; the same for every seed and size, so that models carry over.
  dataset.mean = {0.398F, 0.398F, 0.398F};
  dataset.std = {0.152F, 0.152F, 0.152F};
  dataset.mirror_keeps_label = false;
  dataset.labels.resize(n);
  std::vector<std::uint8_t> pixels(n * image);
#pragma omp parallel for schedule(static) if (n * image > 1 << 20)
  for (long i = 0; i < n; ++i) {
    const Scene scene = make_scene(options.seed, train, i);
    draw_scene(scene, size, pixels.data() + i * image);
    dataset.labels[i] = static_cast<std::int32_t>(scene.label);
  }
  dataset.set_images(std::move(pixels), 3, size, size);
  dataset.masks = [=, seed = options.seed](long i) {
    check(0 <= i && i < n, "shapes: no image ", i, " of ", n);
    return mask_of(make_scene(seed, train, i), size);
  };
  return dataset;
}

}  // namespace lookhere
