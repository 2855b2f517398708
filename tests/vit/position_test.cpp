// Position encodings: values that the authors' code gives, their rule on other grids, the registry, and what is kept.
#include "vit/model/position/model_position.h"

#include <map>
#include <regex>

#include "tests/kernels/cases.h"
#include "tests/vit/model_cases.h"
#include "vit/model/position/spline.h"

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

// The parameters, each by its place and filled by `value(parameter, element)`, then the constants for `grid`.
std::vector<Var> inputs_of(const PositionConfig& config, const PositionSizes& z, Grid grid,
                           const std::function<double(std::size_t, long)>& value) {
  std::vector<Var> all;
  for (const PositionParameter& p : config->parameters(z)) {
    Tensor t = empty(p.shape, Dtype::f64);
    for (long i = 0; i < t.numel(); ++i) t.host<double>()[i] = value(all.size(), i);
    all.emplace_back(t);
  }
  for (const Tensor& constant : config->constants(z, grid, Dtype::f64)) all.emplace_back(constant);
  return all;
}

// The golden tables, sin(0.3·(2i + c)), resized from 4 to 6: the learned one's and, row by row, the factorized one's.
TEST(Positions, TablesAreResizedAsTheAuthors) {
  const PositionSizes sizes{.heads = 1, .depth = 1, .dim = 2, .grid = {4, 4}};
  const auto wave = [](std::size_t, long i) { return std::sin(0.3 * static_cast<double>(i)); };
  const auto embedded = [&](const char* name, Grid grid, const std::function<double(std::size_t, long)>& value) {
    const PositionConfig config = position_preset(name);
    return to_vector<double>(config->embed(sizes, inputs_of(config, sizes, grid, value), grid, Dtype::f64).value());
  };
  const auto learned = embedded("learned", {6, 6}, wave);
  const auto& want = baselines().at("ape_resize_4_to_6").at("bilinear align_corners=False antialias=False");
  ASSERT_EQ(want.size(), 36U);
  for (long i = 0; i < 72; ++i) EXPECT_NEAR(learned[i], want[i / 2][i % 2].get<double>(), 1e-6) << i;
  const auto& line = baselines().at("factorized_resize_4_to_6").at("linear align_corners=False");
  ASSERT_EQ(line.size(), 6U);
  const auto rows = embedded("factorized", {6, 5}, [&](std::size_t p, long i) { return p == 0 ? wave(p, i) : 0; });
  const auto columns = embedded("factorized", {5, 6}, [&](std::size_t p, long i) { return p == 1 ? wave(p, i) : 0; });
  for (long y = 0; y < 6; ++y)
    for (long x = 0; x < 5; ++x)
      for (long c = 0; c < 2; ++c) {
        EXPECT_NEAR(rows[(y * 5 + x) * 2 + c], line[y][c].get<double>(), 1e-6);
        EXPECT_NEAR(columns[(x * 6 + y) * 2 + c], line[y][c].get<double>(), 1e-6);
      }
}

// Fractions of the image, also of a larger one; the authors round them to float16.
TEST(Positions, FourierPositionsAreFractions) {
  const PositionConfig fourier = position_preset("fourier");
  const PositionSizes sizes{.heads = 1, .depth = 1, .dim = 4, .grid = {14, 14}};
  const auto at = to_vector<double>(fourier->constants(sizes, {14, 14}, Dtype::f64).at(0));
  const auto& want = baselines().at("fourier_positions_grid14_first_last(fp16 values)");
  const std::vector<long> patches{0, 1, 13, 14, 195};
  ASSERT_EQ(want.size(), patches.size());
  for (std::size_t i = 0; i < patches.size(); ++i)
    for (long k = 0; k < 2; ++k) EXPECT_NEAR(at[2 * patches[i] + k], want[i][k].get<double>(), 0x1p-11);
  const auto larger = to_vector<double>(fourier->constants(sizes, {2, 4}, Dtype::f64).at(0));
  EXPECT_EQ(larger, (std::vector<double>{0, 0, 0, .25, 0, .5, 0, .75, .5, 0, .5, .25, .5, .5, .5, .75}));
}

// BEiT's resize with SciPy's splines; the golden tables were float32.
TEST(Positions, RpeIsResizedAsBeitDoes) {
  const PositionConfig rpe = position_preset("rpe");
  long compared = 0;
  for (const auto& [name, from, to] : {std::tuple("grid4->grid6", 4L, 6L), {"grid14->grid20", 14L, 20L}}) {
    const PositionSizes sizes{.heads = 1, .depth = 1, .dim = 1, .grid = {from, from}};
    const Grid grid{to, to};
    const auto inputs = inputs_of(rpe, sizes, grid, [](std::size_t, long n) {
      return static_cast<double>(static_cast<float>(std::sin(0.05 * static_cast<double>(n))));
    });
    const auto table = to_vector<double>(rpe->table(sizes, inputs, grid, 0).value());
    for (const auto& spot : golden().at("beit_rel_pos_resize").at(name).at("spots[[row,col,val]]")) {
      EXPECT_NEAR(table[spot[0].get<long>() * (2 * to - 1) + spot[1].get<long>()], spot[2].get<double>(), 2e-6)
          << name << " " << spot;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 16);
}

// A grid of its own along each side; which row of the table a pair reads; the rows of the class token.
TEST(Positions, RpeReadsBeitsTable) {
  const PositionConfig rpe = position_preset("rpe");
  const PositionSizes sizes{.heads = 2, .depth = 1, .dim = 2, .grid = {2, 3}};
  const auto inputs = inputs_of(rpe, sizes, sizes.grid, [](std::size_t, long i) { return static_cast<double>(i); });
  EXPECT_EQ(inputs[0].shape(), Shape({18, 2}));
  const Var table = rpe->table(sizes, inputs, sizes.grid, 0);
  ASSERT_EQ(table.shape(), Shape({2, 3, 5}));
  const auto values = to_vector<double>(table.value());
  const auto& index = baselines().at("rpe_index_grid2x3(rows2,cols3)");
  for (long i = 0; i < 6; ++i)
    for (long j = 0; j < 6; ++j)
      for (long h = 0; h < 2; ++h)
        EXPECT_EQ(values[h * 15 + (1 - (j / 3 - i / 3)) * 5 + 2 - (j % 3 - i % 3)],
                  2 * index[i + 1][j + 1].get<double>() + static_cast<double>(h));
  // Rows 15, 16, 17: the class token as query, as key, as both; what a query's keys have in common is taken off.
  EXPECT_EQ(to_vector<double>(rpe->prefix(sizes, inputs, sizes.grid, 0).value()),
            (std::vector<double>{32, 34 - 30, 33, 35 - 31}));
  const auto wider = inputs_of(rpe, sizes, {2, 5}, [](std::size_t, long i) { return i < 30 && i / 2 % 5 == 2; });
  const auto resized = to_vector<double>(rpe->table(sizes, wider, {2, 5}, 0).value());
  for (long row = 0; row < 3; ++row) EXPECT_NEAR(resized[row * 9 + 4], 1, 1e-12);  // the middle stays
}

// A cubic, a parabola, a constant: each spline gives back what it can say, and at the ends stays as it is.
TEST(Positions, SplinesAreExactForCubics) {
  const auto cubic = [](double x) { return 2 - x + 0.5 * x * x - 0.25 * x * x * x; };
  const std::vector<double> to{-1.5, -1, 0.3, 2, 3.7, 4.5, 6};
  for (const auto& [from, degree] :
       {std::pair(std::vector<double>{-1, 0, 2.5, 4.5}, 3), std::pair(std::vector<double>{-1, 0, 1, 2.5, 3, 4.5}, 3),
        std::pair(std::vector<double>{-1, 1, 4.5}, 2), std::pair(std::vector<double>{1}, 0)}) {
    const auto value = [&, degree = degree](double x) {
      return degree == 3 ? cubic(x) : degree == 2 ? x * x - x : 3.0;
    };
    const std::vector<double> matrix = spline_matrix(from, to);
    ASSERT_EQ(matrix.size(), from.size() * to.size());
    for (std::size_t i = 0; i < to.size(); ++i) {
      double got = 0;
      for (std::size_t k = 0; k < from.size(); ++k) got += matrix[i * from.size() + k] * value(from[k]);
      EXPECT_NEAR(got, value(std::clamp(to[i], from.front(), from.back())), 1e-12) << to[i];
    }
  }
  EXPECT_ERROR(spline_matrix({0, 1}, {0}), "spline: wanted 1, 3 or more points, got 2");
  EXPECT_ERROR(spline_matrix({0, 1, 1}, {0}), "spline: points must rise");
}

TEST(Positions, ManhattanAndAxial) {
  const PositionSizes sizes{.heads = 4, .depth = 2, .dim = 8, .grid = {5, 5}};
  const auto manhattan = position_preset("manhattan")->bias(sizes, 1);
  EXPECT_EQ(manhattan[0].head.bias(sizes.grid, 1, 1, 3, 4), -0.25 * 5);
  EXPECT_EQ(manhattan[3].head.bias(sizes.grid, 4, 0, 0, 3), -7. / 256);
  const auto axial = position_preset("axial")->bias(sizes, 0);
  for (long h = 0; h < 4; ++h) {
    EXPECT_EQ(axial[h].name, h % 2 ? "column (no distance)" : "row (no distance)");
    long seen = 0;
    for (long key = 0; key < 25; ++key) {
      const double bias = axial[h].head.bias(sizes.grid, 2, 3, key / 5, key % 5);
      const bool visible = h % 2 ? key % 5 == 3 : key / 5 == 2;
      EXPECT_EQ(bias, visible ? 0 : -std::numeric_limits<double>::infinity());
      seen += visible;
    }
    EXPECT_EQ(seen, 5);
  }
  const auto three = position_preset("axial")->bias({.heads = 3, .depth = 2, .dim = 6, .grid = {5, 5}}, 1);
  EXPECT_EQ(three[0].name, "column (no distance)");  // where the layer before stopped
  EXPECT_EQ(position_preset("axial")->in_words(sizes, 0).origin,
            "lookhere.cpp's rule for head counts without an official layout");
}

// ConViT's first values: -|offset - cell|² but for a constant, on any grid; a gate of σ(1); the last sixth has none.
TEST(Positions, GpsaBeginsAsAConvolution) {
  const PositionConfig gpsa = position_preset("gpsa");
  const PositionSizes sizes{.heads = 5, .depth = 6, .dim = 10, .grid = {3, 3}};
  Init init(1, Dtype::f64, Device::cpu);
  std::vector<Var> inputs;
  for (const PositionParameter& p : gpsa->parameters(sizes)) inputs.push_back(p.init(init, p.shape));
  EXPECT_EQ(inputs.size(), 5U * 3);
  const Grid grid{4, 3};
  for (const Tensor& constant : gpsa->constants(sizes, grid, Dtype::f64)) inputs.emplace_back(constant);
  const PositionalAttention first = gpsa->by_position(sizes, inputs, grid, 0);
  ASSERT_EQ(first.table.shape(), Shape({5, 7, 5}));
  const auto table = to_vector<double>(first.table.value());
  for (long h = 0; h < 4; ++h)
    for (long dy = -3; dy <= 3; ++dy)
      for (long dx = -2; dx <= 2; ++dx) {
        const double y = (h < 2 ? -0.5 : 0.5) - static_cast<double>(dy),
                     x = (h % 2 ? 0.5 : -0.5) - static_cast<double>(dx);
        EXPECT_NEAR(table[h * 35 + (3 - dy) * 5 + 2 - dx], 0.5 - (y * y + x * x), 1e-12);
      }
  for (const double share : to_vector<double>(first.share.value())) EXPECT_NEAR(share, 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_FALSE(gpsa->by_position(sizes, inputs, grid, 5).share.defined());
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
  std::set<std::string> names;
  std::map<std::string, std::string> options;  // with what they say, the same where several encodings have one
  for (const PositionType& type : position_types()) {
    EXPECT_FALSE(type.names.empty());
    for (const std::string& name : type.names) {
      EXPECT_TRUE(names.insert(name).second) << name << " twice";
      EXPECT_NE(type.help.find(name), std::string::npos);
      const PositionConfig config = position_preset(name);
      EXPECT_TRUE(position_from_json(to_json(config)) == config) << name;
      EXPECT_EQ(to_json(config).at("type"), type.json_type);
    }
    for (const PositionOption& option : type.options)
      EXPECT_EQ(options.emplace(option.name, option.help).first->second, option.help);
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
    // The default has a name, and so have the rows of a table of the paper.
    if (path.starts_with("vit/model/position/") || path == "vit/model/config.cpp" || path == "vit/compare/paper.cpp")
      continue;
    ++files;
    const std::string text = read_file(path);
    for (const std::string& type : types) EXPECT_EQ(text.find(type), std::string::npos) << path << " asks for " << type;
    EXPECT_EQ(text.find("dynamic_cast"), std::string::npos) << path;
  }
  EXPECT_GT(files, 60);
}

}  // namespace
}  // namespace lookhere
