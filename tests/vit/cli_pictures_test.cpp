// Several pictures and folders of them: answered, drawn, of any size.
#include "tensor/npy.h"
#include "tests/program.h"
#include "tests/vit/photo_folder.h"
#include "tests/vit/show_pictures.h"
#include "vit/cli/picture.h"

namespace lookhere {
namespace {

// A model of pictures of two classes, 16 pixels in patches of 4, and the pictures.
struct Made {
  TemporaryFolder folder;
  std::string photos = make_photos(folder), model;
  Made() {
    const Finished end =
        run_program({"train", "--data", photos, "--img-size", "16", "--patch-size", "4", "--dim", "16", "--depth", "1",
                     "--heads", "4", "--epochs", "1", "--batch-size", "8", "--output", folder / "run"});
    EXPECT_EQ(end.code, 0) << end.err;
    model = folder / "run/last.safetensors";
  }
};
const Made& made() {
  static const Made all;
  return all;
}

TEST(Pictures, AFolderStandsForThoseBelowIt) {
  const std::vector<std::string> all = pictures_in({"a.jpg", made().photos + "/val", "shapes:3"});
  ASSERT_EQ(all.size(), 10U);
  EXPECT_EQ(all[0], "a.jpg");
  EXPECT_EQ(all[1], made().photos + "/val/across/0.png");
  EXPECT_EQ(all[8], made().photos + "/val/down/3.png");
  EXPECT_EQ(all[9], "shapes:3");
  const TemporaryFolder empty;
  EXPECT_ERROR(pictures_in({empty / ""}), "wanted JPEG or PNG files in or below this folder, got none");
}

TEST(Pictures, AreAnsweredOneAfterAnother) {
  const std::string one = made().photos + "/val/down/1.png", drawing = made().folder / "answers.svg";
  const Finished alone = run_program({"predict", "--model", made().model, one});
  ASSERT_EQ(alone.code, 0) << alone.err;
  const Finished all =
      run_program({"predict", "--model", made().model, one, made().photos + "/val/across", "--output", drawing});
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_TRUE(all.out.starts_with(one + "\n" + alone.out + "\n" + made().photos + "/val/across/0.png\n")) << all.out;
  EXPECT_TRUE(all.out.ends_with("\n" + drawing + "\n"));
  const std::string svg = read_file(drawing);
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_EQ(images(svg).size(), 5U);
  EXPECT_NE(svg.find("pictures: 5 answers"), std::string::npos);
  EXPECT_EQ(svg.find("true: "), std::string::npos);
}

TEST(Pictures, OfATestSetHaveTheirClass) {
  const std::string drawing = made().folder / "known.svg";
  const Finished end = run_program(
      {"predict", "--model", made().model, made().photos + ":0", made().photos + ":7", "--output", drawing});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("it is: across\n"), std::string::npos);
  EXPECT_NE(end.out.find("it is: down\n"), std::string::npos);
  EXPECT_NE(read_file(drawing).find(" of 2 right"), std::string::npos);
}

TEST(Pictures, BrokenOnesAreNamedOrSkipped) {
  const std::string broken = made().folder / "broken.png";
  write_file(broken, "\x89PNG");
  const Words command{"predict", "--model", made().model, made().photos + "/val/down/1.png", broken};
  Finished end = run_program(command);
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("broken.png: "), std::string::npos) << end.err;
  Words skipping = command;
  skipping.insert(skipping.end(), {"--on-bad-image", "skip"});
  end = run_program(skipping);
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("note: 1 of 2 pictures were skipped"), std::string::npos) << end.err;
  skipping.erase(skipping.begin() + 3);
  end = run_program(skipping);
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("none of 1 pictures can be read"), std::string::npos) << end.err;
  skipping.back() = "hide";
  EXPECT_NE(run_program(skipping).err.find("--on-bad-image: wanted error or skip, got \"hide\""), std::string::npos);
}

TEST(Pictures, GalleryTakesThemToo) {
  const std::string drawing = made().folder / "gallery.svg";
  const Finished end =
      run_program({"gallery", "--model", made().model, made().photos + "/val", "--count", "6", "--output", drawing});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(images(read_file(drawing)).size(), 6U);
}

// 18 pixels in patches of 4.
TEST(Pictures, OfAnySizeFollowTheRule) {
  const auto size_of = [](const Words& more) {
    Words words{"eval", "--model", made().model, "--data", made().photos, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << end.err;
    const std::size_t at = end.out.find("\"img_size\":") + 11;
    return end.out.substr(at, end.out.find(']', at) - at + 1);
  };
  EXPECT_EQ(size_of({}), "[16,16]");
  EXPECT_EQ(size_of({"--img-size", "18"}), "[20,20]");
  EXPECT_EQ(size_of({"--img-size", "18", "--size-rule", "crop"}), "[16,16]");
  EXPECT_EQ(size_of({"--img-size", "17", "--size-rule", "pad"}), "[20,20]");
  const std::string picture = made().photos + "/val/down/1.png", rows = made().folder / "rows.npy";
  for (const auto& [rule, tokens] : {std::pair{"resize", 25}, {"crop", 16}, {"pad", 25}}) {
    const Finished end = run_program({"attend", "--model", made().model, picture, "--img-size", "18", "--size-rule",
                                      rule, "--output", made().folder / "a.svg", "--npy", rows});
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(load_npy_array(rows).values.shape(), (Shape{1, 4, tokens + 1})) << rule;
  }
  EXPECT_NE(run_program({"info", made().model}).out.find("no multiple of the patch: resize"), std::string::npos);
  EXPECT_NE(run_program({"predict", "--model", made().model, picture, "--size-rule", "x"})
                .err.find("size rule: wanted resize, crop or pad, got \"x\""),
            std::string::npos);
}

// A crop, and how it is resized, change the answer; the model's own are the default.
TEST(Pictures, CropAndInterpolationCanBeChosen) {
  const std::string picture = made().photos + "/val/down/1.png";
  const auto answer = [&](const Words& more) {
    Words words{"predict", "--model", made().model, picture};
    words.insert(words.end(), more.begin(), more.end());
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << end.err;
    return end.out;
  };
  const std::string own = answer({});
  EXPECT_EQ(answer({"--crop-pct", "0.875", "--interpolation", "bicubic"}), own);  // of photographs
  EXPECT_NE(answer({"--crop-pct", "0.4"}), own);
}

}  // namespace
}  // namespace lookhere
