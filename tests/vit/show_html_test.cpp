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
  page.table("<c>", {{HtmlCell("<x>"), "y"}, {HtmlCell("r"), HtmlCell("<best>", true)}});
  page.charts({line_charts({{.title = "<chart>", .x_label = "x", .y_label = "y", .series = {}}})});
  page.picture("<svg id=\"a\"/>", "<d> \"e\"");
  std::string html = page.str();
  html.erase(0, html.find('\n') + 1);
  EXPECT_EQ(xml_error(html), "");
  EXPECT_NE(html.find("<td><b>&lt;best&gt;</b></td>"), std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">r</th>"), std::string::npos);
  EXPECT_NE(html.find("a &lt; b\nc\xEF\xBF\xBD\n"), std::string::npos);
  EXPECT_NE(html.find("data:image/svg+xml;base64,PHN2ZyBpZD0iYSIvPg=="), std::string::npos);
}

TEST(PictureTable, IsAnSvgWithEveryPicture) {
  const std::vector<std::uint8_t> pixels{0, 100, 200, 255};
  const std::string png = grey_png({.pixels = pixels.data(), .channels = 1, .height = 2, .width = 2});
  const std::string svg = picture_table("t", {"a", "b"}, {{"row <1>", {{png, png, "x"}, {png, "", "y"}}}, {"2", {}}});
  EXPECT_EQ(xml_error(svg), "");
  long count = 0;
  for (std::size_t at = 0; (at = svg.find("<image", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 3);
  const std::vector<std::uint8_t> red{255, 0, 0};
  EXPECT_EQ(grey_png({.pixels = red.data(), .channels = 3, .height = 1, .width = 1}), png_bytes({76}, 1, 1, 1));
}

}  // namespace
}  // namespace lookhere
