// A test set is judged as the model was trained, not as the set's own files would have it.
#include "vit/eval/test_set.h"

#include "tests/vit/data_files.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/preprocessing.h"

namespace lookhere {
namespace {

// A model trained on a folder, and the same model as version 0.1 would have stored it.
class EvalTestSet : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_idx_folder(file("data"), 96);
    Recipe recipe = tiny_recipe();
    recipe.data = file("data"), recipe.batch_size = 16, recipe.epochs = 25, recipe.lr = 4e-3;
    train(recipe, file("run"));
    std::filesystem::rename(file("run/best.safetensors"), file("model"));
    ViT model = load_model(file("model"));
    save_model(file("old"), model, class_names_metadata({"0", "1", "2", "3"}));
    for (const char* name : {"half", "alone"}) {
      std::filesystem::create_directory(file(name));
      for (const char* part : {"/t10k-images-idx3-ubyte", "/t10k-labels-idx1-ubyte"})
        std::filesystem::copy(file("data") + part, file(name) + part);
    }
    std::string images = read_file(file("half/t10k-images-idx3-ubyte"));
    for (std::size_t i = 16; i < images.size(); ++i)
      images[i] = static_cast<char>(static_cast<unsigned char>(images[i]) / 2);
    write_file(file("half/t10k-images-idx3-ubyte"), images);
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string file(const std::string& name) { return *folder_ / name; }
  static Dataset as_seen(const std::string& data, const std::string& model = "model") {
    return load_test_set(file(data), Safetensors(file(model)), {.shapes_size = 16});
  }
  static Accuracy judged(const Dataset& data) {
    ViT model = load_model(file("model"));
    Loader loader(data, {});
    return evaluate(model, loader);
  }

  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_F(EvalTestSet, IsNormalisedAsTheModelWas) {
  const Dataset training = load_dataset(file("data"), true), bright = as_seen("data");
  const Dataset half = as_seen("half");  // there are no training files
  for (const Dataset* seen : {&bright, &half}) {
    EXPECT_EQ(seen->mean, training.mean);
    EXPECT_EQ(seen->std, training.std);
    EXPECT_EQ(seen->class_names, training.class_names);
    EXPECT_EQ(seen->classes, 4);
  }
  EXPECT_EQ(pixels_of(half)[7], pixels_of(bright)[7] / 2);
  // The other way, the model would not notice that the images are dark.
  Dataset by_itself = half;
  set_statistics(by_itself);
  const Accuracy right = judged(bright), dark = judged(half), hidden = judged(by_itself);
  EXPECT_GE(right.top1, 75);
  EXPECT_NEAR(hidden.loss, right.loss, 0.05);
  EXPECT_GT(dark.loss, right.loss + 0.1);
}

TEST_F(EvalTestSet, NeedsNoTrainingFiles) {
  EXPECT_EQ(judged(as_seen("alone")).loss, judged(as_seen("data")).loss);
  EXPECT_ERROR(as_seen("alone", "old"), "old: does not say how images are normalised, nor do training images of");
  EXPECT_EQ(as_seen("data", "old").mean, load_dataset(file("data"), true).mean);
}

TEST_F(EvalTestSet, MustFitTheModel) {
  std::filesystem::create_directory(file("five"));
  write_file(file("five/test-images"), idx_header({2, 16, 16}) + std::string(512, 9));
  write_file(file("five/test-labels"), idx_header({2}) + byte(3) + byte(4));
  EXPECT_ERROR(as_seen("five"), "five: label 4 of image 1 is not below the model's 4 classes");
  EXPECT_ERROR(load_test_set("shapes", Safetensors(file("model")), {.shapes_size = 16}),
               "shapes: has 3 channels, the model wants 1");
  std::filesystem::create_directory(file("fashion-mnist"));
  for (const char* part : {"/t10k-images-idx3-ubyte", "/t10k-labels-idx1-ubyte"})
    std::filesystem::copy(file("data") + part, file("fashion-mnist") + part);
  const DataFolder here(folder_->path().string());
  EXPECT_ERROR(load_test_set("fashion", Safetensors(file("model")), {.shapes_size = 16}),
               "fashion: has 10 classes, the model wants 4");  // what a set is known to have holds
}

TEST_F(EvalTestSet, WithoutConstantsThePublishedOnesHold) {
  ViTConfig config = load_model(file("model")).config();
  config.channels = 3, config.classes = 8;
  ViT model(config, 1);
  save_model(file("shapes"), model);
  const Dataset d = load_test_set("shapes", Safetensors(file("shapes")), {.shapes_size = 16});
  EXPECT_EQ(d.mean, (std::vector<float>{0.398F, 0.398F, 0.398F}));
  EXPECT_EQ(d.class_names[2], "east");
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f", "g", "h"};
  Metadata metadata = class_names_metadata(names);
  metadata["preprocessing"] = to_json(Preprocessing{.mean = {0, 0.5F, 1}, .std = {1, 2, 3}});
  save_model(file("shapes"), model, metadata);
  testing::internal::CaptureStderr();
  const Dataset own = load_test_set("shapes", Safetensors(file("shapes")), {.shapes_size = 16});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            concat("warning: shapes has the classes \"north\", \"north-east\", \"east\", ..., and ", file("shapes"),
                   " is for \"a\", \"b\", \"c\", ...: they are taken by number\n"));
  EXPECT_EQ(own.mean, (std::vector<float>{0, 0.5F, 1}));
  EXPECT_EQ(own.std, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(own.class_names, names);
}

// An answer that is no number is counted, not thrown: training goes on.
TEST_F(EvalTestSet, TheFirstBadAnswerIsNamed) {
  Dataset d = as_seen("data");
  EXPECT_EQ(judged(d).first_bad, -1);
  std::vector<std::uint8_t> pixels(pixels_of(d).size());
  std::fill_n(pixels.begin() + 70 * 256, 20 * 256, 255);
  d.set_images(std::move(pixels), 1, 16, 16);
  d.mean = {0}, d.std = {1e-39F};  // white is past what a float holds
  ViT model = load_model(file("model"));
  for (const long batch : {1, 32, 128}) {
    Loader loader(d, {.batch_size = batch});
    EXPECT_EQ(evaluate(model, loader).first_bad, 70) << batch;
  }
}

}  // namespace
}  // namespace lookhere
