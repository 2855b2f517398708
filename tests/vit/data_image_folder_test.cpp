// Folders of photographs: which files are images of which class, in which order, and what is done about bad ones.
#include "vit/data/image_folder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/program.h"
#include "tests/vit/data_files.h"
#include "tests/vit/photo_files.h"
#include "tests/vit/tiny_run.h"
#include "vit/data/image_files.h"
#include "vit/data/loader.h"
#include "vit/eval/test_set.h"

namespace lookhere {
namespace {

using testing::ElementsAre;

// Of one colour, height x width.
std::string photo(int colour, long height = 3, long width = 4) {
  return png_file(Pixels(3 * height * width, static_cast<std::uint8_t>(colour)), height, width);
}

class ImageFolder : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& bytes) const {
    const std::string full = folder_ / path;
    std::filesystem::create_directories(std::filesystem::path(full).parent_path());
    write_file(full, bytes);
  }
  void write(const std::vector<std::string>& paths) const {
    int colour = 0;
    for (const std::string& path : paths) write(path, photo(++colour));
  }
  std::string path(const std::string& below = "") const { return folder_ / below; }
  Dataset load(bool train, const DatasetOptions& options = {}) const { return load_dataset(path(), train, options); }
  // Names of images, from the folder on.
  std::vector<std::string> names(const Dataset& dataset) const {
    std::vector<std::string> all;
    for (long i = 0; i < dataset.size(); ++i) all.push_back(dataset.images->name(i).substr(path().size()));
    return all;
  }
  TemporaryFolder folder_;
};

TEST_F(ImageFolder, IsWhatTorchvisionMakesOfIt) {
  write({"train/b/2.png", "train/b/10.JPEG", "train/a b/x.png", "train/B/deep/er/1.png", "train/B/deep.d/1.png",
         "train/B/z.png", "val/b/1.png"});
  for (const char* other : {"train/notes.txt", "train/b/notes.txt", "train/b/.hidden.png", "train/.git/x.png"})
    write(other, "no image");
  const Dataset train = load(true);
  EXPECT_THAT(train.class_names, ElementsAre("B", "a b", "b"));
  EXPECT_THAT(names(train), ElementsAre("train/B/z.png", "train/B/deep.d/1.png", "train/B/deep/er/1.png",
                                        "train/a b/x.png", "train/b/10.JPEG", "train/b/2.png"));
  EXPECT_THAT(train.labels, ElementsAre(0, 0, 0, 1, 2, 2));
  EXPECT_EQ(train.height, 0) << "sizes differ";
  EXPECT_THAT(train.mean, ElementsAre(0.485F, 0.456F, 0.406F));
  EXPECT_TRUE(train.mirror_by_default);
  std::vector<std::uint8_t> buffer;
  const Image image = train.read(4, buffer);  // a PNG, whatever its name
  EXPECT_EQ(Shape({image.channels, image.height, image.width}), Shape({3, 3, 4}));
  EXPECT_EQ(image.pixels[35], 2);
}

TEST_F(ImageFolder, TestImagesGetTheLabelsOfTheirNames) {
  write({"train/a/1.png", "train/b/1.png", "train/c/1.png", "val/c/1.png", "test/a/1.png"});
  const Dataset train = load(true), test = load_test_set(path(), train);
  EXPECT_THAT(names(test), ElementsAre("val/c/1.png"));
  EXPECT_THAT(test.labels, ElementsAre(2));
  EXPECT_EQ(test.class_names, train.class_names);
  write({"val/d/1.png"});
  EXPECT_ERROR(load_test_set(path(), train), "class \"d\" is none of the 3 known classes");
  // Alone it counts for itself, and there is nothing to train with.
  std::filesystem::remove_all(path("train"));
  EXPECT_THAT(load(false).labels, ElementsAre(0, 1));
  EXPECT_ERROR(load(true), "wanted a data set of IDX (train-images-idx...)");
  std::filesystem::remove_all(path("val"));
  EXPECT_THAT(names(load(false)), ElementsAre("test/a/1.png"));
}

TEST_F(ImageFolder, OneFolderIsDivided) {
  std::vector<std::string> paths;
  for (int i = 0; i < 20; ++i) paths.insert(paths.end(), {concat("train/", i, ".png"), concat("plane/", i, ".png")});
  write(paths);  // "train" is a class here, not a split
  const auto both = [&](double share) {
    std::vector<std::string> all = names(load(true, {.val_split = share})),
                             test = names(load(false, {.val_split = share}));
    EXPECT_EQ(std::ssize(test), std::lround(40 * share));
    all.insert(all.end(), test.begin(), test.end());
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 40U) << "each is in one of them";
    return test;
  };
  EXPECT_EQ(both(0.1).size(), 4U);
  const std::vector<std::string> quarter = both(0.25);
  EXPECT_EQ(std::ranges::count_if(quarter, [](const std::string& name) { return name.starts_with("plane/"); }), 5);
  EXPECT_EQ(load(false, {.val_split = 1}).size(), 40);
  EXPECT_EQ(load(true, {.val_split = 0}).size(), 40);
  EXPECT_ERROR(load(false, {.val_split = 0}), "holding out 0 of each class leaves no images to test with");
  EXPECT_ERROR(load(true, {.val_split = 1}), "leaves no images to train with");
  EXPECT_ERROR(load(true, {.val_split = 1.5}), "val_split: wanted a share from 0 to 1, got 1.5");
  // The same stay held out while others come.
  write({"plane/!1.png", "plane/!2.png", "plane/!3.png"});
  for (const std::string& name : quarter) EXPECT_THAT(names(load(false, {.val_split = 0.3})), testing::Contains(name));
}

TEST_F(ImageFolder, TrainAloneIsDividedToo) {
  for (int i = 0; i < 20; ++i) write(concat("Training/", i % 2, "/", i, ".png"), photo(i));
  EXPECT_EQ(load(true).size(), 18);
  EXPECT_EQ(load(false).size(), 2);
}

// Validation before test, and in each what has no capitals first.
TEST_F(ImageFolder, SplitsHaveSeveralNames) {
  write({"Train/a/1.png", "Train/b/1.png"});
  for (const auto& [added, chosen] : std::vector<std::pair<const char*, const char*>>{{"Testing", "Testing"},
                                                                                      {"testing", "testing"},
                                                                                      {"TEST", "testing"},
                                                                                      {"test", "test"},
                                                                                      {"Valid", "Valid"},
                                                                                      {"validation", "validation"},
                                                                                      {"VAL", "validation"},
                                                                                      {"val", "val"}}) {
    write(concat(added, "/a/1.png"), photo(1));
    EXPECT_THAT(names(load(false)), ElementsAre(concat(chosen, "/a/1.png"))) << added;
    EXPECT_THAT(names(load(true)), ElementsAre("Train/a/1.png", "Train/b/1.png")) << added;
  }
  write({"train/c/1.png", "train/d/1.png"});
  EXPECT_THAT(load(true).class_names, ElementsAre("c", "d"));
}

// A folder one level too high.
TEST_F(ImageFolder, OneClassIsNothingToLearn) {
  for (int i = 0; i < 10; ++i) write(concat("wrap/photos/", i % 2, "/", i, ".png"), photo(i));
  EXPECT_ERROR(load_dataset(path("wrap"), true),
               path("wrap") + ": wanted at least two class folders, found one, \"photos\"");
  write("map.txt", "1\n");
  EXPECT_ERROR(load_dataset(path("wrap/photos"), true, {.class_map = path("map.txt")}),
               "map.txt: wanted at least two class folders, found one, \"1\"");
  EXPECT_EQ(load_dataset(path("wrap"), false).size(), 1) << "to test with, one will do";
}

TEST_F(ImageFolder, ClassesMayBeOrderedOtherwise) {
  write({"c10/x.png", "c9/x.png", "C2/x.png", "c02/x.png", "7/x.png", "c/x.png", "c2b/x.png"});
  const DatasetOptions all{.val_split = 0};
  EXPECT_THAT(load(true, all).class_names, ElementsAre("7", "C2", "c", "c02", "c10", "c2b", "c9"));
  EXPECT_THAT(load(true, {.natural_class_order = true, .val_split = 0}).class_names,
              ElementsAre("7", "c", "C2", "c02", "c2b", "c9", "c10"));
  write("map.txt", "c9\r\nunseen\nc\n");
  const Dataset mapped = load(true, {.class_map = path("map.txt"), .val_split = 0});
  EXPECT_THAT(mapped.class_names, ElementsAre("c9", "unseen", "c"));
  EXPECT_THAT(mapped.labels, ElementsAre(0, 2));
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{{"", "wanted one class name per line, got an empty file"},
                                                        {"a\n\nb", "line 2: wanted the name of a class' folder"},
                                                        {"a\n../b", "line 2: wanted the name of a class' folder"},
                                                        {"a\nb\na", "line 3: \"a\" is there twice"},
                                                        {"a\nb", "wanted a folder of images for each class"}}) {
    write("map.txt", text);
    EXPECT_ERROR(load(true, {.class_map = path("map.txt")}), message);
  }
  EXPECT_ERROR(load(true, {.class_map = path("none.txt")}), "none.txt: No such file");
}

TEST_F(ImageFolder, MoreThan256Classes) {
  std::string map;
  for (int c = 0; c < 300; ++c) map += concat(c, '\n');
  write("map.txt", map);
  write({"set/train/299/x.png", "set/val/7/x.png"});
  const Dataset train = load_dataset(path("set"), true, {.class_map = path("map.txt")});
  EXPECT_EQ(train.classes, 300);
  EXPECT_THAT(train.labels, ElementsAre(299));
  EXPECT_THAT(load_test_set(path("set"), train, {.class_map = path("map.txt")}).labels, ElementsAre(7));
}

TEST_F(ImageFolder, WhatIsNoneIsSaid) {
  write({"train/a/1.png", "val/a/1.png"});
  std::filesystem::create_directory(path("train/empty"));
  EXPECT_ERROR(load(true), "train/empty: wanted images of the class, found none");
  std::filesystem::remove(path("train/empty"));
  std::filesystem::create_directory_symlink("..", path("train/a/up"));
  EXPECT_ERROR(load(true), "wanted at most 16 folders, one in another; is there a link to itself?");
  std::filesystem::remove(path("train/a/up"));
  write("test_batch.bin", "");
  EXPECT_ERROR(load(false), "holds several data sets: wanted one, got CIFAR-10 and JPEG/PNG");
}

TEST_F(ImageFolder, ABadImageEndsTheRunByName) {
  write({"train/a/1.png", "train/b/1.png", "val/a/1.png"});
  write("train/a/2.png", photo(1).substr(0, 40));
  const Dataset train = load(true);
  Loader loader(train, {.batch_size = 1, .image_height = 2, .image_width = 2});
  loader.start(0);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  EXPECT_ERROR(loader.next(batch), "train/a/2.png: damaged PNG: truncated");
  EXPECT_ERROR(load(true, {.on_bad_image = "ignore"}), "on_bad_image: wanted error or skip, got \"ignore\"");
}

TEST_F(ImageFolder, SkippingTakesAnotherOfTheClassAndCounts) {
  write({"train/a/1.png", "train/b/1.png", "train/b/3.png", "train/c/1.png", "val/a/1.png"});
  write("train/b/4.png", "bad");
  const Dataset train = load(true, {.on_bad_image = "skip"});
  std::vector<std::uint8_t> buffer;
  const auto colour = [&](long i) { return static_cast<int>(train.read(i, buffer).pixels[0]); };
  EXPECT_THAT(train.images->skipped(), ElementsAre());
  EXPECT_EQ((std::vector{colour(0), colour(1), colour(2), colour(3), colour(4)}), (std::vector{1, 2, 3, 2, 4}));
  EXPECT_EQ(colour(3), 2);
  EXPECT_THAT(train.images->skipped(),
              ElementsAre(testing::Pair(3, testing::HasSubstr("b/4.png: wanted a JPEG or PNG"))));
  // Two of five are no accident.
  write("train/b/1.png", "bad too");
  EXPECT_ERROR(colour(3), "2 of 5 images are bad, more than may be skipped (one in 1000); among them ");
  // What cannot be read at all may be there tomorrow.
  std::filesystem::remove(path("train/a/1.png"));
  EXPECT_ERROR(colour(0), "a/1.png: No such file");
  EXPECT_EQ(train.images->skipped().size(), 2U);
}

TEST_F(ImageFolder, ScalesLargeJpegs) {
  write("train/a/1.jpg", jpeg_file(smooth_picture(64, 80, 3), 64, 80));
  write("train/b/1.png", photo(1));
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(load(true, {.val_split = 0}).read(0, buffer).height, 64);
  const EnoughPixels enough = [](Extent) { return Extent{30, 30}; };
  EXPECT_EQ(load(true, {.val_split = 0}).read(0, buffer, enough).height, 32);
}

TEST_F(ImageFolder, TheHashIsOfNamesSizesAndFirstBytes) {
  write({"a/1.png", "b/1.png"});
  const auto hash = [&](const DatasetOptions& options = {.val_split = 0}) { return load(true, options).hash(); };
  const std::string before = hash();
  EXPECT_EQ(hash(), before);
  write("a/1.png", photo(77));
  const std::string changed = hash();
  EXPECT_NE(changed, before);
  write("a/1.png", photo(77) + "x");
  EXPECT_NE(hash(), changed);
  write("a/1.png", photo(77));
  EXPECT_EQ(hash(), changed);
  std::filesystem::rename(path("a/1.png"), path("a/2.png"));
  EXPECT_NE(hash(), changed);
  write("map.txt", "b\na\n");
  EXPECT_NE(hash({.class_map = path("map.txt"), .val_split = 0}), hash()) << "other labels";
}

TEST_F(ImageFolder, BatchesDoNotDependOnWorkers) {
  for (int i = 0; i < 24; ++i) write(concat(i % 3, "/", i, ".png"), photo(10 * i, 3 + i % 5, 9 - i % 4));
  const Dataset train = load(true, {.val_split = 0});
  const auto pixels = [&](int workers) {
    Loader loader(train, {.batch_size = 5, .shuffle = true, .image_height = 7, .image_width = 7, .workers = workers});
    loader.start(3);
    std::vector<float> all;
    for (Batch batch; loader.next(batch);)
      all.insert(all.end(), batch.images.host<float>(), batch.images.host<float>() + batch.images.numel());
    return all;
  };
  EXPECT_EQ(pixels(1).size(), 24U * 3 * 7 * 7);
  EXPECT_EQ(pixels(1), pixels(4));
}

// A run on two classes, and its model on a folder that has one of them, the second.
TEST_F(ImageFolder, AModelKnowsClassesByName) {
  for (int i = 0; i < 16; ++i)
    write(concat("set/train/", i % 2 ? "light" : "dark", "/", i, ".png"), photo(i % 2 ? 250 : 5));
  write({"set/val/dark/1.png", "set/val/light/2.png", "alone/val/light/1.png", "strange/val/cat/1.png"});
  Recipe recipe = tiny_recipe();
  recipe.data = path("set"), recipe.batch_size = 4, recipe.depth = 1, recipe.epochs = 1, recipe.eval_batch_size = 2;
  train(recipe, path("run"));
  const Safetensors model(path("run/last.safetensors"));
  const Dataset alone = load_test_set(path("alone"), model, {.shapes_size = 16});
  EXPECT_THAT(alone.labels, ElementsAre(1));
  EXPECT_THAT(alone.class_names, ElementsAre("dark", "light"));
  EXPECT_ERROR(load_test_set(path("strange"), model, {.shapes_size = 16}),
               "class \"cat\" is none of the 2 known classes");
}

TEST_F(ImageFolder, VerifyDataSaysWhatIsThere) {
  write({"train/a/1.png", "train/a/2.png", "train/b/1.png"});
  write("val/a/1.png", photo(2));  // as train/a/2.png
  write("val/a/2.png", photo(9, 8, 5));
  for (const char* other : {"train/a/3.HEIC", "train/b/deep/4.heic", "val/a/x.gif", "val/a/notes", "val/a/.x.gif"})
    write(other, "");
  const Finished good = run_program({"verify-data", path()});
  EXPECT_EQ(good.code, 0) << good.err;
  for (const char* line :
       {"training   3 images, read in ", "classes    2\n         2 a\n         1 b\n",
        "sizes      1 of them, 4 to 4 pixels wide and 3 to 3 high; most often\n         3 4x3\n", "mean       0.007843",
        "test       2 images, read in ", "sizes      2 of them, 4 to 5 pixels wide and 3 to 8 high; most often\n",
        "duplicates 1\n", "others     4 files passed over: .gif, .heic, without an ending\n"})
    EXPECT_THAT(good.out, testing::HasSubstr(line));
  EXPECT_THAT(good.out, testing::HasSubstr("duplicate  training " + path("train/a/2.png") + " = test " +
                                           path("val/a/1.png") + "\n"));
  write("val/a/2.png", "bad");
  write("train/b/2.png", photo(1).substr(0, 50));
  const Finished bad = run_program({"verify-data", path()});
  EXPECT_EQ(bad.code, 2);
  for (const char* broken : {"train/b/2.png: damaged PNG: truncated\n", "val/a/2.png: wanted a JPEG or PNG"})
    EXPECT_THAT(bad.out, testing::HasSubstr("broken     " + path(broken)));
  EXPECT_THAT(bad.err, testing::EndsWith("lookhere: " + path() + ": 2 of 6 images are broken\n"));
  const Finished none = run_program({"verify-data", path("val/a")});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, testing::HasSubstr("wanted a data set of IDX (t10k-images-idx...)"));
  EXPECT_THAT(none.err, testing::EndsWith(", found none; 2 pictures lie in the folder itself\n"));
  // Other formats have names for images too.
  write("idx/t10k-images-idx3-ubyte", idx_header({2, 1, 2}) + "abab");
  write("idx/t10k-labels-idx1-ubyte", idx_header({2}) + byte(3) + byte(0));
  const std::string idx = run_program({"verify-data", path("idx")}).out;
  EXPECT_THAT(idx, testing::StartsWith("test       2 images, read in "));
  EXPECT_THAT(idx, testing::HasSubstr("classes    2\n         1 0\n         1 3\n"));
  EXPECT_THAT(idx, testing::HasSubstr("duplicate  test image 0 = test image 1\n"));
}

}  // namespace
}  // namespace lookhere
