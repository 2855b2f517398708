// Which head looks where: the authors' layouts, our rule for other head counts, per-layer lists, and what is refused.
#include <set>

#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

using Names = std::vector<std::string>;

std::vector<double> slopes_of(const LookHereConfig& config, long heads, long depth = 12, long layer = 0) {
  std::vector<double> slopes;
  for (const LookHereHead& head : lookhere_heads(config, heads, depth, layer)) slopes.push_back(head.slope);
  return slopes;
}

TEST(Layout, TheAuthors) {
  const std::tuple<const char*, long, Names> cases[] = {
      {"halves-none", 6, {"up", "down", "left", "right", "all", "all"}},
      {"halves-none1zero3", 6, {"up", "down", "left", "right", "all", "zero"}},
      {"halves", 8, {"up", "down", "left", "right", "up", "down", "left", "right"}},
      {"halves-center",
       12,
       {"up", "down", "left", "right", "up", "down", "left", "right", "center", "center", "center", "center"}},
      {"halves-diagonals-none",
       12,
       {"up", "down", "left", "right", "diag_up_right", "diag_up_left", "diag_down_right", "diag_down_left", "all",
        "all", "all", "all"}},
      {"halves-zero",
       16,
       {"up", "down", "left", "right", "up", "down", "left", "right", "zero", "zero", "zero", "zero", "zero", "zero",
        "zero", "zero"}},
      {"none-halves-zero",
       16,
       {"all", "all", "all", "all", "all", "all", "all", "all", "up", "down", "left", "right", "zero", "zero", "zero",
        "zero"}},
      {"none-halves-zero-center",
       16,
       {"all", "all", "all", "all", "up", "down", "left", "right", "zero", "zero", "zero", "zero", "center", "center",
        "center", "center"}}};
  for (const auto& [directions, heads, want] : cases) {
    EXPECT_TRUE(has_official_layout(directions, heads)) << directions;
    for (const long layer : {0, 11})  // the same in every layer
      EXPECT_EQ(head_names({.directions = {directions}}, heads, 12, layer), want) << directions;
  }
}

TEST(Layout, WhichAreTheAuthors) {
  const std::tuple<const char*, long, bool> cases[] = {{"none", 4, true},
                                                       {"none", 12, true},
                                                       {"none", 3, false},
                                                       {"halves", 6, false},
                                                       {"halves-none", 6, true},
                                                       {"halves-corners", 6, false},
                                                       {"halves-none", 4, false},
                                                       {"halves-none", 8, false},
                                                       {"halves-diagonals-none", 3, false},
                                                       {"halves-diagonals-none", 6, false},
                                                       {"halves-diagonals-none", 12, true},
                                                       {"halves-diagonals-none", 16, true},
                                                       {"halves-diagonals-corners-none", 12, false},
                                                       {"halves-diagonals-corners-none", 16, true}};
  for (const auto& [directions, heads, want] : cases)
    EXPECT_EQ(has_official_layout(directions, heads), want) << directions << " " << heads;
}

// round(2/3 · heads) directed heads with slope 1/2, the others with 1/4, 1/16, ...
TEST(Layout, OurRuleForOtherHeadCounts) {
  const std::tuple<long, long, std::vector<double>> cases[] = {
      {1, 1, {.5}},
      {2, 1, {.5, .25}},
      {3, 2, {.5, .5, .25}},
      {4, 3, {.5, .5, .5, .25}},
      {5, 3, {.5, .5, .5, .25, .0625}},
      {6, 4, {.5, .5, .5, .5, .25, .0625}},
      {8, 5, {.5, .5, .5, .5, .5, .25, .0625, .015625}},
      {15, 10, {.5, .5, .5, .5, .5, .5, .5, .5, .5, .5, .25, .25, .0625, .015625, .00390625}}};
  for (const char* preset : {"lh180", "lh90", "lh45"})
    for (const auto& [heads, directed, slopes] : cases) {
      const LookHereConfig config = lookhere_preset(preset);
      EXPECT_FALSE(has_official_layout(config.directions[0], heads));
      std::set<std::string> seen;
      for (long layer = 0; layer < 12; ++layer) {
        const Names names = head_names(config, heads, 12, layer);
        EXPECT_EQ(std::count(names.begin(), names.end(), "all"), heads - directed) << heads;
        EXPECT_EQ(slopes_of(config, heads, 12, layer), slopes) << heads;
        seen.insert(names.begin(), names.begin() + directed);
        // None is repeated before each of the eight has occurred.
        EXPECT_EQ(static_cast<long>(seen.size()), std::min((layer + 1) * directed, 8L)) << preset << " " << heads;
      }
    }
}

TEST(Layout, OurRuleTakesTheDirectionsInTurn) {
  const LookHereConfig config = lookhere_preset("lh90");
  EXPECT_EQ(head_names(config, 3, 12, 0), (Names{"up&left", "up&right", "all"}));
  EXPECT_EQ(head_names(config, 3, 12, 1), (Names{"down&left", "down&right", "all"}));
  EXPECT_EQ(head_names(config, 3, 12, 2), (Names{"tri_up", "tri_down", "all"}));
  EXPECT_EQ(head_names(config, 3, 12, 4), (Names{"up&left", "up&right", "all"}));
  EXPECT_EQ(head_names(config, 8, 12, 1),
            (Names{"tri_down", "tri_left", "tri_right", "up&left", "up&right", "all", "all", "all"}));
  // Without one of the two kinds the other has all heads.
  EXPECT_EQ(head_names({.directions = {"none"}}, 3, 2, 1), (Names{"all", "all", "all"}));
  EXPECT_EQ(slopes_of({.directions = {"none"}}, 3), (std::vector<double>{.25, .0625, .015625}));
  EXPECT_EQ(head_names({.directions = {"halves"}}, 3, 2, 1), (Names{"right", "up", "down"}));
  EXPECT_EQ(slopes_of({.directions = {"halves"}}, 3), (std::vector<double>{.5, .5, .5}));
}

TEST(Layout, ALayerOfItsOwnFromAList) {
  const LookHereConfig config{.directions = {"halves", "none", "zerocorners"}};
  EXPECT_EQ(head_names(config, 4, 3, 0), (Names{"up", "down", "left", "right"}));
  EXPECT_EQ(head_names(config, 4, 3, 1), (Names{"all", "all", "all", "all"}));
  EXPECT_EQ(head_names(config, 4, 3, 2), (Names{"up&left (no distance)", "up&right (no distance)",
                                                "down&left (no distance)", "down&right (no distance)"}));
  for (const LookHereHead& head : lookhere_heads(config, 4, 3, 2)) {
    EXPECT_EQ(head.bias({3, 3}, 1, 1, 1, 1), 0);
    EXPECT_EQ(head.largest_distance({3, 3}), 0);
  }
}

TEST(Layout, CenterCountsDistanceFromTheGridsCenter) {
  const Grid grid{3, 6};
  const AttentionHeads tables = make_attention_heads(
      lookhere_heads({.directions = {"center"}, .round_to_bf16 = false}, 4, 1, 0), grid, Dtype::f64, Device::cpu);
  for (long h = 0; h < 4; ++h)
    for (long q = 0; q < 18; ++q)
      for (long k = 0; k < 18; ++k) {
        const double want = -2 * 1.5 * std::ldexp(1, static_cast<int>(-2 - 2 * h)) *
                            std::hypot(static_cast<double>(k / 6) - 1, static_cast<double>(k % 6) - 2.5);
        EXPECT_NEAR(tables.heads[h].bias(grid, q / 6, q % 6, k / 6, k % 6), want, 1e-15);
        const long row = 2 - (k / 6 - q / 6), column = 5 - (k % 6 - q % 6);
        const double relative = tables.relative.host<double>()[h * kernels::relative_size(grid) + row * 11 + column];
        EXPECT_NEAR(relative + tables.key.host<double>()[h * 18 + k], want, 1e-15);
      }
}

// As in the authors' code, where 0·inf gives NaN and NaN becomes 0.
TEST(Layout, ZeroSlopeRemovesTheMask) {
  const Grid grid{3, 3};
  for (LookHereConfig config : {LookHereConfig{.layer_slopes = {1, 0}}, LookHereConfig{.global_slope = 0}})
    for (const LookHereHead& head : lookhere_heads(config, 12, 2, 1)) {
      const AttentionHeads tables = make_attention_heads({head}, grid, Dtype::f32, Device::cpu);
      for (long i = 0; i < 25; ++i) EXPECT_EQ(tables.relative.host<float>()[i], 0);
      for (long q = 0; q < 9; ++q)
        for (long k = 0; k < 9; ++k) EXPECT_EQ(head.bias(grid, q / 3, q % 3, k / 3, k % 3), 0);
    }
  EXPECT_FALSE(std::isfinite(lookhere_heads({.layer_slopes = {1, 0}}, 12, 2, 0)[0].bias(grid, 0, 0, 2, 2)));
}

TEST(Layout, LayerSlopes) {
  const auto slope = [](std::array<double, 2> slopes, long depth, long layer) {
    return lookhere_heads({.global_slope = 1, .layer_slopes = slopes}, 12, depth, layer)[0].layer_slope;
  };
  EXPECT_EQ(slope({1.5, 0.5}, 1, 0), 1.5);  // NumPy's linspace of one value is its first
  EXPECT_EQ(slope({0.1, 0.7}, 4, 3), 0.7);  // exact, which 0.1 + 3·0.2 is not
  EXPECT_DOUBLE_EQ(slope({0.1, 0.7}, 4, 1), 0.3);
  EXPECT_EQ(lookhere_heads({.global_slope = 2, .layer_slopes = {1.5, .5}}, 12, 2, 0)[0].layer_slope, 3);
}

TEST(Layout, Errors) {
  const auto heads = [](const LookHereConfig& config) { return lookhere_heads(config, 12, 3, 0); };
  const std::string known =
      "known: axial, center, corners, diagonals, eighths1, eighths2, halves, none, none1zero3, none2zero2, none3zero1, "
      "triangles, zero, zeroaxial, zerocorners, zerohalves, zerotriangles";
  for (const auto& [directions, name] :
       {std::pair{"halves-sideways-none", "\"sideways\""}, std::pair{"", "\"\""}, std::pair{"halves-", "\"\""},
        std::pair{"Halves", "\"Halves\""}, std::pair{"a\nb", "\"a?b\""}}) {
    EXPECT_ERROR(heads({.directions = {directions}}), std::string("unknown direction name ") + name + ", " + known);
    EXPECT_ERROR(has_official_layout(directions, 12), "unknown direction name");
    EXPECT_ERROR(head_names({.directions = {directions}}, 12, 3, 0), "unknown direction name");
  }
  for (const Names& list : {Names{}, Names{"none", "none"}, Names(4, "none")})
    EXPECT_ERROR(heads({.directions = list}),
                 "directions must be one string or one per layer (3), got " + std::to_string(list.size()));
  EXPECT_ERROR(heads({.global_slope = -1}), "slopes must not be negative, got global -1 and layers 1.5 to 0.5");
  EXPECT_ERROR(heads({.layer_slopes = {-1, 1}}), "slopes must not be negative");
  EXPECT_ERROR(heads({.layer_slopes = {1, -1}}), "slopes must not be negative");
  EXPECT_ERROR(heads({.layer_slopes = {std::nan(""), 1}}), "slopes must not be negative");
  EXPECT_ERROR(lookhere_preset("lh60"), "unknown preset 'lh60', known: lh180, lh90, lh45, alibi, manhattan, axial");
}

}  // namespace
}  // namespace lookhere
