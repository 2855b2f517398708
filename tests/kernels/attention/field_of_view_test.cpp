// Half-planes against the directions' definitions, biases against the authors' values, tables against the formula.
#include "kernels/attention/field_of_view.h"

#include <nlohmann/json.hpp>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

constexpr double kMasked = -kInf<double>;
const Grid kGrids[] = {{1, 1}, {1, 7}, {6, 1}, {3, 3}, {4, 5}, {7, 3}};

const nlohmann::json& golden() {
  static const auto parsed = nlohmann::json::parse(read_file("tests/golden/lookhere.json"));
  return parsed;
}

std::vector<long> seen_from(const FieldOfView& view, Grid grid, long query) {
  std::vector<long> seen;
  for (long key = 0; key < grid.patches(); ++key)
    if (view.sees(key / grid.x - query / grid.x, key % grid.x - query % grid.x)) seen.push_back(key);
  return seen;
}

TEST(FieldOfView, HalfPlanesAreTheDefinitions) {
  for (const Direction& direction : directions())
    for (long dy = -9; dy <= 9; ++dy)
      for (long dx = -9; dx <= 9; ++dx)
        ASSERT_EQ(direction.view.sees(dy, dx), direction.sees(dy, dx)) << direction.name << " " << dy << " " << dx;
  EXPECT_TRUE(view_of("all").sees_all());
  EXPECT_FALSE(view_of("up").sees_all());
}

TEST(FieldOfView, PrimitivesSeeWhatTheAuthorsSee) {
  const auto& all = golden().at("primitive_visible");
  const std::tuple<const char*, Grid, long> cases[] = {
      {"grid3x3_query4", {3, 3}, 4}, {"grid3x3_query0", {3, 3}, 0}, {"grid4rows5cols_query7(row1,col2)", {4, 5}, 7}};
  for (const auto& [key, grid, query] : cases) {
    ASSERT_EQ(all.at(key).size(), 12U);
    for (const auto& [name, seen] : all.at(key).items())
      EXPECT_EQ(seen_from(view_of(name), grid, query), seen.get<std::vector<long>>()) << key << " " << name;
  }
}

TEST(FieldOfView, CombinationsSeeWhatTheAuthorsSee) {
  const auto& all = golden().at("combo_visible_grid5x5_query12(row2,col2)");
  ASSERT_EQ(all.size(), 6U);
  for (const auto& [shorthand, seen] : all.items())
    for (std::size_t h = 0; h < 4; ++h) {
      std::string name;
      for (const auto& primitive : golden().at("shorthand").at(shorthand).at(h))
        name += (name.empty() ? "" : " & ") + primitive.get<std::string>();
      EXPECT_EQ(seen_from(view_of(name), {5, 5}, 12), seen.at(h).get<std::vector<long>>()) << shorthand << " " << name;
    }
}

// LH-45's first layer, 3×3 patches, the centre's row: slopes 2·1.5·0.5, √2 of which rounds to 2.125 in bf16.
TEST(FieldOfView, BiasByHand) {
  const double m = kMasked;
  const auto row = [](const LookHereHead& head) {
    std::vector<double> values;
    for (long key = 0; key < 9; ++key) values.push_back(head.bias({3, 3}, 1, 1, key / 3, key % 3));
    return values;
  };
  const auto head = [](const char* direction, double slope) {
    return LookHereHead{.view = view_of(direction), .slope = slope, .layer_slope = 3};
  };
  EXPECT_EQ(row(head("tri_up & left", 0.5)), (std::vector<double>{-2.125, -1.5, m, m, 0, m, m, m, m}));
  EXPECT_EQ(row(head("tri_up & right", 0.5)), (std::vector<double>{m, -1.5, -2.125, m, 0, m, m, m, m}));
  EXPECT_EQ(row(head("all", 0.25)),
            (std::vector<double>{-1.0625, -.75, -1.0625, -.75, 0, -.75, -1.0625, -.75, -1.0625}));
}

TEST(FieldOfView, BiasMatchesTheAuthorsRows) {
  const std::pair<const char*, const char*> models[] = {
      {"LH-180", "halves diagonals none"}, {"LH-90", "corners triangles none"}, {"LH-45", "eighths1 eighths2 none"}};
  for (const auto& [model, names] : models) {
    const auto& rows = golden().at("variants").at(model).at("g3").at("layer0_query4_rows");
    std::istringstream words(names);
    std::string shorthand;
    for (std::size_t h = 0; h < 12; ++h) {
      if (h % 4 == 0) words >> shorthand;
      std::string name;
      for (const auto& primitive : golden().at("shorthand").at(shorthand).at(h % 4))
        name += (name.empty() ? "" : " & ") + primitive.get<std::string>();
      const double slope = golden().at("head_slopes").at("eighths1-eighths2-none|12").at(h).get<double>();
      const LookHereHead head{.view = view_of(name.empty() ? "all" : name), .slope = slope, .layer_slope = 3};
      for (long key = 0; key < 9; ++key) {
        const double want = rows.at(h).at(key).is_string() ? kMasked : rows.at(h).at(key).get<double>();
        EXPECT_EQ(head.bias({3, 3}, 1, 1, key / 3, key % 3), want) << model << " head " << h << " key " << key;
      }
    }
  }
}

// Sums over all pairs of a 14×14 grid, first layer, per head of LH-90, from the authors' code.
TEST(FieldOfView, OptionsMatchTheAuthorsSums) {
  const char* names[] = {"up & left", "up & right", "down & left", "down & right", "tri_up", "tri_down",
                         "tri_left",  "tri_right",  "all",         "all",          "all",    "all"};
  const auto sum_of = [](const LookHereHead& head) {
    double sum = 0;
    for (long q = 0; q < 196; ++q)
      for (long k = 0; k < 196; ++k) {
        const double bias = head.bias({14, 14}, q / 14, q % 14, k / 14, k % 14);
        if (bias != kMasked) sum += bias;
      }
    return sum;
  };
  const std::pair<const char*, LookHereHead> options[] = {
      {"LH-90 sqrt", {.view = {}, .power = DistancePower::sqrt}},
      {"LH-90 square", {.view = {}, .power = DistancePower::square}},
      {"LH-90 fill zero", {.view = {}, .fill = MaskFill::zero}}};
  for (const auto& [option, base] : options)
    for (std::size_t h = 0; h < 12; ++h) {
      LookHereHead head = base;
      head.view = view_of(names[h]);
      head.slope = golden().at("head_slopes").at("corners-triangles-none|12").at(h).get<double>();
      head.layer_slope = 3;
      EXPECT_EQ(sum_of(head), golden().at("options_14x14").at(option).at("sum_bias_layer0").at(h).get<double>())
          << option << " head " << h;
    }
}

TEST(FieldOfView, MaskedPairsGetTheFill) {
  const LookHereHead base{.view = view_of("up"), .slope = 0.5, .round_to_bf16 = false};
  const Grid grid{4, 5};
  const auto masked = [&](auto change) {
    LookHereHead head = base;
    change(head);
    return head.bias(grid, 1, 1, 2, 1);  // one row below
  };
  EXPECT_EQ(masked([](auto&) {}), kMasked);
  EXPECT_EQ(masked([](auto& head) { head.fill = MaskFill::zero; }), 0);
  EXPECT_EQ(masked([](auto& head) { head.fill = MaskFill::max; }), -0.5 * 5);  // 3 rows and 4 columns away
  EXPECT_EQ(masked([](auto& head) { head.fill = MaskFill::max, head.power = DistancePower::square; }), -0.5 * 25);
  EXPECT_EQ(masked([](auto& head) { head.fill = MaskFill::max, head.from = DistanceFrom::nothing; }), 0);
  EXPECT_EQ(masked([](auto& head) { head.from = DistanceFrom::nothing; }), kMasked);
  EXPECT_EQ(masked([](auto& head) { head.layer_slope = 0; }), 0);  // 0 · inf is no mask in the authors' code either
}

TEST(FieldOfView, RoundingToBf16IsOptional) {
  LookHereHead head{.view = {}, .slope = 0.3};
  EXPECT_EQ(head.bias({1, 2}, 0, 0, 0, 1), -0.30078125);
  head.round_to_bf16 = false;
  EXPECT_EQ(head.bias({1, 2}, 0, 0, 0, 1), -0.3);
}

// What the fast kernels read is what the formula says, for every pair.
TEST(FieldOfView, TablesHoldTheBiasOfEveryPair) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : kGrids) {
      std::vector<double> relative(kernels::relative_size(grid), kNaN<double>), key(grid.patches(), kNaN<double>);
      kernels::relative_bias(relative.data(), head, grid);
      kernels::key_bias(key.data(), head, grid);
      for (long qy = 0; qy < grid.y; ++qy)
        for (long qx = 0; qx < grid.x; ++qx)
          for (long ky = 0; ky < grid.y; ++ky)
            for (long kx = 0; kx < grid.x; ++kx)
              ASSERT_EQ(
                  relative[(grid.y - 1 + qy - ky) * (2 * grid.x - 1) + grid.x - 1 + qx - kx] + key[ky * grid.x + kx],
                  head.bias(grid, qy, qx, ky, kx));
    }
}

TEST(FieldOfView, KeyBiasCountsFromTheGridCentre) {
  const LookHereHead head{.view = {}, .from = DistanceFrom::grid_center, .slope = 1, .round_to_bf16 = false};
  std::vector<double> key(6);
  kernels::key_bias(key.data(), head, {2, 3});  // the centre is at (0.5, 1)
  const double side = -std::sqrt(1.25);
  EXPECT_EQ(key, (std::vector<double>{side, -0.5, side, side, -0.5, side}));
}

TEST(FieldOfView, CountsVisiblePairs) {
  const LookHereHead all, up{.view = view_of("up"), .slope = 1}, octant{.view = view_of("tri_up & left"), .slope = 1};
  EXPECT_EQ(kernels::visible_pairs(all, {3, 5}, 0), 15 * 15);
  EXPECT_EQ(kernels::visible_pairs(all, {3, 5}, 2), 17 * 17);
  EXPECT_EQ(kernels::visible_pairs(up, {14, 14}, 0), 20580);  // g³(g+1)/2, as the authors' code counts
  EXPECT_EQ(kernels::visible_pairs(octant, {14, 14}, 0), 6020);
  EXPECT_EQ(kernels::visible_pairs(octant, {64, 64}, 0), 2207920);
  EXPECT_EQ(kernels::visible_pairs(octant, {14, 14}, 1), 6020 + 2 * 196 + 1);
}

}  // namespace
}  // namespace lookhere
