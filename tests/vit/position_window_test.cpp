// Windows: who sees whom, and which sizes there are.
#include "tests/vit/position_cases.h"
#include "vit/show/masks.h"

namespace lookhere {
namespace {

TEST(Window, SeesItsSquare) {
  PositionOptions options;
  options["window-size"] = 3.0;
  const PositionSizes z{.heads = 2, .depth = 2, .dim = 8, .grid = {4, 7}};
  const auto heads = position_preset("window", options)->bias(z, 1);
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_EQ(heads[1].name, "window of 3x3");
  EXPECT_EQ(position_preset("window")->in_words(z, 0).directions, "windows of 2x2 patches");
  for (long q = 0; q < 28; ++q)
    for (long k = 0; k < 28; ++k) {
      const bool same = q / 7 / 3 == k / 7 / 3 && q % 7 / 3 == k % 7 / 3;
      EXPECT_EQ(heads[0].head.bias(z.grid, q / 7, q % 7, k / 7, k % 7), same ? 0 : -kInf<double>);
    }
  EXPECT_EQ(to_json(position_preset("window", options)), nlohmann::json({{"type", "window"}, {"size", 3}}));
}

TEST(Window, IsDrawn) {
  const std::string svg = masks_svg(position_preset("window"), 2, 1, {4, 4}, {});
  for (const char* text : {"windows of 2x2 patches", "window of 2x2", "no distance; heads see 25 % of all pairs"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
}

TEST(Window, RefusesWhatIsNoSize) {
  PositionOptions options;
  for (const double wrong : {0.5, 1.5, 16385.0}) {
    options["window-size"] = wrong;
    EXPECT_ERROR(position_preset("window", options),
                 concat("--window-size: wanted a whole number from 1 to 16384, got ", wrong));
  }
  const auto window = [](const char* json) { return position_from_json(nlohmann::json::parse(json)); };
  EXPECT_ERROR(window(R"({"type": "window"})"), "config: 'size' is missing");
  EXPECT_ERROR(window(R"({"type": "window", "size": 0})"), "config: 'size' must be in [1, 16384], got 0");
  EXPECT_ERROR(window(R"({"type": "window", "size": 2.5})"), "config: 'size' must be an integer, got 2.5");
  EXPECT_ERROR(window(R"({"type": "window", "size": "2"})"), "config: 'size' must be an integer, got \"2\"");
}

TEST(Window, IsTheSameInBf16AndOnAGpu) { expect_same_everywhere(small_config(position_preset("window"), 3)); }

}  // namespace
}  // namespace lookhere
