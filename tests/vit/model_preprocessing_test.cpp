// The constants with which a model's images were normalised: stored exactly, read with suspicion.
#include "vit/model/preprocessing.h"

#include "tests/vit/model_cases.h"
#include "tests/vit/tiny_run.h"
#include "vit/data/image_loader.h"

namespace lookhere {
namespace {

TEST(ModelPreprocessing, SurvivesJsonExactly) {
  EXPECT_EQ(to_json(Preprocessing{.mean = {0.2860F}, .std = {0.3530F}}), R"({"mean": [0.286], "std": [0.353]})");
  Rng rng(3, Purpose::test);
  Preprocessing p{.mean = {0, -0.0F, 3.4e38F, 1e-45F}, .std = {1, 1e-45F, 3.4e38F, 0.1F}};
  for (int i = 0; i < 1000; ++i) p.mean.push_back(rng.uniform(-1, 1)), p.std.push_back(rng.uniform(1e-3F, 1));
  const auto channels = static_cast<long>(p.mean.size());
  const Preprocessing read = preprocessing_from_json(to_json(p), channels);
  EXPECT_EQ(read.mean, p.mean);
  EXPECT_EQ(read.std, p.std);
}

TEST(ModelPreprocessing, ToleratesFieldsOfLaterVersions) {
  const char* text = R"({"crop": 0.9, "std": [1, 2], "resampling": {"kind": ["bicubic"]}, "mean": [0, 0.5]})";
  EXPECT_EQ(preprocessing_from_json(text, 2).std, (std::vector<float>{1, 2}));
}

TEST(ModelPreprocessing, WrongFieldsAreNamedWithTheFile) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "wanted a JSON object, got no valid JSON"},
      {"[]", "wanted a JSON object, got array"},
      {R"({"std": [1, 1]})", "'mean' is missing"},
      {R"({"mean": [0, 0]})", "'std' is missing"},
      {R"({"mean": 0.5, "std": [1, 1]})", "'mean' must be 2 numbers, one per channel, got 0.5"},
      {R"({"mean": [0.5], "std": [1, 1]})", "'mean' must be 2 numbers, one per channel, got array of 1"},
      {R"({"mean": [0, 0], "std": [1, 1, 1]})", "'std' must be 2 numbers, one per channel, got array of 3"},
      {R"({"mean": [0, "a\n"], "std": [1, 1]})", "'mean' must be numbers, got \"a?\""},
      {R"({"mean": [0, null], "std": [1, 1]})", "'mean' must be numbers, got null"},
      {R"({"mean": [0, [[]]], "std": [1, 1]})", "'mean' must be numbers, got array of 1"},
      {R"({"mean": [0, 1e39], "std": [1, 1]})", "'mean' must be finite, got 1e+39"},
      {R"({"mean": [0, NaN], "std": [1, 1]})", "wanted a JSON object, got no valid JSON"},
      {R"({"mean": [0, 0], "std": [1, -1e39]})", "'std' must be finite, got -1e+39"},
      {R"({"mean": [0, 0], "std": [1, 0]})", "'std' must be above 0, got 0"},
      {R"({"mean": [0, 0], "std": [-1, 1]})", "'std' must be above 0, got -1"},
      {R"({"mean": [0, 0], "std": [1, 1e-60]})", "'std' must be above 0, got 0"},
  };
  const TemporaryFolder folder;
  ViT model(small_config(position_preset("lh90")), 1);
  for (const auto& [text, message] : cases) {
    save_model(folder / "m", model, {{"preprocessing", text}});
    const Safetensors file(folder / "m");
    EXPECT_ERROR(preprocessing_of(file, 2), (folder / "m") + ": 'preprocessing' in the metadata: " + message);
  }
  save_model(folder / "m", model);
  EXPECT_FALSE(preprocessing_of(Safetensors(folder / "m"), 2).has_value());
}

TEST(ModelPreprocessing, TrainingWritesItIntoEveryFile) {
  const TemporaryFolder folder;
  write_idx_folder(folder / "data", 32);
  Recipe recipe = tiny_recipe();
  recipe.data = folder / "data", recipe.epochs = 1;
  train(recipe, folder / "run");
  const Dataset training = load_dataset(recipe.data, true);
  for (const char* name : {"run/last.safetensors", "run/best.safetensors"}) {
    const Safetensors file(folder / name);
    const auto own = preprocessing_of(file, 1);
    ASSERT_TRUE(own.has_value()) << name;
    EXPECT_EQ(own->mean, training.mean);
    EXPECT_EQ(own->std, training.std);
    EXPECT_EQ(class_names_of(file, 4), training.class_names);
  }
}

// Arrays of bytes become what the same bytes become in a data set.
TEST(ModelPreprocessing, NormalisesAsDataSetsAre) {
  Dataset d;
  d.name = "bytes", d.classes = 1, d.labels = {0}, d.class_names = {"0"};
  d.mean = {0.3F, 0.6F}, d.std = {0.25F, 0.5F};
  std::vector<std::uint8_t> pixels;
  Tensor bytes = empty({1, 2, 16, 8}, Dtype::i64), want = empty({1, 2, 16, 8});
  for (long i = 0; i < 256; ++i) bytes.host<i64>()[i] = i, pixels.push_back(static_cast<std::uint8_t>(i));
  d.set_images(std::move(pixels), 2, 16, 8);
  ImageLoader(d, 16, 8).load(0, want.host<float>());
  EXPECT_TRUE(same_bits(normalised(bytes, {.mean = d.mean, .std = d.std}), want));
  EXPECT_NEAR(want.host<float>()[255], (1 - 0.6) / 0.5, 1e-6);
  EXPECT_ERROR(normalised(bytes, {.mean = {0}, .std = {1}}), "wanted images [n, 1, height, width], got [1, 2, 16, 8]");
}

// Every byte comes back from what normalising has made of it; what is beyond black and white becomes these.
TEST(Preprocessing, PixelsComeBack) {
  const Preprocessing p{.mean = {0.4F, 0.6F}, .std = {0.2F, 0.3F}};
  std::vector<i64> bytes;
  for (i64 i = 0; i < 256; ++i) bytes.push_back(i);
  Tensor held = empty({1, 2, 8, 16}, Dtype::i64, Device::cpu);
  std::copy(bytes.begin(), bytes.end(), held.host<i64>());
  const std::vector<std::uint8_t> back = pixels_of(normalised(held, p), p);
  for (long i = 0; i < 256; ++i) EXPECT_EQ(back[i], i);
  Tensor wild = zeros({1, 1, 1, 2}, Dtype::f32, Device::cpu);
  wild.host<float>()[0] = -100, wild.host<float>()[1] = 100;
  EXPECT_EQ(pixels_of(wild, {.mean = {0.5F}, .std = {0.5F}}), (std::vector<std::uint8_t>{0, 255}));
  EXPECT_ERROR(pixels_of(wild, p), "wanted one image of 2 channels");
}

}  // namespace
}  // namespace lookhere
