// The drawn data set: its geometry, its labels, and that resolution changes nothing.
#include "vit/data/shapes.h"

#include <numbers>

#include "tests/vit/data_files.h"
#include "vit/data/scene.h"

namespace lookhere {
namespace {

TEST(Shapes, LabelIsTheDirectionFromHeadToTail) {
  for (long i = 0; i < 2000; ++i) {
    const Scene scene = make_scene(3, true, i);
    const double east = scene.tail.x - scene.head.x, north = scene.head.y - scene.tail.y;
    double turn = std::atan2(east, north) / (2 * std::numbers::pi) * 8 - static_cast<double>(scene.label);
    turn -= 8 * std::round(turn / 8);
    EXPECT_LT(std::abs(turn), 0.33) << i;  // a third of a class: never near the border, which is at 0.5
  }
}

TEST(Shapes, PartsAreWholeAndApart) {
  for (long i = 0; i < 2000; ++i) {
    const Scene scene = make_scene(4, false, i);
    for (const Scene::Part& part : {scene.head, scene.tail})
      for (float at : {part.x, part.y}) {
        EXPECT_GE(at - part.radius, -1e-5F) << i;
        EXPECT_LE(at + part.radius, 1 + 1e-5F) << i;
      }
    const float apart = std::hypot(scene.head.x - scene.tail.x, scene.head.y - scene.tail.y);
    EXPECT_GT(apart, scene.head.radius + scene.tail.radius) << i;
    EXPECT_EQ(scene.head.kind, Scene::Kind::disc);
    EXPECT_NE(scene.tail.kind, Scene::Kind::disc);
  }
}

// Position alone must not tell the class: each class has its head, and its tail, in every half of the image.
TEST(Shapes, EveryClassIsFoundEverywhere) {
  for (long label = 0; label < Scene::kLabels; ++label) {
    bool head_west = false, head_east = false, tail_north = false, tail_south = false;
    for (long i = label; i < 800; i += Scene::kLabels) {
      const Scene scene = make_scene(0, true, i);
      (scene.head.x < 0.5F ? head_west : head_east) = true;
      (scene.tail.y < 0.5F ? tail_north : tail_south) = true;
    }
    EXPECT_TRUE(head_west && head_east && tail_north && tail_south) << label;
  }
}

TEST(Shapes, PixelsShowTheParts) {
  const long size = 96;
  std::vector<std::uint8_t> with(3 * size * size), without(with.size());
  for (long i = 0; i < 24; ++i) {
    Scene scene = make_scene(0, true, i);
    draw_scene(scene, size, with.data());
    scene.head.radius = 1e-6F;  // leaves everything but the head
    draw_scene(scene, size, without.data());
    const Scene whole = make_scene(0, true, i);
    double area = 0;
    for (long p = 0; p < size * size; ++p) {
      const float x = (static_cast<float>(p % size) + 0.5F) / size, y = (static_cast<float>(p / size) + 0.5F) / size;
      const bool inside = std::hypot(x - whole.head.x, y - whole.head.y) < whole.head.radius + 1.0F / size;
      const bool changed = with[p] != without[p] || with[size * size + p] != without[size * size + p];
      EXPECT_TRUE(inside || !changed) << i;
      area += changed;
    }
    EXPECT_GT(area / (size * size), 0.8 * std::numbers::pi * whole.head.radius * whole.head.radius) << i;
  }
}

TEST(Shapes, IsTheSameImageAtEveryResolution) {
  std::vector<std::uint8_t> small(3 * 32 * 32), large(3 * 64 * 64);
  for (long i = 0; i < 64; ++i) {
    const Scene scene = make_scene(1, true, i);
    draw_scene(scene, 32, small.data());
    draw_scene(scene, 64, large.data());
    double error = 0;
    for (long c = 0; c < 3; ++c)
      for (long y = 0; y < 32; ++y)
        for (long x = 0; x < 32; ++x) {
          const std::uint8_t* four = large.data() + (c * 64 + 2 * y) * 64 + 2 * x;
          error += std::abs((four[0] + four[1] + four[64] + four[65]) / 4.0 - small[(c * 32 + y) * 32 + x]);
        }
    EXPECT_LT(error / (3 * 32 * 32), 3.0) << i;  // of 255
  }
}

TEST(Shapes, IsBalancedAndReproducible) {
  const DatasetOptions options{.shapes_size = 16, .shapes_train = 203, .shapes_test = 64, .seed = 5};
  const Dataset train = load_dataset("shapes", true, options), test = load_dataset("shapes", false, options);
  EXPECT_EQ(train.size(), 203);
  EXPECT_EQ(test.size(), 64);
  EXPECT_EQ(train.class_names.size(), 8U);
  EXPECT_FALSE(train.mirror_keeps_label);
  for (int label = 0; label < 8; ++label) {
    EXPECT_NEAR(std::count(train.labels.begin(), train.labels.end(), label), 203 / 8.0, 1);
    EXPECT_EQ(std::count(test.labels.begin(), test.labels.end(), label), 8);
  }
  EXPECT_EQ(pixels_of(train), pixels_of(load_dataset("shapes", true, options)));
  DatasetOptions other = options;
  other.seed = 6;
  EXPECT_NE(pixels_of(train), pixels_of(load_dataset("shapes", true, other)));
  const std::vector<std::uint8_t> trained = pixels_of(train), tested = pixels_of(test);
  EXPECT_FALSE(std::equal(tested.begin(), tested.begin() + 3 * 16 * 16, trained.begin()));
}

TEST(Shapes, PublishedStatisticsHold) {
  for (long size : {16, 40}) {
    Dataset d = make_shapes(true, {.shapes_size = size, .shapes_train = 800, .seed = 11});
    const std::vector<float> mean = d.mean, std = d.std;
    set_statistics(d);
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(d.mean[c], mean[c], 0.02);
      EXPECT_NEAR(d.std[c], std[c], 0.02);
    }
  }
}

TEST(Shapes, RefusesImpossibleSizes) {
  EXPECT_ERROR(make_shapes(true, {.shapes_size = 0}), "got 8192 of 0");
  EXPECT_ERROR(make_shapes(false, {.shapes_test = -1}), "got -1 of 32");
  EXPECT_ERROR(make_shapes(true, {.shapes_size = 1 << 20}), "exceed 17179869184 bytes");
  EXPECT_ERROR(make_shapes(true, {.shapes_size = 1L << 40}), "size overflow");
  EXPECT_EQ(pixels_of(make_shapes(true, {.shapes_size = 1, .shapes_train = 1})).size(), 3U);
}

}  // namespace
}  // namespace lookhere
