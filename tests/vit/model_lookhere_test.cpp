// LookHere's masks and biases against the authors' code, bit for bit: pair by pair from LookHereHead::bias, and from
// the tables that the model reads.
#include "vit/model/position/lookhere_heads.h"

#include <map>
#include <numeric>

#include "kernels/attention/field_of_view.h"
#include "tests/sha256.h"
#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

using Bits = std::vector<std::uint16_t>;  // (layers, heads, patches, patches) of bf16
constexpr std::uint16_t kMasked = 0xFF7F;
constexpr long kLayers = 12, kHeads = 12;

std::uint16_t bits_of(double bias) { return std::isinf(bias) ? kMasked : kernels::bf16(static_cast<float>(bias)).bits; }

Bits bits_by_pair(const LookHereConfig& config, Grid grid) {
  Bits bits;
  for (long layer = 0; layer < kLayers; ++layer)
    for (const LookHereHead& head : lookhere_heads(config, kHeads, kLayers, layer))
      for (long q = 0; q < grid.patches(); ++q)
        for (long k = 0; k < grid.patches(); ++k)
          bits.push_back(bits_of(head.bias(grid, q / grid.x, q % grid.x, k / grid.x, k % grid.x)));
  return bits;
}

Bits bits_by_table(const LookHereConfig& config, Grid grid, Dtype dtype) {
  Bits bits;
  const long n = grid.patches(), size = kernels::relative_size(grid);
  for (long layer = 0; layer < kLayers; ++layer) {
    const AttentionHeads heads =
        make_attention_heads(lookhere_heads(config, kHeads, kLayers, layer), grid, dtype, Device::cpu);
    EXPECT_FALSE(heads.key.defined());  // wanted by distances from the centre alone
    const Tensor relative = heads.relative.to(Dtype::f64);
    for (long h = 0; h < kHeads; ++h)
      for (long q = 0; q < n; ++q)
        for (long k = 0; k < n; ++k) {
          const long row = grid.y - 1 - (k / grid.x - q / grid.x), column = grid.x - 1 - (k % grid.x - q % grid.x);
          bits.push_back(bits_of(relative.host<double>()[h * size + row * (2 * grid.x - 1) + column]));
        }
  }
  return bits;
}

double bias_of(std::uint16_t bits) { return static_cast<float>(std::bit_cast<kernels::bf16>(bits)); }

struct HeadSums {
  std::vector<long> visible;  // (heads) pairs of the layer
  std::vector<double> bias;   // (heads) their biases
};
HeadSums sums_of(const Bits& bits, long layer, long patches) {
  HeadSums sums;
  for (long h = 0; h < kHeads; ++h) {
    const auto first = bits.begin() + (layer * kHeads + h) * patches * patches, last = first + patches * patches;
    sums.visible.push_back(patches * patches - std::count(first, last, kMasked));
    // Exact, in any order: bf16 values of this size leave f64 bits to spare.
    sums.bias.push_back(std::accumulate(
        first, last, 0.0, [](double sum, std::uint16_t b) { return b == kMasked ? sum : sum + bias_of(b); }));
  }
  return sums;
}

TEST(Sha256, StandardExamples) {
  const auto digest = [](const std::string& text) { return sha256(std::vector<char>(text.begin(), text.end())); };
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Each loop over the golden file counts what it compared: under another name a value would be compared with nothing.
TEST(LookHereGolden, MasksAndBiasesOfThePublishedModels) {
  long grids_seen = 0, spots = 0, rows = 0, counted = 0;
  for (const auto& [method, grids] : golden().at("variants").items())
    for (const auto& [name, want] : grids.items()) {
      SCOPED_TRACE(method + " " + name);
      ++grids_seen;
      const LookHereConfig config = golden_config(want.at("config"));
      const Grid grid{want.at("grid")[0], want.at("grid")[1]};
      const long n = grid.patches();
      const Bits bits = bits_by_pair(config, grid);
      EXPECT_EQ(sha256(bits), want.at("sha_bias_bf16"));
      EXPECT_TRUE(bits_by_table(config, grid, Dtype::f32) == bits);
      EXPECT_TRUE(bits_by_table(config, grid, Dtype::f64) == bits);

      std::vector<std::uint8_t> mask;  // the same in every layer
      for (long i = 0; i < kHeads * n * n; ++i) mask.push_back(bits[i] != kMasked);
      EXPECT_EQ(sha256(mask), want.at("sha_mask"));
      for (long layer = 0; layer < kLayers; ++layer) {
        const HeadSums sums = sums_of(bits, layer, n);
        EXPECT_EQ(sums.visible, want.at("visible_pairs_per_head").get<std::vector<long>>()) << layer;
        EXPECT_EQ(sums.bias, want.at("sum_bias_[layer][head]")[layer].get<std::vector<double>>()) << layer;
      }
      const long total = std::count(mask.begin(), mask.end(), 1);
      EXPECT_DOUBLE_EQ(static_cast<double>(total) / static_cast<double>(mask.size()),
                       want.at("visible_fraction_all_heads").get<double>());

      const auto expect_at = [&](long layer, long head, long query, long key, const nlohmann::json& value) {
        const std::uint16_t got = bits.at(((layer * kHeads + head) * n + query) * n + key);
        if (value.is_string()) {
          EXPECT_EQ(got, kMasked) << layer << " " << head << " " << query << " " << key;
        } else {
          EXPECT_EQ(bias_of(got), value.get<double>()) << layer << " " << head << " " << query << " " << key;
        }
        return got;
      };
      for (const auto& spot : want.value("spot_values", nlohmann::json::array())) {
        EXPECT_EQ(expect_at(spot.at("layer"), spot.at("head"), spot.at("query"), spot.at("key"), spot.at("bias")),
                  std::stoul(spot.at("bf16_bits").get<std::string>(), nullptr, 16));
        ++spots;
      }
      for (const auto& [key, layer] : {std::pair{"layer0_query4_rows", 0L}, std::pair{"layer11_query4_rows", 11L}})
        for (long h = 0; want.contains(key) && h < kHeads; ++h, ++rows)
          for (long k = 0; k < n; ++k) expect_at(layer, h, 4, k, want[key].at(h).at(k));
      const char* counts = "query_row11_col8_visible_count_per_head";
      for (long h = 0; want.contains(counts) && h < kHeads; ++h, ++counted) {
        const auto row = mask.begin() + (h * n + 11 * grid.x + 8) * n;
        EXPECT_EQ(std::count(row, row + n, 1), want[counts].at(h)) << h;
      }
    }
  EXPECT_EQ(grids_seen, 12);        // of four methods
  EXPECT_EQ(spots, 4 * 16);         // 14x14
  EXPECT_EQ(rows, 4 * 2 * kHeads);  // 3x3, two layers
  EXPECT_EQ(counted, 4 * kHeads);   // 14x14
}

TEST(LookHereGolden, Options) {
  const Grid grid{14, 14};
  EXPECT_EQ(golden().at("options_14x14").size(), 6U);
  for (const auto& [name, want] : golden().at("options_14x14").items()) {
    SCOPED_TRACE(name);
    const LookHereConfig config = golden_config(want.at("config"));
    const Bits bits = bits_by_pair(config, grid);
    EXPECT_EQ(sha256(bits), want.at("sha_bias_bf16"));
    EXPECT_TRUE(bits_by_table(config, grid, Dtype::f32) == bits);
    for (const auto& [layer, key] : {std::pair{0L, "layer0"}, std::pair{11L, "layer11"}}) {
      const HeadSums sums = sums_of(bits, layer, grid.patches());
      EXPECT_EQ(sums.visible, want.at(std::string("visible_pairs_per_head_") + key).get<std::vector<long>>());
      EXPECT_EQ(sums.bias, want.at(std::string("sum_bias_") + key).get<std::vector<double>>());
    }
  }
}

TEST(LookHereGolden, Slopes) {
  EXPECT_EQ(golden().at("head_slopes").size(), 22U);
  for (const auto& [key, want] : golden().at("head_slopes").items()) {
    const std::size_t bar = key.find('|');
    const long heads = std::stol(key.substr(bar + 1));
    std::vector<double> slopes;
    for (const LookHereHead& head : lookhere_heads({.directions = {key.substr(0, bar)}}, heads, 12, 0))
      slopes.push_back(head.slope);
    EXPECT_EQ(slopes, want.get<std::vector<double>>()) << key;
  }
  std::vector<double> layers;  // with a global slope of 1 the heads hold exactly these
  for (long layer = 0; layer < 12; ++layer)
    layers.push_back(lookhere_heads({.global_slope = 1}, 12, 12, layer)[0].layer_slope);
  EXPECT_EQ(layers, golden().at("layer_slopes_depth12_[1.5,0.5]").get<std::vector<double>>());
}

// The four heads of a shorthand, by the names that head_names gives them.
std::vector<std::pair<std::string, LookHereHead>> four_heads(const std::string& shorthand) {
  const LookHereConfig config{.directions = {shorthand}};
  const std::vector<std::string> names = head_names(config, 4, 1, 0);
  const std::vector<LookHereHead> heads = lookhere_heads(config, 4, 1, 0);
  std::vector<std::pair<std::string, LookHereHead>> result;
  for (std::size_t i = 0; i < heads.size(); ++i) result.emplace_back(names[i], heads[i]);
  return result;
}
std::vector<long> seen_from(const LookHereHead& head, Grid grid, long query) {
  std::vector<long> seen;
  for (long k = 0; k < grid.patches(); ++k)
    if (std::isfinite(head.bias(grid, query / grid.x, query % grid.x, k / grid.x, k % grid.x))) seen.push_back(k);
  return seen;
}

TEST(LookHereGolden, ShorthandNames) {
  EXPECT_EQ(golden().at("shorthand").size(), 15U);
  for (const auto& [shorthand, want] : golden().at("shorthand").items()) {
    const auto heads = four_heads(shorthand);
    ASSERT_EQ(heads.size(), 4U);
    for (std::size_t h = 0; h < 4; ++h) {
      std::string name;
      bool zero = false;
      for (const std::string primitive : want[h]) {
        zero |= primitive == "zero";
        if (primitive != "zero" || want[h].size() == 1) name += (name.empty() ? "" : "&") + primitive;
      }
      EXPECT_EQ(heads[h].first, want[h].empty() ? "all" : name + (want[h].size() > 1 && zero ? " (no distance)" : ""));
      EXPECT_EQ(heads[h].second.from == kernels::DistanceFrom::nothing, zero) << shorthand << " " << h;
    }
  }
}

TEST(LookHereGolden, WhatPrimitivesAndCombinationsSee) {
  std::map<std::string, LookHereHead> by_name;
  for (const char* shorthand : {"halves", "triangles", "diagonals"})
    for (const auto& [name, head] : four_heads(shorthand)) by_name.emplace(name, head);
  const std::tuple<const char*, Grid, long> cases[] = {
      {"grid3x3_query4", {3, 3}, 4}, {"grid3x3_query0", {3, 3}, 0}, {"grid4rows5cols_query7(row1,col2)", {4, 5}, 7}};
  for (const auto& [key, grid, query] : cases) {
    EXPECT_EQ(golden().at("primitive_visible").at(key).size(), 12U);
    for (const auto& [name, want] : golden().at("primitive_visible").at(key).items())
      EXPECT_EQ(seen_from(by_name.at(name), grid, query), want.get<std::vector<long>>()) << key << " " << name;
  }
  const auto& combinations = golden().at("combo_visible_grid5x5_query12(row2,col2)");
  EXPECT_EQ(combinations.size(), 6U);
  for (const auto& [shorthand, want] : combinations.items())
    for (std::size_t h = 0; h < 4; ++h)
      EXPECT_EQ(seen_from(four_heads(shorthand)[h].second, {5, 5}, 12), want.at(h).get<std::vector<long>>())
          << shorthand;
}

// Counted by offsets: at 1024 pixels a head has 17 million pairs.
TEST(LookHereGolden, VisiblePairsByResolution) {
  std::map<std::string, LookHereHead> by_name;
  for (const char* shorthand : {"none", "halves", "triangles", "diagonals", "corners", "eighths1"})
    for (const auto& [name, head] : four_heads(shorthand)) by_name.emplace(name, head);
  by_name["full"] = by_name.at("all");
  by_name["corner(up,left)"] = by_name.at("up&left");
  by_name["eighth(tri_up,left)"] = by_name.at("tri_up&left");
  const std::pair<const char*, const char*> methods[] = {{"LH-180", "lh180"}, {"LH-90", "lh90"}, {"LH-45", "lh45"}};
  EXPECT_EQ(golden().at("visible_pair_counts_by_resolution").size(), 7U);
  for (const auto& [pixels, want] : golden().at("visible_pair_counts_by_resolution").items()) {
    EXPECT_EQ(want.size(), 7U) << pixels;
    const long g = std::stol(pixels) / 16;
    const Grid grid{g, g};
    for (const auto& [name, pairs] : want.items())
      if (name != "visible_fraction") {
        ASSERT_EQ(kernels::visible_pairs(by_name.at(name), grid, 0), pairs) << pixels << " " << name;
      }
    for (const auto& [method, preset] : methods) {
      long total = 0;
      for (const LookHereHead& head : lookhere_heads(lookhere_preset(preset), kHeads, kLayers, 0))
        total += kernels::visible_pairs(head, grid, 0);
      EXPECT_DOUBLE_EQ(static_cast<double>(total) / static_cast<double>(kHeads * g * g * g * g),
                       want.at("visible_fraction").at(method).get<double>());
    }
  }
}

}  // namespace
}  // namespace lookhere
