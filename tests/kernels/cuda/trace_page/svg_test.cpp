// Text from strangers in a picture: valid, and no wider than it may be.
#include "kernels/cuda/trace_page/svg.h"

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"

namespace lookhere {
namespace {

namespace trace_page = kernels::trace_page;

TEST(TracePageSvg, MakesTextPrintable) {
  using trace_page::printable;
  EXPECT_EQ(printable("a\n\x1b[0m\x7f"), "a??[0m?");
  EXPECT_EQ(printable("σ, é, 語, 🙂"), "σ, é, 語, 🙂");
  EXPECT_EQ(printable("\xff\xc3"), "??");                                         // no character, half a character
  EXPECT_EQ(printable("\xc1\xbf|\xe0\x9f\xbf|\xf0\x8f\xbf\xbf"), "??|???|????");  // longer than they need be
  EXPECT_EQ(printable("\xed\xa0\x80|\xf4\x90\x80\x80|\xef\xbf\xbf|\xc2\x85"), "???|????|???|??");
  EXPECT_EQ(printable("\xe2\x82"), "??");
  EXPECT_EQ(printable(std::string("\0", 1)), "?");
}

TEST(TracePageSvg, CutsWhatIsTooLong) {
  using trace_page::cut;
  EXPECT_EQ(cut("12345678", 8), "12345678");
  EXPECT_EQ(cut("123456789", 8), "12345...");
  EXPECT_EQ(cut("σσσσσσσσ", 8), "σσσσσσσσ");
  EXPECT_EQ(cut("σσσσσσσσσ", 8), "σσσσσ...");
}

TEST(TracePageSvg, IsWellFormed) {
  trace_page::Svg svg(200, "<&> \x01");
  svg.symbol("s", [&] { svg.circle(1, 2, 3, "#ffffff", "#000000", 2); });
  svg.use("s", 4, 5), svg.line(1, 2, 3, 4, "#000000", 2), svg.rectangle(0, 0, 1, 1, "none");
  svg.label(10, 20, "a < b && \"c\" > 'd'", {.size = 12, .bold = true, .anchor = "middle", .color = "#123456"});
  svg.code(10, 40, std::string(100, 'W'), 100, {.size = 10});
  const std::string page = svg.page(50);
  EXPECT_EQ(xml_error(page), "");
  EXPECT_EQ(texts(page),
            (std::vector<std::string>{"a &lt; b &amp;&amp; \"c\" &gt; 'd'", std::string(13, 'W') + "..."}));
  EXPECT_NE(page.find("<title>&lt;&amp;&gt; ?</title>"), page.npos);
  EXPECT_NE(page.find("<use href=\"#s\" x=\"4\" y=\"5\"/>"), page.npos);
}

}  // namespace
}  // namespace lookhere
