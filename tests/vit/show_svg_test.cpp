// No text of a picture leaves it, whatever font the reader has.
#include "vit/show/svg.h"

#include <gmock/gmock.h>

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "vit/model/position/lookhere.h"
#include "vit/show/gallery.h"
#include "vit/show/masks.h"
#include "vit/show/plot.h"

namespace lookhere {
namespace {

using testing::IsEmpty;

// Widths in the font's own tables, in em.
TEST(Svg, TextIsNotWiderThanSaid) {
  struct Case {
    const char* text;
    double regular, bold;
  };
  for (const Case& c : {Case{"penalty subtracted from the logit", 16.612, 18.872},
                        {"LookHere corners-triangles-none", 16.418, 18.614},
                        {"14 × 14 patches, layer 0 of 12, global slope 2, layer slopes 1.5 to 0.5; heads see 52.1 % of "
                         "all pairs on average",
                         55.740, 62.437},
                        {"Sphinx of black quartz", 11.188, 12.661},
                        {"✓ café ≤ √2", 6.9, 7.4}}) {
    EXPECT_GE(text_width(c.text, 1), c.regular) << c.text;
    EXPECT_GE(text_width(c.text, 1, true), c.bold) << c.text;
    EXPECT_LE(text_width(c.text, 10), 11.5 * c.regular) << c.text;
    EXPECT_DOUBLE_EQ(text_width(c.text, 20), 2 * text_width(c.text, 10));
  }
}

TEST(Svg, TheTestFindsTextOutside) {
  const auto outside = [](double x, double y, const Font& font) {
    Svg svg(100, 50, "t");
    svg.group(10, 5, [&] { svg.text(x, y, "a < b", font); });
    return texts_outside(svg.str());
  };
  EXPECT_THAT(outside(0, 20, {.size = 10}), IsEmpty());
  EXPECT_THAT(outside(70, 20, {.size = 10}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(-11, 20, {.size = 10}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(0, 20, {.size = 10, .anchor = "middle"}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(0, 20, {.size = 10, .anchor = "end"}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(0, 3, {.size = 10}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(0, 45, {.size = 10}), testing::ElementsAre("a < b"));
  EXPECT_THAT(outside(50, 20, {.size = 10, .anchor = "middle", .turn = -90}), IsEmpty());
  EXPECT_THAT(outside(50, 8, {.size = 10, .turn = -90}), testing::ElementsAre("a < b"));
}

TEST(Pictures, MasksKeepTheirTextWithin) {
  const LookHereConfig lists{.directions = {"eighths1-eighths2-corners-none", "zerocorners-zerotriangles-zero"},
                             .global_slope = 1.23456,
                             .distance = DistancePower::square,
                             .fill = MaskFill::max};
  for (const long layer : {0L, kAllLayers})
    for (const Grid grid : {Grid{3, 3}, {14, 14}, {2, 60}, {512, 1}}) {
      for (const char* preset : {"lh180", "lh90", "lh45", "alibi"})
        for (const long heads : {1, 2, 3, 6, 12, 16})
          EXPECT_THAT(texts_outside(masks_svg(position_preset(preset), heads, 12, grid, {.layer = layer})), IsEmpty())
              << preset << " " << heads << " " << grid.y << " " << layer;
      EXPECT_THAT(texts_outside(masks_svg(lookhere_position(lists), 16, 2, grid, {.layer = layer})), IsEmpty());
    }
}

TEST(Pictures, ChartsKeepTheirTextWithin) {
  const std::string name(40, 'W');
  for (const double most : {1.0, 7.0, 999999.0, 1e30, 3e-7})
    for (const double least : {0.0, -most}) {
      const Series s{name, {least, most}, {least, most}};
      const Chart chart{name + name, name, name, {s, s, {"short", {}, {}}}};
      EXPECT_THAT(texts_outside(line_charts({chart})), IsEmpty()) << least << " " << most;
      EXPECT_THAT(texts_outside(line_charts({chart, chart})), IsEmpty()) << least << " " << most;
    }
  EXPECT_THAT(texts_outside(line_charts({{"t", "x", "y", {}}})), IsEmpty());
}

TEST(Pictures, GalleriesKeepTheirTextWithin) {
  Dataset d;
  d.name = std::string(100, 'W'), d.classes = 2;
  d.set_images(std::vector<std::uint8_t>(8), 1, 2, 2);
  d.labels = {0, 1}, d.class_names = {std::string(80, 'M'), "dog"};
  EXPECT_THAT(texts_outside(gallery_svg(d, {})), IsEmpty());
  EXPECT_THAT(texts_outside(gallery_svg(d, {{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0.5F}, {1, 0, 0}})), IsEmpty());
}

}  // namespace
}  // namespace lookhere
