// The data of lessons 4 and 5: the drawn set `shapes` with the head always red and the tail always blue, so that a
// small model learns in seconds which way the tail lies.
#pragma once
#include "vit/data/scene.h"
#include "vit/data/sources.h"

// `count` images of size x size pixels; the same scenes at every size.
inline lookhere::Dataset colour_shapes(bool train, long count, long size) {
  lookhere::Dataset data =
      lookhere::load_dataset("shapes", train, {.shapes_size = size, .shapes_train = count, .shapes_test = count});
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * 3 * size * size));
  for (long i = 0; i < count; ++i) {
    lookhere::Scene scene = lookhere::make_scene(0, train, i);
    scene.head.colour = {1, 0.2F, 0.2F}, scene.tail.colour = {0.2F, 0.4F, 1};
    lookhere::draw_scene(scene, size, pixels.data() + i * 3 * size * size);
  }
  data.set_images(std::move(pixels), 3, size, size);
  return data;
}
