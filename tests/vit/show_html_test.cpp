// Pages: escaped, well-formed, tables with heads.
#include "vit/show/html.h"

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "vit/show/picture_table.h"
#include "vit/show/plot.h"
#include "vit/show/png.h"

namespace lookhere {
namespace {

TEST(Html, EscapesWhatUsersWrite) {
  HtmlPage page("<t> & \x01", "\"s\"");
  page.heading("<h>"), page.paragraph("<p>"), page.code("a < b\nc\xff");
  page.table("<c>", {{HtmlCell("<x>"), "y"}, {HtmlCell("r:o=1"), HtmlCell("<best>", true)}});
  page.charts({line_charts({{.title = "<chart>", .x_label = "x", .y_label = "y", .series = {}}})});
  page.picture("<svg id=\"a\"/>", "<d> \"e\"");
  std::string html = page.str();
  html.erase(0, html.find('\n') + 1);
  EXPECT_EQ(xml_error(html), "");
  EXPECT_NE(html.find("<td><b>&lt;best&gt;</b></td>"), std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">r:<wbr/>o=<wbr/>1</th>"), std::string::npos);
  EXPECT_NE(html.find("a &lt; b\nc\xEF\xBF\xBD\n"), std::string::npos);
  EXPECT_NE(html.find("data:image/svg+xml;base64,PHN2ZyBpZD0iYSIvPg=="), std::string::npos);
}

TEST(PictureTables, AreSvgsWithEveryPicture) {
  const std::vector<std::uint8_t> pixels{0, 100, 200, 255};
  const std::string png = grey_png({.pixels = pixels.data(), .channels = 1, .height = 2, .width = 2});
  const std::vector<std::string> svgs =
      picture_tables("t", {"a", "b"}, {{"row <1>", {{png, png, "x"}, {png, "", "y"}}}, {"2", {}}});
  ASSERT_EQ(svgs.size(), 1U);
  EXPECT_EQ(xml_error(svgs[0]), "");
  const auto count = [&](const std::string& tag) {
    long found = 0;
    for (std::size_t at = 0; (at = svgs[0].find(tag, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("<image"), 2);  // what several pictures share is there once
  EXPECT_EQ(count("<use"), 2);
  const std::vector<std::uint8_t> red{255, 0, 0};
  EXPECT_EQ(grey_png({.pixels = red.data(), .channels = 3, .height = 1, .width = 1}), png_bytes({76}, 1, 1, 1));
}

// What is higher than a sheet of paper, 1000 pixels where 700 are its width, is cut in two when printed; a heading and
// a paragraph stand on the same sheet.
TEST(PictureTables, FitOnASheet) {
  for (const std::size_t columns : {1, 6, 12})
    for (const std::size_t rows : {0, 1, 7, 30}) {
      std::vector<PictureRow> all;
      for (std::size_t r = 0; r < rows; ++r)
        all.push_back({"row " + std::to_string(r) + ".", std::vector<SmallPicture>(columns)});
      std::string names;
      for (const std::string& svg : picture_tables("t", std::vector<std::string>(columns, "c"), all)) {
        double width = 0, height = 0;
        ASSERT_EQ(std::sscanf(svg.substr(svg.find("width=")).c_str(), R"(width="%lf" height="%lf")", &width, &height),
                  2)
            << svg.substr(0, 200);
        EXPECT_LE(height * std::min(1.0, 700 / width), 900) << columns << " x " << rows;
        names += svg;
      }
      for (std::size_t r = 0; r < rows; ++r) {
        const std::string name = "row " + std::to_string(r) + ".<";
        EXPECT_NE(names.find(name), names.npos) << name;
        EXPECT_EQ(names.find(name), names.rfind(name)) << name;
      }
    }
}

}  // namespace
}  // namespace lookhere
