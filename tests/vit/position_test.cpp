// Position encodings: values that the authors' code gives, their rule on other grids, the registry, and what is kept.
#include "vit/model/position/model_position.h"

#include <map>
#include <regex>

#include "tests/kernels/cases.h"
#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

const nlohmann::json& baselines() { return golden().at("tiny_model_forward"); }

TEST(Positions, SincosIsMaes) {
  const PositionSizes sizes{.heads = 12, .depth = 12, .dim = 768, .grid = {14, 14}};
  const auto table = to_vector<double>(position_preset("sincos")->embed(sizes, {}, {14, 14}, Dtype::f64).value());
  long compared = 0;
  for (const auto& spot : baselines().at("sincos_768_grid14_spots")) {
    EXPECT_NEAR(table[spot[0].get<long>() * 768 + spot[1].get<long>()], spot[2].get<double>(), 1e-7);
    ++compared;
  }
  EXPECT_EQ(compared, 15);
}

// On another grid the training table is resized, bilinearly as PyTorch does, and not computed again.
TEST(Positions, SincosIsResized) {
  const PositionSizes sizes{.heads = 2, .depth = 1, .dim = 8, .grid = {4, 3}};
  const PositionConfig sincos = position_preset("sincos");
  const auto table = to_vector<double>(sincos->embed(sizes, {}, sizes.grid, Dtype::f64).value());
  const Grid grid{6, 5};
  const auto resized = to_vector<double>(sincos->embed(sizes, {}, grid, Dtype::f64).value());
  const auto at = [](long i, long to, long from) {
    return std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
  };
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x; ++x)
      for (long c = 0; c < 8; ++c) {
        const double fy = at(y, grid.y, 4), fx = at(x, grid.x, 3);
        double want = 0;
        for (long ky = 0; ky < 4; ++ky)
          for (long kx = 0; kx < 3; ++kx) {
            const auto weight = [](double f, long k, long n) {
              const double last = std::min(f, static_cast<double>(n - 1));
              return std::max(0.0, 1 - std::abs(last - static_cast<double>(k)));
            };
            want += weight(fy, ky, 4) * weight(fx, kx, 3) * table[(ky * 3 + kx) * 8 + c];
          }
        EXPECT_NEAR(resized[(y * grid.x + x) * 8 + c], want, 1e-12);
      }
}

TEST(Positions, RopeTurnsAsTheAuthors) {
  const PositionSizes sizes{.heads = 1, .depth = 1, .dim = 64, .grid = {14, 14}};
  const Rotation angles = position_preset("rope")->rotate(sizes, {14, 14}, Dtype::f64);
  const auto cos = to_vector<double>(angles.cos), sin = to_vector<double>(angles.sin);
  long compared = 0;
  for (const auto& spot : baselines().at("rope_base100_D32_seq14").at("cos[pos][dim]")) {
    const long position = spot[0], k = spot[1].get<long>() % 16;
    for (const long at : {position * 14 * 32 + k, position * 32 + 16 + k}) {  // as a row's, as a column's
      EXPECT_NEAR(cos[at], spot[2].get<double>(), 1e-6);
      EXPECT_NEAR(sin[at], spot[3].get<double>(), 1e-6);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 16);
  // One token of row 3 and column 5, as q; the others are left alone by comparing only this.
  Tensor qkv = zeros({1, 196, 192}, Dtype::f64);
  const long row = (3 * 14 + 5) * 192;
  for (long d = 0; d < 64; ++d) qkv.host<double>()[row + d] = std::sin(0.11 * static_cast<double>(d) + 0.2);
  const auto turned = to_vector<double>(rotate(Var(qkv), 1, angles).value());
  const auto& want = baselines().at("rope_apply").at("out");
  ASSERT_EQ(want.size(), 64U);
  for (long d = 0; d < 64; ++d) EXPECT_NEAR(turned[row + d], want[d].get<double>(), 1e-6) << d;
}

// On another grid RoPE's positions go on where training's ended; the base is an option.
TEST(Positions, RopeGoesOn) {
  const PositionSizes sizes{.heads = 1, .depth = 1, .dim = 8, .grid = {2, 2}};
  PositionOptions options;
  options["rope-base"] = 16.0;
  const auto sin = to_vector<double>(position_preset("rope", options)->rotate(sizes, {5, 7}, Dtype::f64).sin);
  for (long patch = 0; patch < 35; ++patch)
    for (long k = 0; k < 2; ++k) {
      const double slower = k ? 0.25 : 1;
      EXPECT_DOUBLE_EQ(sin[patch * 4 + k], std::sin(static_cast<double>(patch / 7) * slower));
      EXPECT_DOUBLE_EQ(sin[patch * 4 + 2 + k], std::sin(static_cast<double>(patch % 7) * slower));
    }
}

TEST(Positions, RefuseModelsTheyDoNotFit) {
  ViTConfig config = small_config(position_preset("rope"), 4);
  config.dim = 24;
  EXPECT_ERROR(config.validate(), "rope: the head size (dim / heads) must be a multiple of 4, got 6");
  config = small_config(position_preset("sincos"), 3);
  config.dim = 18;
  EXPECT_ERROR(config.validate(), "sincos: dim must be a multiple of 4, got 18");
  const auto rope = [](const char* json) { return position_from_json(nlohmann::json::parse(json)); };
  EXPECT_ERROR(rope(R"({"type": "rope"})"), "config: 'base' is missing");
  EXPECT_ERROR(rope(R"({"type": "rope", "base": 0.5})"), "config: 'base' must be in [1, ");
  PositionOptions options;
  options["rope-base"] = 0.5;
  EXPECT_ERROR(position_preset("rope", options), "--rope-base: wanted 1 to ");
  EXPECT_ERROR(options["rope-bass"], "there is no option \"rope-bass\"");
}

TEST(Positions, EveryNameMakesAnEncodingThatItsConfigurationGivesBack) {
  std::set<std::string> names, options;
  for (const PositionType& type : position_types()) {
    EXPECT_FALSE(type.names.empty());
    for (const std::string& name : type.names) {
      EXPECT_TRUE(names.insert(name).second) << name << " twice";
      EXPECT_NE(type.help.find(name), std::string::npos);
      const PositionConfig config = position_preset(name);
      EXPECT_TRUE(position_from_json(to_json(config)) == config) << name;
      EXPECT_EQ(to_json(config).at("type"), type.json_type);
    }
    for (const PositionOption& option : type.options) EXPECT_TRUE(options.insert(option.name).second) << option.name;
  }
  EXPECT_TRUE(names.contains("lookhere") && names.contains("alibi") && names.contains("none"));
  EXPECT_GE(options.size(), 6U);
}

// Several sizes in turn plan once each; copies of a model share what has been made.
TEST(Positions, GridsAreMadeOnce) {
  Init init(1, Dtype::f32, Device::cpu);
  const ModelPosition position(position_preset("lh90"), {.heads = 4, .depth = 2, .dim = 16, .grid = {4, 4}}, init);
  const ModelPosition copy = position;
  const auto first = position.on({4, 4}, Dtype::f32), second = position.on({6, 5}, Dtype::f32);
  EXPECT_NE(first, second);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(copy.on({4, 4}, Dtype::f32), first);
    EXPECT_EQ(position.on({6, 5}, Dtype::f32), second);
  }
  EXPECT_NE(position.on({4, 4}, Dtype::f64), first);
  for (long size = 1; size <= 8; ++size) position.on({size, 9}, Dtype::f32);
  EXPECT_NE(position.on({6, 5}, Dtype::f32), second);  // few are kept
}

TEST(Positions, LearnedOnesSayHowTheyAreResized) {
  for (const char* how : {"bicubic", "bicubic_antialias"}) {
    const nlohmann::json json{{"type", "learned"}, {"resize", how}};
    EXPECT_EQ(to_json(position_from_json(json)), json);
  }
  EXPECT_FALSE(to_json(position_from_json({{"type", "learned"}, {"resize", "bilinear"}})).contains("resize"));
  EXPECT_ERROR(position_from_json({{"type", "learned"}, {"resize", "nearest"}}),
               "'resize' must be one of bilinear, bicubic, bicubic_antialias, got \"nearest\"");
  EXPECT_ERROR(position_from_json({{"type", "learned"}, {"resize", 3}}), "'resize' must be a string");
}

// Several threads may ask for a new grid at once.
TEST(Positions, ThreadsShareAGrid) {
  Init init(1, Dtype::f32, Device::cpu);
  const ModelPosition position(position_preset("lh45"), {.heads = 4, .depth = 2, .dim = 16, .grid = {4, 4}}, init);
  std::vector<std::shared_ptr<const PositionOnGrid>> made(8);
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 8; ++i) made[i] = position.on({7, 7}, Dtype::f32);
  for (const auto& one : made) EXPECT_EQ(one, made[0]);
}

// Which encoding a model has is asked in one folder.
TEST(Positions, NothingElseNamesThem) {
  std::set<std::string> types;
  for (const PositionType& type : position_types())  // words that mean other things as well are left out
    if (type.json_type != "lookhere" && type.json_type != "none") types.insert("\"" + type.json_type + "\"");
  long files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("vit")) {
    const std::string path = entry.path().generic_string();
    if (!path.ends_with(".cpp") && !path.ends_with(".h")) continue;
    if (path.starts_with("vit/model/position/") || path == "vit/model/config.cpp") continue;  // has the default's name
    ++files;
    const std::string text = read_file(path);
    for (const std::string& type : types) EXPECT_EQ(text.find(type), std::string::npos) << path << " asks for " << type;
    EXPECT_EQ(text.find("dynamic_cast"), std::string::npos) << path;
  }
  EXPECT_GT(files, 60);
}

}  // namespace
}  // namespace lookhere
