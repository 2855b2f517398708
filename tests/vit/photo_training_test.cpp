// From a folder of photographs to a trained model and an answer for one picture: augmentation, mixing and what the
// model file says of its images.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/program.h"
#include "tests/vit/photo_files.h"
#include "tests/vit/photo_folder.h"
#include "tests/vit/tiny_run.h"
#include "vit/cli/test_image.h"
#include "vit/compare/subject.h"
#include "vit/data/photo/decode.h"
#include "vit/eval/test_set.h"
#include "vit/model/preprocessing.h"

namespace lookhere {
namespace {

Recipe photo_recipe(const std::string& photos) {
  Recipe r = tiny_recipe();
  r.data = photos, r.batch_size = 8, r.patch_size = 4;
  r.aa = "3a", r.color_jitter = 0.3, r.reprob = 0.5, r.mixup = 0.8, r.cutmix = 1;
  return r;
}

// Where no folder is for tests: what a run has tested with is what its models are judged by, wherever that is asked.
TEST(PhotoTraining, IsJudgedOnTheImagesThatWereHeldOut) {
  const TemporaryFolder folder;
  make_photos(folder);
  write_file(folder / "map.txt", "down\nacross\n");
  const Finished end = run_program({"train",
                                    "--data",
                                    "photos/train",
                                    "--val-split",
                                    "0.25",
                                    "--class-map",
                                    "map.txt",
                                    "--img-size",
                                    "16",
                                    "--patch-size",
                                    "8",
                                    "--dim",
                                    "16",
                                    "--depth",
                                    "1",
                                    "--heads",
                                    "2",
                                    "-b",
                                    "4",
                                    "--epochs",
                                    "1",
                                    "--model-ema-decay",
                                    "0",
                                    "--output",
                                    "run"},
                                   {.working_folder = folder.path().string()});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(recipe_of(Safetensors(folder / "run/last.safetensors")).class_map, folder / "map.txt");
  const auto judged = [&](const char* file) {
    const Finished eval = run_program(
        {"eval", "--model", folder / concat("run/", file, ".safetensors"), "--data", folder / "photos/train"});
    EXPECT_EQ(eval.code, 0) << eval.err;
    return eval.out;
  };
  const std::string said = judged("last");
  EXPECT_TRUE(said.starts_with("images 6\n")) << said;
  EXPECT_EQ(judged("best"), said);
  std::filesystem::remove(folder / "map.txt");
  EXPECT_EQ(judged("last"), said);
}

TEST(PhotoTraining, IsTheSameForAnyWorkersAndGoesOnAsItBegan) {
  const TemporaryFolder folder;
  const Recipe recipe = photo_recipe(make_photos(folder));
  train(recipe, folder / "1");
  for (const int workers : {2, 4}) {
    Recipe same = recipe;
    same.workers = workers;
    train(same, folder / std::to_string(workers));
    for (const char* name : {"best.safetensors", "metrics.jsonl", "summary.csv"})
      EXPECT_TRUE(read_file(folder / "1/" + name) == read_file(folder / std::to_string(workers) + "/" + name)) << name;
  }
  train(recipe, folder / "stopped", 4), resume(folder / "stopped");
  expect_same_run(folder / "1", folder / "stopped");
  // And augmentation makes a difference.
  for (const auto& change : std::vector<std::function<void(Recipe&)>>{
           [](Recipe& r) { r.aa = "rand"; }, [](Recipe& r) { r.aa = "rand-m9-mstd0.5-inc1"; },
           [](Recipe& r) { r.aug_repeats = 2; }, [](Recipe& r) { r.train_crop_mode = "src"; },
           [](Recipe& r) { r.train_interpolation = "bilinear"; }, [](Recipe& r) { r.mixup = r.cutmix = 0; },
           [](Recipe& r) {
             r.scale = {0.5, 1};
           },
           [](Recipe& r) { r.reprob = 0; }, [](Recipe& r) { r.hflip = 0; }}) {
    Recipe other = recipe;
    change(other);
    train(other, folder / "other", 2);
    EXPECT_NE(read_file(folder / "other/metrics.jsonl"),
              read_file(folder / "1/metrics.jsonl").substr(0, read_file(folder / "other/metrics.jsonl").size()));
    std::filesystem::remove_all(folder / "other");
  }
}

// The paper's evaluation: photographs are cropped as in training at the model's own size alone.
TEST(PhotoTraining, NothingIsCroppedAtOtherSizes) {
  const TemporaryFolder folder;
  Recipe recipe = photo_recipe(make_photos(folder));
  recipe.holdout = 0.25;
  train(recipe, folder / "run", 1);
  Subject subject(folder / "run/last.safetensors", 0);
  const long side = subject.model().config().height;
  for (const Images which : {Images::test, Images::held_out}) {
    EXPECT_EQ(subject.images(side, which).crop_ratio, 0.875);
    EXPECT_EQ(subject.images(2 * side, which).crop_ratio, 1);
  }
}

// By whichever command it is asked for, and unless another crop is.
TEST(PhotoTraining, EveryCommandSeesAsMuchAtOtherSizes) {
  const TemporaryFolder folder;
  const std::string photos = make_photos(folder), model = folder / "run/last.safetensors";
  train(photo_recipe(photos), folder / "run", 1);
  const auto go = [](const Words& words) {
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << end.err;
    return end.out;
  };
  for (const char* side : {"16", "32"}) {
    const auto evaluated = [&](const Words& more) {
      const auto json = nlohmann::json::parse(
          go(Words{"eval", "--model", model, "--data", photos, "--img-size", side, "--json"} + more));
      return std::pair<double, double>(json["top1"], json["loss"]);
    };
    const auto measured = nlohmann::json::parse(
        go({"eval", "--model", model, "--data", photos, "--metrics", "accuracy", "--sizes", side, "--json"}));
    EXPECT_EQ(measured[0]["metric"], "top1");
    EXPECT_EQ(measured[2]["metric"], "loss");
    const std::pair<double, double> want(measured[0]["value"], measured[2]["value"]);
    EXPECT_EQ(evaluated({}), want) << side;
    EXPECT_EQ(evaluated({}) == evaluated({"--crop-pct", "1"}), side == std::string("32"));
    EXPECT_EQ(evaluated({}) == evaluated({"--crop-pct", "0.875"}), side == std::string("16"));
    const auto predicted = [&](const std::string& picture, const Words& more) {
      return go(Words{"predict", "--model", model, picture, "--img-size", side} + more);
    };
    for (const std::string& picture : {photos + ":5", photos + "/val/down/1.png"}) {
      EXPECT_EQ(predicted(picture, {}) == predicted(picture, {"--crop-pct", "1"}), side == std::string("32"));
      EXPECT_EQ(predicted(picture, {}) == predicted(picture, {"--crop-pct", "0.875"}), side == std::string("16"));
    }
  }
}

TEST(PhotoTraining, MixedImagesOnAGpuAndInAGraph) {
  const TemporaryFolder folder;
  Recipe recipe = photo_recipe(make_photos(folder));
  recipe.shards = 1, recipe.dim = 12, recipe.depth = 1, recipe.bce_loss = true;
  train(recipe, folder / "cpu");
  recipe.device = "cuda";
  train(recipe, folder / "cuda");
  recipe.cuda_graph = true;
  train(recipe, folder / "graph");
  EXPECT_EQ(read_file(folder / "cuda/metrics.jsonl"), read_file(folder / "graph/metrics.jsonl"));
  const auto last_loss = [&](const char* run) {
    const std::string text = read_file(folder / run + "/metrics.jsonl");
    return std::stod(text.substr(text.rfind("\"loss\": ") + 8));
  };
  EXPECT_NEAR(last_loss("cuda") / last_loss("cpu"), 1, 1e-4);
}

TEST(PhotoTraining, TheModelKnowsHowToLookAtAPicture) {
  const TemporaryFolder folder;
  const std::string photos = make_photos(folder), run = folder / "run", model = run + "/best.safetensors";
  const auto go = [](const Words& words) {
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << words[0] << ": " << end.err;
    return end.out;
  };
  go({"train", "--data",     photos, "--img-size",      "16",       "--dim",        "24", "--depth",
      "1",     "--heads",    "3",    "--patch-size",    "4",        "--batch-size", "8",  "--epochs",
      "1",     "--crop-pct", "0.8",  "--interpolation", "bilinear", "--output",     run});
  const Safetensors file(model);
  EXPECT_EQ(file.metadata().at("preprocessing"),
            R"({"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "crop_pct": 0.8, "interpolation": )"
            R"("bilinear"})");
  const Dataset test = load_test_set(photos, file, {.shapes_size = 16});
  EXPECT_EQ(test.crop_ratio, 0.8);
  // The evaluation of the run, and that of its model.
  const double loss = read_summary(run + "/summary.csv").at(0).eval_loss;
  EXPECT_NE(go({"eval", "--model", model, "--data", photos}).find(fmt::format("loss   {:.4f}\n", loss)),
            std::string::npos);
  // Image 5 of the test set is the second of class "down": as a picture it is answered alike.
  const std::string by_index = go({"predict", "--model", model, photos + ":5"}),
                    by_file = go({"predict", "--model", model, photos + "/val/down/1.png"});
  EXPECT_EQ(by_index, by_file + "it is: down\n");
  EXPECT_NE(by_file.find("across"), std::string::npos);
  // What it is shown is the centre.
  std::vector<std::uint8_t> buffer;
  std::vector<float> want(3 * 16 * 16);
  normalise(evaluation_view(test.read(5, buffer), 20, 16).image(), test.mean, test.std, want.data());
  EXPECT_EQ(to_vector<float>(image_of(test, 5, config_of(file))), want);
  const Finished wrong = run_program({"predict", "--model", model, folder / "no.jpg"});
  EXPECT_EQ(wrong.code, 5);
  EXPECT_NE(wrong.err.find("no.jpg: No such file"), std::string::npos) << wrong.err;
  EXPECT_EQ(go({"augment", photos, "--img-size", "16", "--recipe", "deit", "--output", folder / "sheet.png"}),
            folder / "sheet.png" + "\n");
  std::vector<std::uint8_t> sheet;
  const std::string png = read_file(folder / "sheet.png");
  const Image image = decode_photo({reinterpret_cast<const std::uint8_t*>(png.data()), png.size()}, "sheet", sheet);
  EXPECT_EQ(image.height, 6 * 20 - 4);
  EXPECT_EQ(image.width, 8 * 20 - 4);
}

// A ramp of 64 x 48 pixels, whose crops are known however many pixels it is decoded with.
TEST(PhotoTraining, ScaledDecodingSeesTheSameCrop) {
  const TemporaryFolder folder;
  Pixels ramp;
  for (long y = 0; y < 64; ++y)
    for (long x = 0; x < 48; ++x) ramp.insert(ramp.end(), {std::uint8_t(2 * y), std::uint8_t(4 * x), 90});
  for (int i = 0; i < 12; ++i) {
    const std::string at = folder / concat("set/", i % 2);
    std::filesystem::create_directories(at);
    write_file(concat(at, "/", i, i % 3 ? ".jpg" : ".png"),
               i % 3 ? jpeg_file(ramp, 64, 48, {.stored = JCS_RGB, .exif = exif_saying(i % 4 ? 6 : 1)})
                     : png_file(ramp, 64, 48));
  }
  const Dataset data = load_dataset(folder / "set", true, {.val_split = 0});
  AugmentOptions options{.crop_mode = CropMode::random_resized, .hflip = 0.5};
  ImageLoader loader(data, 8, 8);
  std::vector<float> full(3 * 64), scaled(3 * 64);
  float largest = 0;
  long differ = 0;
  for (long epoch = 0; epoch < 5; ++epoch)
    for (long i = 0; i < data.size(); ++i) {
      options.scaled_decoding = false;
      loader.load_augmented(i, full.data(), options, 7, epoch);
      options.scaled_decoding = true;
      loader.load_augmented(i, scaled.data(), options, 7, epoch);
      differ += full != scaled;
      for (std::size_t k = 0; k < full.size(); ++k) largest = std::max(largest, std::abs(full[k] - scaled[k]));
      const bool png = data.images->name(i).ends_with("png");
      EXPECT_TRUE(!png || full == scaled) << "a PNG has all its pixels";
    }
  EXPECT_GT(differ, 10);
  EXPECT_LT(largest, 12 / 255. / 0.225) << "twelve grey levels, at borders";
  // 8 x 8 pixels of a window of 20 x 12 of 64 x 48: 25.6 x 32 of the whole.
  options.crop.min_scale = options.crop.max_scale = 1, options.crop.min_ratio = options.crop.max_ratio = 0.75;
  EXPECT_EQ(enough_for_crop({64, 48}, options, 7, 0, 0, 8, 9), (Extent{8, 9}));
  EXPECT_EQ(enough_for_crop({65, 48}, {}, 7, 0, 0, 3, 4), (Extent{3, 4}));
}

TEST(PhotoTraining, SaysHowManyBadImagesWereSkipped) {
  const TemporaryFolder folder;
  const std::string photos = make_photos(folder), run = folder / "run", bad = photos + "/train/down/3.png",
                    bad_test = photos + "/val/down/1.png";
  write_file(bad, "bad"), write_file(bad_test, "bad");
  const Finished end =
      run_program({"train", "--data",         photos, "--img-size",   "16", "--dim",        "12", "--depth",
                   "1",     "--heads",        "2",    "--patch-size", "4",  "--batch-size", "8",  "--epochs",
                   "1",     "--on-bad-image", "skip", "--output",     run});
  EXPECT_EQ(end.code, 0) << end.err;
  const std::string why = ": wanted a JPEG or PNG, got a file that begins with \"bad\"\n",
                    test = "1 of 8 test images has been skipped, " + bad_test + why;
  EXPECT_NE(end.err.find("1 of 24 training images has been skipped, " + bad + why), std::string::npos) << end.err;
  EXPECT_NE(end.err.find(test), std::string::npos) << end.err;
  Words eval{"eval", "--model", run + "/best.safetensors", "--data", photos};
  EXPECT_EQ(run_program(eval).code, 2);
  eval.insert(eval.end(), {"--on-bad-image", "skip"});
  const Finished skipped = run_program(eval);
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  EXPECT_NE(skipped.err.find("note: " + test), std::string::npos) << skipped.err;
}

TEST(PhotoTraining, PreprocessingIsReadAndRefused) {
  const auto read = [](const std::string& more) {
    return preprocessing_from_json(R"({"mean": [0.5], "std": [0.5])" + more + "}", 1);
  };
  EXPECT_EQ(read("").crop_ratio, 0);
  const Preprocessing p = read(R"(, "crop_pct": 0.9, "interpolation": "bicubic")");
  EXPECT_EQ(p.crop_ratio, 0.9);
  EXPECT_EQ(p.interpolation, Interpolation::bicubic);
  EXPECT_EQ(to_json(p), R"({"mean": [0.5], "std": [0.5], "crop_pct": 0.9, "interpolation": "bicubic"})");
  EXPECT_ERROR(read(R"(, "crop_pct": 0)"), "'crop_pct' must be in (0, 16], got 0");
  EXPECT_ERROR(read(R"(, "crop_pct": "a")"), "'crop_pct' must be a number, got \"a\"");
  EXPECT_ERROR(read(R"(, "interpolation": "lanczos")"), "interpolation: wanted bilinear or bicubic, got \"lanczos\"");
  EXPECT_ERROR(read(R"(, "interpolation": 3)"), "'interpolation' must be a text, got 3");
}

TEST(PhotoTraining, RecipesWithNames) {
  EXPECT_EQ(preset_names(), "lookhere, deit, small-data");
  for (const char* name : {"lookhere", "deit", "small-data"}) {
    Recipe r;
    update_from_preset(r, name);
    r.validate();
    EXPECT_EQ(r.scale.size(), 2U) << name;
  }
  EXPECT_ERROR(update_from_preset(*std::make_unique<Recipe>(), "paper"),
               "--recipe: wanted one of lookhere, deit, small-data, got \"paper\"");
  Recipe r;
  update_from_preset(r, "lookhere");
  EXPECT_EQ(peak_lr_of(r), 3e-3 * 64 / 2048);
  EXPECT_EQ(r.notes()[0], "learning rate 0.003 x 64 images / 2048 = 9.375e-05");
  EXPECT_EQ(schedule_of(r, 100).peak, peak_lr_of(r));
  // What was printed is what config.toml says.
  Recipe again;
  update_from_toml_text(again, to_toml(r), "config.toml");
  EXPECT_EQ(to_json(again), to_json(r));
}

TEST(PhotoTraining, OptionsThatDoNotFitAreRefused) {
  const auto with = [](const std::function<void(Recipe&)>& change) {
    Recipe r;
    change(r);
    return r;
  };
  EXPECT_ERROR(with([](Recipe& r) { r.aa = "auto"; }).validate(), "--aa: wanted one of none, 3a, rand, got \"auto\"");
  EXPECT_ERROR(with([](Recipe& r) { r.aa = "rand-x"; }).validate(), "--aa: wanted rand with any of");
  EXPECT_ERROR(with([](Recipe& r) { r.train_crop_mode = "rkrc"; }).validate(),
               "--train-crop-mode: wanted one of rrc, src");
  EXPECT_ERROR(with([](Recipe& r) { r.train_interpolation = "random"; }).validate(),
               "--train-interpolation: wanted one of bilinear, bicubic");
  EXPECT_EQ(with([](Recipe& r) {
              r.train_crop_mode = "src", r.scale = {0.5, 1};
            }).notes(),
            std::vector<std::string>{"--scale is for --train-crop-mode rrc: not used"});
  EXPECT_ERROR(with([](Recipe& r) { r.scale = {0.5}; }).validate(), "--scale: wanted 0 < LOW <= HIGH, got [0.5]");
  EXPECT_ERROR(with([](Recipe& r) {
                 r.scale = {0.5, 0.4};
               }).validate(),
               "--scale: wanted 0 < LOW <= HIGH, got [0.5,0.4]");
  EXPECT_ERROR(with([](Recipe& r) { r.class_order = "random"; }).validate(), "--class-order: wanted one of plain");
  EXPECT_ERROR(with([](Recipe& r) { r.decode = "half"; }).validate(), "--decode: wanted one of full, scaled");
  EXPECT_ERROR(with([](Recipe& r) { r.on_bad_image = "stop"; }).validate(),
               "--on-bad-image: wanted one of error, skip");
  Dataset data;
  data.height = data.width = 32;
  EXPECT_FALSE(augmentation_of(Recipe(), data).has_value());
  EXPECT_ERROR(augmentation_of(with([](Recipe& r) { r.aa = "3a", r.crop_padding = 4; }), data), "--crop-padding goes");
  data.height = data.width = 0, data.mirror_by_default = true;
  const auto photographs = augmentation_of(Recipe(), data);
  EXPECT_EQ(photographs->crop_mode, CropMode::random_resized);
  EXPECT_EQ(photographs->crop.min_scale, 0.08);
  EXPECT_EQ(photographs->hflip, 0.5);
}

TEST(PhotoTraining, DeitsRecipeIsTimms) {
  Recipe r;
  update_from_preset(r, "deit");
  r.interpolation = "bilinear";  // of test images
  Dataset data;
  data.mean = {0.485F, 0.456F, 0.406F};
  const auto deit = augmentation_of(r, data);
  EXPECT_EQ(deit->policy, AugmentPolicy::timm_rand_augment);
  EXPECT_EQ(deit->timm.magnitude, 9);
  EXPECT_EQ(deit->timm.deviation, 0.5);
  EXPECT_TRUE(deit->timm.increasing);
  EXPECT_EQ(deit->fill, (std::vector<std::uint8_t>{124, 116, 104}));
  EXPECT_EQ(deit->interpolation, Interpolation::bicubic);
  EXPECT_EQ(training_loader(r, {}, data).repeats, 3);
  r.train_interpolation = "";
  EXPECT_EQ(augmentation_of(r, data)->interpolation, Interpolation::bilinear);
  r.train_crop_mode = "src";
  EXPECT_EQ(augmentation_of(r, data)->crop_mode, CropMode::simple);
  EXPECT_EQ(training_loader(Recipe(), {}, data).repeats, 1);
}

}  // namespace
}  // namespace lookhere
