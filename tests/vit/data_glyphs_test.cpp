// The drawn set "glyphs": outlines where they belong, families kept apart, the same scene at any size, masks, and what
// is said where fonts are missing or broken.
#include "vit/data/glyphs/glyphs.h"

#include <algorithm>
#include <numbers>
#include <set>

#include "tests/testing.h"
#include "tests/vit/data_files.h"
#include "vit/data/glyphs/scene.h"
#include "vit/data/shapes.h"

namespace lookhere {
namespace {

// A square of side 1, as a font would have it.
Outline square() {
  return {.points = {{-0.5, -0.5, 1}, {-0.5, 0.5, 1}, {0.5, 0.5, 1}, {0.5, -0.5, 1}}, .ends = {3}, .flags = 0};
}
// A bar at the left and at the top: which way is up shows.
Outline corner() {
  return {
      .points = {{-0.5, -0.5, 1}, {-0.5, 0.5, 1}, {0.5, 0.5, 1}, {0.5, 0.25, 1}, {-0.25, 0.25, 1}, {-0.25, -0.5, 1}},
      .ends = {5},
      .flags = 0};
}

const Fonts& fonts(bool train) {
  static const Fonts training = load_fonts(true), test = load_fonts(false);
  return train ? training : test;
}

TEST(Outline, CoversThePixelsByHand) {
  Rasterizer rasterizer;
  // Side 0.5 around (0.5, 0.375): columns 1 and 2, rows 0.5 to 2.5.
  const std::vector<std::uint8_t> want{0, 128, 128, 0, 0, 255, 255, 0, 0, 128, 128, 0, 0, 0, 0, 0};
  const std::vector<std::uint8_t> got = rasterizer.coverage(square(), {0.5, 0.375, 0.5, 0}, 4);
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1) << i;
  const std::vector<std::uint8_t> up{255, 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0};
  EXPECT_EQ(rasterizer.coverage(corner(), {0.5, 0.5, 1, 0}, 4), up);
  // A quarter turn counter-clockwise: the bars are at the left and at the bottom.
  const std::vector<std::uint8_t> turned{255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  const std::vector<std::uint8_t> after = rasterizer.coverage(corner(), {0.5, 0.5, 1, std::numbers::pi / 2}, 4);
  for (std::size_t i = 0; i < turned.size(); ++i) EXPECT_NEAR(after[i], turned[i], 8) << i;
}

TEST(Outline, HalfBoxTurns) {
  EXPECT_NEAR(half_box(square(), 0).x, 0.5, 1e-12);
  EXPECT_NEAR(half_box(square(), std::numbers::pi / 4).x, std::numbers::sqrt2 / 2, 1e-12);
  EXPECT_NEAR(half_box(square(), std::numbers::pi / 4).y, std::numbers::sqrt2 / 2, 1e-12);
}

TEST(Fonts, FamiliesAreOnOneSide) {
  std::set<std::string> training, test;
  for (const FontFamily& family : fonts(true).families) training.insert(family.package);
  for (const FontFamily& family : fonts(false).families) test.insert(family.package);
  EXPECT_EQ(training.size(), 13U);
  EXPECT_EQ(test.size(), 5U);
  for (const std::string& family : test) EXPECT_FALSE(training.contains(family)) << family;
  EXPECT_EQ(fonts(true).faces(), 62);
  EXPECT_EQ(fonts(false).faces(), 35);
  EXPECT_NE(fonts(true).hash, fonts(false).hash);
}

TEST(Fonts, EveryOutlineIsCentredAndOfSizeOne) {
  for (const bool train : {true, false})
    for (const FontFamily& family : fonts(train).families)
      for (const Typeface& face : family.faces)
        for (const Outline& outline : face.glyphs) {
          ASSERT_GE(outline.points.size(), 3U) << face.file;
          ASSERT_EQ(outline.ends.back(), std::ssize(outline.points) - 1) << face.file;
          const HalfBox box = half_box(outline, 0);  // control points may stick out a little
          EXPECT_GE(std::max(box.x, box.y), 0.5 - 1e-9) << face.file;
          EXPECT_LE(std::max(box.x, box.y), 0.8) << face.file;
        }
}

TEST(Fonts, MissingOnesAreNamedInOneLine) {
  const TemporaryFolder folder;
  EXPECT_ERROR(load_fonts(true, folder.path().string()),
               "/opentype/cantarell/Cantarell-Bold.otf: install Debian's fonts-cantarell fonts-courier-prime");
  std::filesystem::create_directories(folder / "opentype/cantarell");
  for (const char* style : {"Bold", "ExtraBold", "Light", "Regular", "Thin"})
    write_file(folder / (std::string("opentype/cantarell/Cantarell-") + style + ".otf"), "");
  EXPECT_ERROR(load_fonts(false, folder.path().string()), "install Debian's fonts-courier-prime");
}

TEST(Fonts, BrokenOnesAreNamed) {
  const TemporaryFolder folder;
  const std::string good = read_file("/usr/share/fonts/opentype/junction/Junction.otf"), path = folder / "font";
  for (const std::string& bytes : {std::string(), std::string("no font"), good.substr(0, 100), good.substr(0, 4000),
                                   std::string(good.size(), '\0')}) {
    write_file(path, bytes);
    EXPECT_ERROR(load_typeface(path), "font: ");
  }
  // Damage anywhere else ends in an Error or in other outlines.
  Rng rng(3, Purpose::test);
  for (int i = 0; i < 60; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 20; ++k) bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] ^= 1 << rng.below(8);
    write_file(path, bytes);
    try {
      load_typeface(path);
    } catch (const Error&) {
    }
  }
}

TEST(Glyphs, ClassesHaveEveryCharacterOnce) {
  std::string all;
  for (const char* characters : kGlyphClasses) all += characters;
  std::ranges::sort(all);
  EXPECT_EQ(all, kCharacters);
  EXPECT_EQ(std::ssize(kGlyphClasses), 46);
}

TEST(Glyphs, ScenesAreWholeAndApart) {
  const Zoom zoom{.low = 0.3, .high = 0.75};
  long others = 0;
  for (long i = 0; i < 500; ++i) {
    const GlyphScene scene = make_glyph_scene(fonts(true), zoom, 7, true, i);
    EXPECT_EQ(scene.label, i % 46);
    EXPECT_GE(scene.glyph.place.size, 0.3);
    EXPECT_LE(scene.glyph.place.size, 0.75);
    EXPECT_GE(std::abs(scene.glyph.ink - scene.paper), 0.299);
    std::vector<const GlyphScene::Glyph*> glyphs{&scene.glyph};
    if (scene.other.outline) glyphs.push_back(&scene.other), ++others;
    for (const GlyphScene::Glyph* glyph : glyphs) {
      const HalfBox half = half_box(*glyph->outline, glyph->place.angle);
      for (const double edge :
           {glyph->place.x - half.x * glyph->place.size, 1 - glyph->place.x - half.x * glyph->place.size,
            glyph->place.y - half.y * glyph->place.size, 1 - glyph->place.y - half.y * glyph->place.size})
        EXPECT_GE(edge, -1e-6) << i;
      EXPECT_GE(glyph->ink, 0);
      EXPECT_LE(glyph->ink, 1);
    }
    if (scene.other.outline) {
      EXPECT_LE(scene.other.place.size, scene.glyph.place.size / 2 + 1e-9);
    }
  }
  EXPECT_GT(others, 350);
}

// Four pixels of the large image are, on the mean, one of the small one: detail is added, nothing moves.
TEST(Glyphs, TheSameSceneAtAnySize) {
  const DatasetOptions small{.glyphs_size = 24, .glyphs_test = 60}, large{.glyphs_size = 96, .glyphs_test = 60};
  const Dataset a = make_glyphs(false, small), b = make_glyphs(false, large);
  EXPECT_EQ(a.labels, b.labels);
  const std::vector<std::uint8_t> few = pixels_of(a), many = pixels_of(b);
  double worst = 0, sum = 0;
  for (long i = 0; i < 60; ++i)
    for (long y = 0; y < 24; ++y)
      for (long x = 0; x < 24; ++x) {
        double mean = 0;
        for (long v = 0; v < 4; ++v)
          for (long u = 0; u < 4; ++u) mean += many[(i * 96 + y * 4 + v) * 96 + x * 4 + u] / 16.0;
        const double off = std::abs(mean - few[(i * 24 + y) * 24 + x]);
        worst = std::max(worst, off), sum += off;
      }
  EXPECT_LE(worst, 25);  // FreeType draws curves as lines, fewer of them where pixels are larger
  EXPECT_LE(sum / static_cast<double>(few.size()), 0.6);
}

TEST(Glyphs, BytesDependOnNothingElse) {
  const DatasetOptions options{.seed = 5, .glyphs_size = 20, .glyphs_train = 203, .glyphs_test = 64};
  std::vector<std::uint8_t> want;
  for (const int threads : {1, 2, 5}) {
    const Threads some(threads);
    const std::vector<std::uint8_t> got = pixels_of(make_glyphs(true, options));
    if (want.empty()) want = got;
    EXPECT_EQ(got, want) << threads;
  }
  DatasetOptions fewer = options;
  fewer.glyphs_train = 7;
  const std::vector<std::uint8_t> first = pixels_of(make_glyphs(true, fewer));
  EXPECT_TRUE(std::equal(first.begin(), first.end(), want.begin()));
  fewer.seed = 6;
  EXPECT_NE(pixels_of(make_glyphs(true, fewer)), first);
  fewer = options, fewer.glyphs_test = 7;
  EXPECT_NE(pixels_of(make_glyphs(false, fewer)), first);
  EXPECT_NE(make_glyphs(true, fewer).made_from.find("62 typefaces of 13 families, hash"), std::string::npos);
}

TEST(Glyphs, PublishedStatisticsHold) {
  for (const long size : {16, 48}) {
    Dataset d = load_dataset("glyphs", true, {.glyphs_size = size, .glyphs_train = 1500});
    const float mean = d.mean[0], std = d.std[0];
    set_statistics(d);
    EXPECT_NEAR(d.mean[0], mean, 0.02);
    EXPECT_NEAR(d.std[0], std, 0.02);
  }
}

// Where the mask says glyph, the pixel differs from the paper.
TEST(Glyphs, MasksLieOnTheGlyphs) {
  const Dataset d = make_glyphs(true, {.glyphs_size = 64, .glyphs_train = 40});
  long seconds = 0;
  for (long i = 0; i < d.size(); ++i) {
    const GlyphScene scene = make_glyph_scene(fonts(true), {.low = 0.4, .high = 0.7}, 0, true, i);
    const std::vector<std::uint8_t> mask = d.masks(i);
    ASSERT_EQ(mask.size(), 64U * 64);
    std::vector<std::uint8_t> buffer;
    const Image image = d.read(i, buffer);
    EXPECT_GT(std::ranges::count(mask, 1), 20) << i;
    if (!scene.other.outline) {
      EXPECT_EQ(std::ranges::count(mask, 2), 0) << i;
    }
    seconds += std::ranges::count(mask, 2) > 0 ? 1 : 0;
    for (long k = 0; k < 64 * 64; ++k)
      if (mask[k] == 1) {
        EXPECT_LT(std::abs(static_cast<float>(image.pixels[k]) / 255 - scene.glyph.ink),
                  std::abs(static_cast<float>(image.pixels[k]) / 255 - scene.paper) + 0.11F);
      }
  }
  EXPECT_GT(seconds, 20);  // the thinnest cover no pixel's half
  EXPECT_ERROR(d.masks(40), "glyphs: no image 40 of 40");
}

TEST(Shapes, MasksShowHeadAndTail) {
  const Dataset d = make_shapes(false, {.shapes_size = 48, .shapes_test = 24});
  const struct { double x, y; } directions[]{{0, -1}, {1, -1}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}};
  for (long i = 0; i < d.size(); ++i) {
    const std::vector<std::uint8_t> mask = d.masks(i);
    double x[3]{}, y[3]{}, count[3]{};
    for (long k = 0; k < 48 * 48; ++k) x[mask[k]] += k % 48, y[mask[k]] += k / 48, ++count[mask[k]];
    ASSERT_GT(count[1], 20);
    ASSERT_GT(count[2], 10);
    const double dx = x[2] / count[2] - x[1] / count[1], dy = y[2] / count[2] - y[1] / count[1];
    const auto [along_x, along_y] = directions[d.labels[i]];
    EXPECT_GT((dx * along_x + dy * along_y) / (std::hypot(dx, dy) * std::hypot(along_x, along_y)), 0.9) << i;
  }
  EXPECT_ERROR(d.masks(-1), "shapes: no image -1 of 24");
}

TEST(Glyphs, RefusesImpossibleOptions) {
  EXPECT_ERROR(make_glyphs(true, {.glyphs_size = 0}), "got 18400 of 0");
  EXPECT_ERROR(make_glyphs(true, {.glyphs_size = 16385}), "of 1 to 16384 pixels a side");
  EXPECT_ERROR(make_glyphs(false, {.glyphs_test = -1}), "got -1 of 32");
  EXPECT_ERROR(make_glyphs(true, {.glyphs_size = 16384}), "exceed 17179869184 bytes");
  EXPECT_ERROR(make_glyphs(true, {.glyphs_zoom = {0.5}}), "wanted a LOW and a HIGH zoom, got 1 numbers");
  for (const std::vector<double>& zoom : {std::vector{0.6, 0.5}, {0.01, 0.5}, {0.5, 0.8}, {NAN, 0.5}})
    EXPECT_ERROR(make_glyphs(true, {.glyphs_zoom = zoom}), "wanted zoom 0.05 <= LOW <= HIGH <= 0.75");
  EXPECT_EQ(pixels_of(make_glyphs(true, {.glyphs_size = 1, .glyphs_train = 1})).size(), 1U);
}

}  // namespace
}  // namespace lookhere
