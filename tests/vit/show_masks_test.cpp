// Pictures of the masks: colours, numbers and shares against LookHereHead::bias and known counts.
#include "vit/show/masks.h"

#include <fmt/format.h>

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "vit/model/position/lookhere.h"
#include "vit/show/mask_panel.h"

namespace lookhere {
namespace {

bool has(const std::vector<std::string>& all, const std::string& wanted) {
  return std::find(all.begin(), all.end(), wanted) != all.end();
}

// The colour in the middle of every patch of a panel.
std::vector<std::string> patch_colors(const Pixels& picture, Grid grid) {
  std::vector<std::string> colors;
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x; ++x) {
      const long row = (2 * y + 1) * picture.height / (2 * grid.y), column = (2 * x + 1) * picture.width / (2 * grid.x);
      const std::uint8_t* p = picture.rgb.data() + 3 * (row * picture.width + column);
      colors.push_back(fmt::format("#{:02x}{:02x}{:02x}", p[0], p[1], p[2]));
    }
  return colors;
}

std::string masks_svg(const LookHereConfig& config, long heads, long depth, Grid grid,
                      const MaskOptions& options = {}) {
  return masks_svg(lookhere_position(config), heads, depth, grid, options);
}

TEST(Masks, ColorsAreTheBias) {
  struct Case {
    LookHereConfig config;
    long heads, depth;
    Grid grid;
    MaskOptions options;
  };
  const LookHereConfig filled{.directions = {"corners-triangles-none"}, .fill = MaskFill::max};
  for (const Case& c : {Case{lookhere_preset("lh45"), 12, 12, {14, 14}, {}},
                        Case{lookhere_preset("lh90"), 12, 12, {5, 9}, {.layer = 11, .query_row = 4, .query_column = 0}},
                        Case{lookhere_preset("lh180"), 6, 6, {7, 7}, {.layer = kAllLayers}},
                        Case{{.directions = {"zerocorners-center-none"}}, 12, 2, {9, 5}, {.layer = 1}},
                        Case{filled, 8, 2, {1, 1}, {}}, Case{filled, 3, 2, {6, 4}, {.layer = kAllLayers}}}) {
    const std::string svg = masks_svg(c.config, c.heads, c.depth, c.grid, c.options);
    ASSERT_EQ(xml_error(svg), "");
    const long row = c.options.query_row < 0 ? c.grid.y / 2 : c.options.query_row;
    const long column = c.options.query_column < 0 ? c.grid.x / 2 : c.options.query_column;
    const bool all = c.options.layer == kAllLayers;
    std::vector<LookHereHead> heads;
    for (long layer = all ? 0 : c.options.layer; layer <= (all ? c.depth - 1 : c.options.layer); ++layer)
      for (const LookHereHead& head : lookhere_heads(c.config, c.heads, c.depth, layer)) heads.push_back(head);
    double largest = 0;
    for (const LookHereHead& head : heads)
      for (long i = 0; i < c.grid.patches(); ++i) {
        const double bias = head.bias(c.grid, row, column, i / c.grid.x, i % c.grid.x);
        if (std::isfinite(bias)) largest = std::max(largest, -bias);
      }
    const std::vector<Pixels> panels = images(svg);
    ASSERT_EQ(panels.size(), heads.size());
    for (std::size_t h = 0; h < heads.size(); ++h) {
      const std::vector<std::string> colors = patch_colors(panels[h], c.grid);
      for (long i = 0; i < c.grid.patches(); ++i)
        EXPECT_EQ(colors[i], penalty_color(-heads[h].bias(c.grid, row, column, i / c.grid.x, i % c.grid.x), largest));
    }
  }
}

TEST(Masks, ColorsAreToldApart) {
  EXPECT_EQ(penalty_color(0, 10), "#fde725");
  EXPECT_EQ(penalty_color(10, 10), "#440154");
  EXPECT_EQ(penalty_color(0, 0), "#fde725");
  EXPECT_EQ(penalty_color(std::numeric_limits<double>::infinity(), 10), "#ececec");
}

TEST(Masks, NumbersAreTheBias) {
  // LH-45, 3×3, layer 0, seen from the centre, as the authors' code stores it.
  const std::string svg = masks_svg(lookhere_preset("lh45"), 12, 12, {3, 3});
  const std::vector<std::string> all = texts(svg);
  const auto panel = [&](long head) {
    auto at = std::find_if(all.begin(), all.end(),
                           [&](const std::string& text) { return text.starts_with(fmt::format("head {}:", head)); });
    std::vector<std::string> numbers;
    for (at += 2; at != all.end() && !at->starts_with("head ") && !at->starts_with("penalty"); ++at)
      numbers.push_back(*at);
    return numbers;
  };
  using Numbers = std::vector<std::string>;
  EXPECT_EQ(panel(0), (Numbers{"2.12", "1.5", "0"}));
  EXPECT_EQ(panel(4), (Numbers{"1.5", "2.12", "0"}));
  EXPECT_EQ(panel(8), (Numbers{"1.06", "0.75", "1.06", "0.75", "0", "0.75", "1.06", "0.75", "1.06"}));
}

TEST(Masks, SharesAreTheKnownCounts) {
  // 14×14 has 38416 pairs: a half sees 20580, its diagonal twin 20125, a quadrant 11025, a cone 10570, an octant 6020.
  struct Case {
    const char *preset, *first, *fifth, *average;
  };
  for (const Case& c : {Case{"lh180", "53.6", "52.4", "68.7"}, Case{"lh90", "28.7", "27.5", "52.1"},
                        Case{"lh45", "15.7", "15.7", "43.8"}, Case{"alibi", "100", "100", "100"}}) {
    const std::string svg = masks_svg(lookhere_preset(c.preset), 12, 12, {14, 14});
    const std::vector<std::string> sees = [&] {
      std::vector<std::string> result;
      for (const std::string& text : texts(svg))
        if (text.starts_with("sees ")) result.push_back(text.substr(0, text.find(',')));
      return result;
    }();
    ASSERT_EQ(sees.size(), 12U);
    EXPECT_EQ(sees[0], std::string("sees ") + c.first + " % of pairs");
    EXPECT_EQ(sees[4], std::string("sees ") + c.fifth + " % of pairs");
    EXPECT_EQ(sees[11], "sees 100 % of pairs");
    EXPECT_NE(svg.find(std::string("heads see ") + c.average + " % of all pairs on average"), std::string::npos);
  }
}

TEST(Masks, SaysWhatItShows) {
  const LookHereConfig config = lookhere_preset("lh90");
  const std::vector<std::string> one = texts(masks_svg(config, 12, 12, {14, 14}, {.layer = 1}));
  EXPECT_TRUE(has(one, "LookHere corners-triangles-none"));
  EXPECT_TRUE(has(one, "head 3: down&amp;right, slope 0.5"));
  EXPECT_TRUE(has(one, "head 11: all, slope 0.00390625"));
  EXPECT_TRUE(has(one, "penalty = 2 × 1.41 × head slope × distance"));
  EXPECT_TRUE(has(one, "penalty subtracted") && has(one, "from the logit"));
  const std::vector<std::string> all = texts(masks_svg(config, 6, 6, {7, 7}, {.layer = kAllLayers}));
  EXPECT_TRUE(has(all, "layer 5"));
  EXPECT_TRUE(has(all, "slope 0.5"));
  EXPECT_TRUE(has(all, "tri_up"));  // the second layer's: six heads rotate
  EXPECT_TRUE(has(all, "penalty = 2 × layer slope × head slope × distance"));
  const LookHereConfig lists{.directions = {"halves-none", "none"}};
  EXPECT_TRUE(has(texts(masks_svg(lists, 12, 2, {4, 4}, {.layer = 1})), "LookHere none"));
  EXPECT_TRUE(has(texts(masks_svg(lists, 12, 2, {4, 4}, {.layer = kAllLayers})), "halves-none"));
}

TEST(Masks, StaySmallAndAreDeterministic) {
  const LookHereConfig config = lookhere_preset("lh90");
  const std::string large = masks_svg(config, 12, 12, {64, 64});
  EXPECT_EQ(xml_error(large), "");
  EXPECT_LT(large.size(), 300000U);
  EXPECT_EQ(large, masks_svg(config, 12, 12, {64, 64}));
  const std::string deep = masks_svg(config, 16, 24, {14, 14}, {.layer = kAllLayers});
  EXPECT_LT(deep.size(), 1000000U);
  EXPECT_EQ(count(deep, "<image "), 12 * 16);
  const std::vector<std::string> all = texts(deep);
  EXPECT_TRUE(has(all, "layer 0") && has(all, "layer 23") && !has(all, "layer 1"));
}

TEST(Masks, RefusesWhatDoesNotExist) {
  const LookHereConfig config = lookhere_preset("lh90");
  EXPECT_ERROR(masks_svg(config, 12, 12, {14, 14}, {.layer = 12}), "--layer: wanted 0 to 11 or all, got 12");
  EXPECT_ERROR(masks_svg(config, 12, 12, {14, 14}, {.layer = -2}), "--layer: wanted 0 to 11 or all, got -2");
  EXPECT_ERROR(masks_svg(config, 12, 12, {5, 9}, {.query_row = 5}), "masks: no patch in row 5 and column 4 of 5×9");
  EXPECT_ERROR(masks_svg(config, 12, 12, {0, 9}), "masks: the grid must be at least 1×1, got 0×9");
  EXPECT_ERROR(masks_svg(config, 12, 12, {513, 1}), "masks: the grid must be at most 512×512, got 513×1");
  EXPECT_ERROR(masks_svg(config, 12, 12, {1, 1000000}), "masks: the grid must be at most 512×512, got 1×1000000");
  EXPECT_ERROR(masks_svg(config, 1024, 1, {512, 512}),
               "masks: 1024 heads in 1 layers of 512×512 patches are more than 67108864 to draw");
  EXPECT_ERROR(masks_svg(config, 24, 256, {512, 512}, {.layer = kAllLayers}),
               "masks: 24 heads in 12 layers of 512×512");
}

}  // namespace
}  // namespace lookhere
