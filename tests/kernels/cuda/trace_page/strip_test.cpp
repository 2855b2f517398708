// What stands beside a strip, in words, and what is in it.
#include "kernels/cuda/trace_page/strip.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/vit/show_pictures.h"

namespace lookhere {
namespace {

using namespace kernels::trace_page;

// Lanes of `mask` read elements of an array of `bytes` bytes each.
template <class F>
Act act_of(const Array& array, F element, std::uint32_t mask = ~0U, Kind kind = Kind::read, std::int64_t count = 1) {
  Act act{.kind = kind, .warp = 0, .place = 0, .what = 0, .count = count, .lanes = mask};
  std::vector<LaneAddress> addresses;
  for (int lane = 0; lane < kLanes; ++lane)
    if (mask >> lane & 1) {
      act.elements[lane] = element(lane);
      addresses.push_back({lane, array.address + act.elements[lane] * array.bytes});
    }
  act.conflicts = conflicts_of(addresses, count * array.bytes, kind == Kind::update);
  return act;
}

TEST(Strip, SaysWhichElementsAndWhatTheyCost) {
  const Array floats{"a", 8, 4, 4096}, doubles{"d", 0, 8, 4096};
  struct Case {
    Act act;
    const Array& array;
    const char *elements, *degree, *reason;
  };
  for (const Case& c : {
           Case{act_of(floats, [](int l) { return l; }), floats, "a[0, 1, ... 31]", "no conflict",
                "a bank for each lane"},
           {act_of(floats, [](int) { return 7; }), floats, "a[7]", "no conflict", "broadcast: one word for all"},
           {act_of(floats, [](int l) { return l / 2; }), floats, "a[0, 0, ... 15]", "no conflict", "lanes share words"},
           {act_of(
                floats, [](int l) { return l; }, 1U << 9),
            floats, "a[9]", "no conflict", "one lane"},
           {act_of(
                floats, [](int l) { return l; }, 5),
            floats, "a[0, 2]", "no conflict", "a bank for each lane"},
           {act_of(
                floats, [](int l) { return l; }, 7),
            floats, "a[0, 1, 2]", "no conflict", "a bank for each lane"},
           {act_of(floats, [](int l) { return 32 * l; }), floats, "a[0, 32, ... 992]", "32-way conflict",
            "32 words of bank 2"},
           {act_of(floats, [](int l) { return 2 * l; }), floats, "a[0, 2, ... 62]", "2-way conflict",
            "up to 2 in each of 16 banks"},
           {act_of(doubles, [](int l) { return l; }), doubles, "d[0, 1, ... 31]", "no conflict", "16 lanes at a time"},
           {act_of(
                doubles, [](int l) { return 4 * l; }, ~0U, Kind::copy, 2),
            doubles, "d[0, 4, ... 124], 2 each", "2-way conflict", "up to 2 in each of 16 banks"},
           {act_of(
                floats, [](int) { return 7; }, ~0U, Kind::read, 4),
            floats, "a[7], 4 each", "no conflict", "lanes share words"},
           {act_of(
                floats, [](int) { return 7; }, ~0U, Kind::update),
            floats, "a[7]", "32-way conflict", "32 updates in bank 9"},
           {act_of(
                floats, [](int l) { return l; }, ~0U, Kind::update),
            floats, "a[0, 1, ... 31]", "no conflict", "a bank for each lane"},
       }) {
    EXPECT_EQ(elements_in_words(c.act, c.array), c.elements);
    EXPECT_EQ(degree_in_words(c.act.conflicts.degree), c.degree);
    EXPECT_EQ(reason_in_words(c.act, c.array), c.reason);
  }
}

TEST(Strip, HasACellForEachLane) {
  Trace trace;
  trace.words = {"k.cu:1", "__shfl_sync"};
  trace.arrays = {{"a", 8, 4, 4096}, {"d", 256, 8, 64}};
  const auto drawn = [&](const Act& act, long times = 1) {
    kernels::trace_page::Svg svg(kPageWidth, "");
    draw_strip(svg, trace, act, times, 100);
    const std::string page = svg.page(200);
    EXPECT_EQ(texts_outside(page).size(), 0U);
    return page;
  };
  const std::string some = drawn(act_of(
      trace.arrays[0], [](int lane) { return 16 * lane; }, 0x8000000fU));
  std::vector<std::string> want(33, "#idle");  // and before them the badge
  want[0] = "#read", want[1] = want[3] = "#bank2", want[2] = want[4] = want[32] = "#bank18";
  want.insert(want.end(), 5, "#conflict");
  EXPECT_EQ(attribute(some, "use", "href"), want);
  EXPECT_EQ(attribute(some, "use", "x")[32], std::to_string(kLanesLeft + 31 * kCell));
  EXPECT_EQ(count(some, "<line "), 0);
  Act doubles = act_of(trace.arrays[1], [](int lane) { return lane; });
  doubles.what = 1, doubles.kind = Kind::write;
  EXPECT_EQ(count(drawn(doubles), "<line "), 1);  // between the halves
  EXPECT_EQ(count(drawn(doubles), "#write"), 1);
  doubles.kind = Kind::copy, doubles.count = 2;
  EXPECT_EQ(count(drawn(doubles), "<line "), 3);  // between the quarters
  EXPECT_EQ(count(drawn(doubles), "#copy"), 1);
  const std::string exchange = drawn({.kind = Kind::exchange, .warp = 0, .place = 0, .what = 1, .lanes = 0xf0U}, 5);
  EXPECT_EQ(count(exchange, "#joins"), 4);
  EXPECT_EQ(texts(exchange), (std::vector<std::string>{"k.cu:1", "__shfl_sync, 5 times", "4 lanes exchange"}));
  const std::string together = drawn({.kind = Kind::instruction, .warp = 0, .place = 0, .what = 1, .lanes = ~0U});
  EXPECT_EQ(count(together, "#joins"), 32);
  EXPECT_EQ(count(together, "#instruction"), 1);
  EXPECT_EQ(texts(together), (std::vector<std::string>{"k.cu:1", "__shfl_sync", "32 lanes, no barrier"}));
}

TEST(Strip, BanksHaveColoursOfTheirOwn) {
  kernels::trace_page::Svg svg(kPageWidth, "");
  define_strips(svg);
  EXPECT_GT(draw_legend(svg, 10), 10);
  const std::string page = svg.page(200);
  EXPECT_EQ(xml_error(page), "");
  EXPECT_EQ(texts_outside(page).size(), 0U);
  std::vector<std::string> colors = attribute(page, "rect", "fill");
  std::set<std::string> different(colors.begin(), colors.end());
  EXPECT_GE(different.size(), 32U + 2);
  for (const std::string& id : attribute(page, "use", "href"))
    EXPECT_NE(page.find("<symbol id=\"" + id.substr(1) + "\""), page.npos) << id;
}

}  // namespace
}  // namespace lookhere
