// Each of timm's plain Vision Transformers by name: which can be imported, with timm's logits, and back.
#include <map>
#include <sstream>

#include "tests/vit/model_cases.h"
#include "vit/model/import/export.h"
#include "vit/model/import/import.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// amplitude · sin(0.37 · i · (1 + seed / 100) + seed), as in the program that made the table.
Tensor by_rule(const Shape& shape, long seed, double amplitude) {
  Tensor values = empty(shape);
  const auto s = static_cast<double>(seed);
  for (long i = 0; i < values.numel(); ++i)
    values.host<float>()[i] =
        static_cast<float>(amplitude * std::sin(0.37 * static_cast<double>(i) * (1 + 0.01 * s) + s));
  return values;
}

// A line of the table: an architecture of one block, four features per head, 4x4 patches, one channel, two classes,
// with the sizes that its layout names by letters, and either timm's logits, in f64, for these patches and for 3x5, or
// which tensor is none of ours.
struct Row {
  std::string name, refused;
  std::map<std::string, long> sizes;
  std::vector<double> logits;
  NamedTensors tensors;
};

NamedTensors tensors_of(const std::string& layout, std::map<std::string, long>& sizes) {
  NamedTensors tensors;
  std::istringstream items(layout);
  for (std::string item; items >> item;) {
    const std::size_t colon = item.find(':');
    std::string name = item.substr(0, colon), size;
    if (name.starts_with("b.")) name = "blocks.0." + name.substr(2);
    std::vector<long> shape;
    std::istringstream all(item.substr(colon + 1));
    while (std::getline(all, size, ',')) shape.push_back(sizes.contains(size) ? sizes[size] : std::stol(size));
    tensors.emplace_back(name, by_rule(Shape(shape), std::ssize(name), 0.5));
  }
  return tensors;
}

std::vector<Row> rows() {
  std::vector<Row> all;
  std::vector<std::string> layouts;
  std::istringstream lines(read_file("tests/golden/timm_models.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Row row;
    long layout = 0;
    words >> row.name >> layout;
    if (row.name == "layout") {
      EXPECT_EQ(layout, std::ssize(layouts));
      layouts.push_back(line.substr(line.find(' ', 7) + 1));
      continue;
    }
    for (const char* size : {"D", "M", "P", "R"}) words >> row.sizes[size];
    row.sizes["2D"] = 2 * row.sizes["D"], row.sizes["3D"] = 3 * row.sizes["D"];
    row.tensors = tensors_of(layouts.at(layout), row.sizes);
    std::string next;
    words >> next;
    if (next == "refused")
      words >> row.refused;
    else
      for (row.logits = {std::stod(next)}; row.logits.size() < 4;) words >> row.logits.emplace_back();
    all.push_back(row);
  }
  return all;
}

Facts facts_for(const Row& row) {
  Facts given;
  given.height = given.width = 4 * row.sizes.at("P");
  given.mean = {0.5}, given.std = {0.5};  // of one channel
  return given;
}

// By the largest logit.
double worst_difference(ViT& model, const Row& row) {
  double worst = 0;
  const long patch = row.sizes.at("P");
  for (const auto& [grid, first] : {std::pair<Grid, long>{{4, 4}, 0}, {{3, 5}, 2}}) {
    const Tensor images = by_rule({1, 1, grid.y * patch, grid.x * patch}, 3, 1);
    const std::vector<float> got = to_vector<float>(model(Var(images)).value());
    const double largest = std::max(std::abs(row.logits[first]), std::abs(row.logits[first + 1]));
    for (long i = 0; i < 2; ++i) worst = worse(worst, std::abs(got[i] - row.logits[first + i]) / largest);
  }
  return worst;
}

TEST(ImportTimm, EveryArchitectureByName) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors", back = folder / "back.safetensors";
  long count = 0, imported_count = 0;
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    ++count;
    save_safetensors(path, row.tensors);
    if (!row.refused.empty()) {
      EXPECT_ERROR(import_model(path, facts_for(row), row.name, false), "--model: wanted the name of one of timm's");
      Facts given = facts_for(row);
      given.heads = row.sizes.at("D") / 4, given.norm_eps = 1e-6, given.activation = "gelu", given.pool = "mean";
      given.position = position_preset("none");
      if (row.refused != "-") {  // norms behind the branches: their tensors are as all others'
        EXPECT_ERROR(import_model(path, given, "", false), row.refused);
      }
      continue;
    }
    ++imported_count;
    Imported imported = import_model(path, facts_for(row), row.name, false);
    EXPECT_LT(worst_difference(imported.model, row), 1e-5);
    // And back: a file that says all of the model, whose tensors have the shapes that timm's had.
    const Exported exported = export_model(imported.model, row.sizes.at("R") == 16, {});
    save_safetensors(back, exported.tensors, exported.metadata);
    Imported again = import_model(back, {}, "", false);
    EXPECT_EQ(to_json(again.model.config()), to_json(imported.model.config()));
    const NamedTensors first = weights_of(imported.model), second = weights_of(again.model);
    ASSERT_EQ(first.size(), second.size());
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(same_bits(first[i].second, second[i].second));
    for (const auto& [name, tensor] : row.tensors)
      for (const auto& [our_name, ours] : exported.tensors)
        if (name == our_name) {
          EXPECT_EQ(ours.shape(), tensor.shape()) << name;
        }
  }
  EXPECT_EQ(count, 179);
  EXPECT_EQ(imported_count, 169);
}

// What timm cannot have is refused by name; the rest is said in timm's words.
TEST(ImportTimm, ExportSaysTimmsCallOrRefuses) {
  ViTConfig plain = small_config(position_preset("none"), 2);
  plain.head = HeadType::linear;
  const auto exported = [&](auto change, bool no_embed_class = false) {
    ViTConfig c = plain;
    change(c);
    ViT model(c, 3);
    return export_model(model, no_embed_class, {});
  };
  const Exported bare = exported([](ViTConfig&) {});
  EXPECT_NE(bare.call.find(", pos_embed=\"none\", init_values=1e-4)"), std::string::npos) << bare.call;
  EXPECT_NE(bare.call.find("norm_layer=partial(timm.layers.LayerNorm, eps=1e-05)"), std::string::npos) << bare.call;
  // Computed positions are written out behind a zero for the class token: the sine of column 0 is 0, its cosine 1.
  const Exported sincos = exported([](ViTConfig& c) { c.dim = 8, c.position = position_preset("sincos"); });
  const auto table = std::ranges::find(sincos.tensors, "pos_embed", &NamedTensors::value_type::first);
  ASSERT_TRUE(table != sincos.tensors.end());
  const float* values = table->second.host<float>();
  EXPECT_EQ(std::vector<float>(values, values + 12), (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(sincos.notes[0], "the positions, which are computed here, are written as learned ones");
  const std::vector<std::pair<std::function<void(ViTConfig&)>, std::string>> cases{
      {[](ViTConfig& c) { c.position = position_preset("lh45"); }, "no position encoding lookhere, so these weights"},
      {[](ViTConfig& c) { c.position = position_preset("rope"), c.dim = 8; }, "no position encoding rope"},
      {[](ViTConfig& c) { c.head = HeadType::mlp; }, "have no head of two layers"},
      {[](ViTConfig& c) { c.attention = AttentionWeights::sigmoid; }, "have no sigmoid attention"},
      {[](ViTConfig& c) { c.pre_norm = true; }, "with norm_pre timm's patch embedding has no bias, this model's has"},
      {[](ViTConfig& c) { c.pool = Pooling::map, c.activation = "swiglu"; }, "has no gated MLP, swiglu"},
      {[](ViTConfig& c) { c.distilled = true, c.registers = 1; }, "distilled models have no registers"}};
  for (const auto& [change, message] : cases) EXPECT_ERROR(exported(change), message);
  EXPECT_ERROR(exported([](ViTConfig& c) { c.distilled = true; }, true), "and positions for both class tokens");
}

// What export leaves in a file is a stranger's like everything else in it.
TEST(ImportTimm, BrokenMetadataOfAnExport) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  ViTConfig c = small_config(position_preset("learned"), 2);
  c.head = HeadType::linear;
  ViT model(c, 3);
  const Exported good = export_model(model, false, {{"class_names", R"(["a","b","c"])"}});
  save_safetensors(path, good.tensors, good.metadata);
  EXPECT_EQ(import_model(path, {}, "", false).metadata.at("class_names"), R"(["a","b","c"])");
  const std::vector<std::tuple<const char*, std::string, std::string>> cases{
      {"lookhere.config", "[]", "config: wanted a JSON object, got array"},
      {"lookhere.config", "{", "config: wanted a JSON object, got no valid JSON"},
      {"lookhere.config", "{}", "config: 'image_size' is missing"},
      {"preprocessing", R"({"mean": 5})", "'mean' must be a list of numbers"},
      {"class_names", "{}", "class_names: wanted a list of texts, got object"},
      {"class_names", "[1]", "'class_names' must be a string"},
      {"class_names", R"(["a"])", "3 classes, but 1 names of classes"}};
  for (const auto& [key, value, message] : cases) {
    Metadata metadata = good.metadata;
    metadata[key] = value;
    save_safetensors(path, good.tensors, metadata);
    EXPECT_ERROR(import_model(path, {}, "", false), message);
  }
}

}  // namespace
}  // namespace lookhere
