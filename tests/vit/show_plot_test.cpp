// Line charts: ticks, gaps, markers, and text that needs escaping.
#include "vit/show/plot.h"

#include <limits>

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "vit/show/svg.h"
#include "vit/show/ticks.h"

namespace lookhere {
namespace {

using Labels = std::vector<std::string>;

TEST(Ticks, AreRound) {
  EXPECT_EQ(nice_ticks(0, 1, 5).labels, (Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(nice_ticks(1, 20, 8, true).labels, (Labels{"5", "10", "15", "20"}));
  EXPECT_EQ(nice_ticks(0.5, 2.5, 8, true).labels, (Labels{"1", "2"}));
  EXPECT_EQ(nice_ticks(-1, 1, 4).labels, (Labels{"-1.0", "-0.5", "0.0", "0.5", "1.0"}));
  EXPECT_EQ(nice_ticks(0, 0.001, 6).labels.back(), "0.0010");
  EXPECT_EQ(nice_ticks(0, 3e7, 6).labels.back(), "3e+07");
  EXPECT_EQ(nice_ticks(0, 2e-5, 4).labels[1], "5e-06");
  for (const double high : {1e-30, 0.7, 13.0, 99.9, 1e30})
    for (long most = 1; most <= 12; ++most) {
      const Ticks ticks = nice_ticks(0, high, most);
      EXPECT_GE(ticks.values.size(), 1U);
      EXPECT_LE(ticks.values.size(), static_cast<std::size_t>(most) + 1);
      EXPECT_LE(ticks.values.back(), high * (1 + 1e-6));
    }
}

TEST(Svg, WritesNumbersAndText) {
  EXPECT_EQ(svg_number(1), "1");
  EXPECT_EQ(svg_number(-0.001), "0");
  EXPECT_EQ(svg_number(100), "100");
  EXPECT_EQ(svg_number(2.125), "2.12");
  EXPECT_EQ(svg_number(std::numeric_limits<double>::quiet_NaN()), "0");
  EXPECT_EQ(escape_xml("<a & \"b\" 'c'>\x01"), "&lt;a &amp; &quot;b&quot; &#39;c&#39;&gt; ");
  Svg svg(10, 20, "x & y");
  svg.group(1, 2, [&] { svg.line({0, 0}, {1.5, 2}, {.stroke = "#000000", .width = 2}); });
  svg.text(3, 4, "<t>", {.size = 5, .anchor = "end"});
  const std::string text = svg.str();
  EXPECT_EQ(xml_error(text), "");
  EXPECT_NE(text.find("<g transform=\"translate(1 2)\">\n<line x1=\"0\" y1=\"0\" x2=\"1.5\" y2=\"2\" fill=\"none\" "
                      "stroke=\"#000000\" stroke-width=\"2\"/>\n</g>\n"
                      "<text x=\"3\" y=\"4\" font-size=\"5\" fill=\"#222222\" text-anchor=\"end\">&lt;t&gt;</text>"),
            std::string::npos)
      << text;
  EXPECT_LT(fitted_size(std::string(50, 'n'), {.size = 14, .max_width = 100}), 14);
  EXPECT_EQ(fitted_size("n", {.size = 14, .max_width = 100}), 14);
}

TEST(Svg, TheCheckerFindsFaults) {  // else the other tests would prove nothing
  for (const char* wrong : {"<a>", "<a></b>", "<a x=1/>", "<a>&</a>", "<a>&nbsp;</a>", "<a/><b/>", "<a x=\"&\"/>", "",
                            "<a x=\"1\"y=\"2\"/>", "<a/>x", "<a", "<a>b > c</a>"})
    EXPECT_NE(xml_error(wrong), "") << wrong;
  EXPECT_EQ(xml_error("<a x=\"1\" y='2\"><b/>&lt;</a>\n").empty(), false);
  EXPECT_EQ(xml_error("<a x=\"1\" y=\"2\"><b/>&lt;</a>\n"), "");
}

TEST(Plot, DrawsSeriesAndGaps) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> epochs{1, 2, 3, 4, 5, 6};
  const std::string svg =
      line_charts({{"Loss",
                    "epoch",
                    "cross-entropy",
                    {{"train", epochs, {6, 5, 4, 3, 2, 1}}, {"eval", epochs, {6, 5, nan, 3, inf, nan}}}}});
  EXPECT_EQ(xml_error(svg), "");
  const std::vector<std::string> lines = attribute(svg, "polyline", "points");
  ASSERT_EQ(lines.size(), 2U);  // the lone point of eval is only a marker
  EXPECT_EQ(count(lines[0], ","), 6);
  EXPECT_EQ(count(lines[1], ","), 2);
  EXPECT_EQ(count(svg, "<circle "), 6 + 1);     // and one in the legend
  EXPECT_EQ(count(svg, "<path d=\"M"), 3 + 1);  // squares
  EXPECT_EQ(lines[1], lines[0].substr(0, lines[1].size()));
  const std::vector<std::string> all = texts(svg);
  for (const char* wanted : {"Loss", "epoch", "cross-entropy", "train", "eval", "1", "6"})
    EXPECT_NE(std::find(all.begin(), all.end(), wanted), all.end()) << wanted;
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Plot, PlacesPoints) {
  // 580 - 82 - 24 wide and 300 high; x widens by 2 % on both sides and y by 6 %.
  const std::string svg = line_charts({{"t", "x", "y", {{"s", {-100, 100}, {-100, 100}}}}});
  EXPECT_EQ(attribute(svg, "polyline", "points"), (std::vector<std::string>{"9.12,283.93 464.88,16.07"}));
}

TEST(Plot, ErrorsAreBars) {
  Chart chart{"t", "x", "y", {{"s", {0, 100}, {10, 90}, {0, 10}}}};
  // y from 10 to 100, widened by 6 %.
  const std::string svg = line_charts({chart});
  const auto y_of = [](double y) { return svg_number((1 - (y - 4.6) / 100.8) * 300); };
  EXPECT_EQ(count(svg, "y1=\"" + y_of(80) + "\" x2=\"464.71\" y2=\"" + y_of(100) + "\""), 1) << svg;
  chart.include_y = {0};
  EXPECT_EQ(attribute(line_charts({chart}), "polyline", "points"),
            (std::vector<std::string>{"0," + svg_number((1 - 10 / 106.0) * 300) + " 464.71," +
                                      svg_number((1 - 90 / 106.0) * 300)}));
  chart.series[0].error = {1};
  EXPECT_ERROR(line_charts({chart}), "series 's' has 2 points and 1 errors");
}

TEST(Plot, SeriesDifferWithoutColours) {
  Chart chart{"t", "x", "y", {}};
  for (int i = 0; i < 12; ++i) chart.series.push_back({std::to_string(i), {0, 1}, {0, static_cast<double>(i)}});
  const std::string svg = line_charts({chart});
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_EQ(count(svg, "stroke-dasharray"), 12);  // of six, and of their lines in the legend
  EXPECT_EQ(count(svg, "<circle "), 3 * 3);       // every fifth: 0, 5, 10
}

TEST(Plot, ManyPointsHaveNoMarkers) {
  Series s{"lr", {}, {}};
  for (int i = 0; i < 100; ++i) s.x.push_back(i), s.y.push_back(i);
  EXPECT_EQ(count(line_charts({{"t", "x", "y", {s}}}), "<circle "), 1);  // the legend's
}

TEST(Plot, StandsEmptyConstantAndHugeSeries) {
  EXPECT_EQ(xml_error(line_charts({})), "");
  const std::string empty = line_charts({{"t", "x", "y", {{"s", {}, {}}}}});
  EXPECT_EQ(xml_error(empty), "");
  EXPECT_NE(empty.find("no data yet"), std::string::npos);
  for (const double y : {0.0, -3.0, 1e30, 1e-30})
    for (const long n : {1, 2}) {
      const std::string svg =
          line_charts({{"t", "x", "y", {{"s", std::vector<double>(n, 7), std::vector<double>(n, y)}}}});
      EXPECT_EQ(xml_error(svg), "");
      EXPECT_EQ(count(svg, "<circle "), n + 1);
    }
}

TEST(Plot, EscapesAndStandsSideBySide) {
  const Chart chart{"Loss <&>", "x\"", "y'", {{"a<b", {1, 2}, {1, 2}}}};
  const std::string svg = line_charts({chart, chart});
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_EQ(count(svg, "<text x=\"82\""), 2);
  EXPECT_EQ(attribute(svg, "svg", "width"), std::vector<std::string>{"1160"});
  EXPECT_NE(svg.find(">a&lt;b</text>"), std::string::npos);
  EXPECT_EQ(svg, line_charts({chart, chart}));
  EXPECT_ERROR(line_charts({{"t", "x", "y", {{"s", {1, 2}, {1}}}}}), "series 's' has 2 x and 1 y values");
}

}  // namespace
}  // namespace lookhere
