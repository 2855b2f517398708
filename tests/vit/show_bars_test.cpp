// Bars of text for probabilities.
#include "vit/show/bars.h"

#include <cmath>

#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Bars, AreSortedAndAligned) {
  EXPECT_EQ(top_k_bars({"Sandal", "Ankle boot", "Maß"}, {0.25F, 0.5F, 0.125F}, 5, true),
            "Ankle boot  " + repeat("█", 15) + repeat(" ", 15) + "   50.0 %\n" +  //
                "Sandal      " + repeat("█", 7) + "▌" + repeat(" ", 22) + "   25.0 %\n" + "Maß         " +
                repeat("█", 3) + "▊" + repeat(" ", 26) + "   12.5 %\n");
  EXPECT_EQ(top_k_bars({"a", "b"}, {0, 1}, 1, false), "b  " + repeat("#", 30) + "  100.0 %\n");
}

TEST(Bars, TiesKeepTheirOrderAndNanIsLast) {
  const std::string text = top_k_bars({"x", "a", "b", "c"}, {NAN, 0.25F, 0.5F, 0.25F}, 4, false);
  EXPECT_LT(text.find("b  #"), text.find("a  #"));
  EXPECT_LT(text.find("a  #"), text.find("c  #"));
  EXPECT_NE(text.find("x  " + repeat(" ", 30) + "    nan %\n"), std::string::npos) << text;
}

TEST(Bars, NamesCannotHarmTheTerminal) {
  const std::string text = top_k_bars({"\033[2J evil\n", std::string(60, 'n')}, {0.5F, 0.5F}, 2, false);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find(std::string(27, 'n') + "~  #"), std::string::npos) << text;
}

TEST(Bars, RefuseWrongCounts) {
  EXPECT_ERROR(top_k_bars({"a"}, {1.0F}, 0), "top_k_bars: k must be at least 1, got 0");
  EXPECT_ERROR(top_k_bars({"a"}, {1.0F, 0}, 1), "top_k_bars: 1 names for 2 probabilities");
}

}  // namespace
}  // namespace lookhere
