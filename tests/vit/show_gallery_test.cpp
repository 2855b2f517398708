// Galleries: the pixels in the picture, and what is written below them.
#include "vit/show/gallery.h"

#include "tests/vit/data_files.h"
#include "tests/vit/show_pictures.h"
#include "vit/show/png.h"

namespace lookhere {
namespace {

Dataset two_images(long channels) {
  Dataset d;
  d.name = "pets <&>";
  d.classes = 2;
  std::vector<std::uint8_t> pixels;
  for (long i = 0; i < 2 * channels * 6; ++i) pixels.push_back(static_cast<std::uint8_t>(7 * i));
  d.set_images(std::move(pixels), channels, 2, 3);
  d.labels = {0, 1};
  d.class_names = {"cat & <co>", "dog"};
  return d;
}

TEST(Gallery, ShowsRightAndWrong) {
  const std::string svg = gallery_svg(two_images(3), {{1, 1, 0.914F}, {0, 1, 0.5F}, {0, 0, 1}});
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_EQ(texts(svg), (std::vector<std::string>{"pets &lt;&amp;&gt;: 2 of 3 right", "✓ dog", "91 %", "✗ dog", "50 %",
                                                  "true: cat &amp; &lt;co&gt;", "✓ cat &amp; &lt;co&gt;", "100 %"}));
  EXPECT_EQ(attribute(svg, "rect", "stroke"), (std::vector<std::string>{"#1a7f37", "#c4161c", "#1a7f37"}));
  EXPECT_EQ(svg, gallery_svg(two_images(3), {{1, 1, 0.914F}, {0, 1, 0.5F}, {0, 0, 1}}));
}

TEST(Gallery, EmbedsThePixels) {
  for (const long channels : {1, 2, 3, 5}) {
    const Dataset d = two_images(channels);
    const std::vector<Pixels> pictures = images(gallery_svg(d, {{1, 1, 0.5F}}));
    ASSERT_EQ(pictures.size(), 1U);
    EXPECT_EQ(pictures[0].height, 2);
    EXPECT_EQ(pictures[0].width, 3);
    EXPECT_EQ(pictures[0].grey, channels < 3);
    for (long i = 0; i < 6; ++i)
      for (long c = 0; c < 3; ++c)
        EXPECT_EQ(pictures[0].rgb[i * 3 + c], pixels_of(d)[(channels + (channels < 3 ? 0 : c)) * 6 + i]);
  }
}

TEST(Gallery, StandsNoneAndMany) {
  EXPECT_EQ(xml_error(gallery_svg(two_images(1), {})), "");
  const std::string svg = gallery_svg(two_images(1), std::vector<Prediction>(100, Prediction{0, 0, 0.5F}));
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_EQ(count(svg, "<image "), 100);
}

TEST(Gallery, RefusesWhatDoesNotExist) {
  EXPECT_ERROR(gallery_svg(two_images(3), {{2, 0, 1}}), "no image 2 of 2");
  EXPECT_ERROR(gallery_svg(two_images(3), {{-1, 0, 1}}), "no image -1 of 2");
  EXPECT_ERROR(gallery_svg(two_images(3), {{0, 2, 1}}), "no class 2 of 2");
  EXPECT_ERROR(gallery_svg(two_images(3), {{0, -1, 1}}), "no class -1 of 2");
}

TEST(Png, RoundTripsAndRefuses) {
  const std::vector<std::uint8_t> pixels{0, 1, 2, 253, 254, 255};
  EXPECT_EQ(png_bytes(pixels, 1, 2, 3).substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(read_png(png_bytes(pixels, 1, 2, 3)).rgb, pixels);
  EXPECT_EQ(read_png(png_bytes(pixels, 2, 3, 1)).rgb[15], 255);
  EXPECT_ERROR(png_bytes(pixels, 1, 3, 2), "png: wanted 1 or 3 channels");
  EXPECT_ERROR(png_bytes(pixels, 3, 3, 1), "png: wanted 9 bytes, got 6");
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace lookhere
