// Cells, badges and words.
#include "kernels/cuda/trace_page/strip.h"

#include <array>
#include <bit>
#include <cstdio>
#include <iterator>
#include <set>
#include <string_view>

#include "kernels/cuda/emulator/text.h"

namespace kernels::trace_page {
namespace {

using emulator::text;

constexpr int kCellHeight = 30;
constexpr int kLabelLeft = kMargin + 42, kLabelWidth = kLanesLeft - kLabelLeft - 12;
constexpr const char *kInk = "#1a1a1a", *kGrey = "#5a5a5a", *kRed = "#c8102e";

// viridis: told apart by colour-blind readers too, and dark to bright in grey.
std::string color_of_bank(int bank) {
  constexpr int kStops[][3] = {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};
  const int scaled = bank * 4, part = std::min(scaled / (kBanks - 1), 3), within = scaled - part * (kBanks - 1);
  char color[8];
  const auto channel = [&](int c) {
    return static_cast<unsigned>(kStops[part][c] + (kStops[part + 1][c] - kStops[part][c]) * within / (kBanks - 1));
  };
  std::snprintf(color, sizeof color, "#%02x%02x%02x", channel(0) & 255U, channel(1) & 255U, channel(2) & 255U);
  return color;
}

// By Kind, of acts.
constexpr Badge kBadges[] = {{"read", "R"},   {"write", "W"},    {"copy", "C"},
                             {"update", "A"}, {"exchange", "X"}, {"instruction", "M"}};

// The first that the lane wants, and the one after its last.
struct Words {
  std::int64_t begin, end;
};
Words words_of(const Act& act, const Array& array, int lane) {
  const std::int64_t address = array.address + act.elements[lane] * array.bytes;
  return {address / kWordBytes, (address + act.count * array.bytes - 1) / kWordBytes + 1};
}

int center_of(int lane) { return kLanesLeft + lane * kCell + kCell / 2; }

void draw_cells(Svg& svg, const Array& array, const Act& act, int y) {
  for (int lane = 0; lane < kLanes; ++lane)
    svg.use(act.lanes >> lane & 1 ? text("bank", words_of(act, array, lane).begin % kBanks) : "idle",
            kLanesLeft + lane * kCell, y);
  for (int lane = 0; lane < kLanes; ++lane)
    if (act.conflicts.lanes >> lane & 1) svg.use("conflict", kLanesLeft + lane * kCell, y);
  const int together = lanes_at_a_time(act.count * array.bytes);
  for (int lane = together; lane < kLanes; lane += together)
    svg.line(kLanesLeft + lane * kCell, y - 5, kLanesLeft + lane * kCell, y + kCellHeight + 5, kInk, 2);
}

void draw_exchange(Svg& svg, const Act& act, int y) {
  const int middle = y + kCellHeight / 2;
  svg.line(center_of(std::countr_zero(act.lanes)), middle, center_of(31 - std::countl_zero(act.lanes)), middle, kGrey,
           2);
  for (int lane = 0; lane < kLanes; ++lane)
    if (act.lanes >> lane & 1) svg.use("joins", center_of(lane), middle);
}

}  // namespace

const Badge& badge_of(Kind kind) { return kBadges[static_cast<int>(kind)]; }

std::string elements_in_words(const Act& act, const Array& array) {
  std::vector<std::int64_t> elements;
  for (int lane = 0; lane < kLanes; ++lane)
    if (act.lanes >> lane & 1) elements.push_back(act.elements[lane]);
  std::string list = text(elements[0]);
  if (std::set(elements.begin(), elements.end()).size() > 1) {
    list += text(", ", elements[1]);
    if (elements.size() > 2) list += text(elements.size() > 3 ? ", ... " : ", ", elements.back());
  }
  return text(array.name, "[", list, act.count > 1 ? text("], ", act.count, " each") : "]");
}

std::string degree_in_words(int degree) { return degree > 1 ? text(degree, "-way conflict") : "no conflict"; }

std::string reason_in_words(const Act& act, const Array& array) {
  std::set<std::int64_t> banks, words;  // banks: in which lanes wait
  for (int lane = 0; lane < kLanes; ++lane) {
    if (!(act.lanes >> lane & 1)) continue;
    const Words wanted = words_of(act, array, lane);
    for (std::int64_t word = wanted.begin; word < wanted.end; ++word) {
      words.insert(word);
      if (act.conflicts.lanes >> lane & 1) banks.insert(word % kBanks);
    }
  }
  const int degree = act.conflicts.degree;
  if (degree > 1 && banks.size() == 1)
    return text(degree, act.kind == Kind::update ? " updates in bank " : " words of bank ", *banks.begin());
  if (degree > 1) return text("up to ", degree, " in each of ", banks.size(), " banks");
  if (std::popcount(act.lanes) == 1) return "one lane";
  if (words.size() == 1) return "broadcast: one word for all";
  if (act.conflicts.broadcast) return "lanes share words";
  const int together = lanes_at_a_time(act.count * array.bytes);
  return together < kLanes ? text(together, " lanes at a time") : "a bank for each lane";
}

void define_strips(Svg& svg) {
  for (int bank = 0; bank < kBanks; ++bank)
    svg.symbol(text("bank", bank), [&] {
      svg.rectangle(0, 0, kCell, kCellHeight, color_of_bank(bank));
      svg.label(kCell / 2, 21, text(bank),
                {.size = 16, .bold = true, .anchor = "middle", .color = bank < 16 ? "#ffffff" : "#000000"});
    });
  svg.symbol("idle", [&] { svg.rectangle(0, 0, kCell, kCellHeight, "#ffffff", "#c8c8c8", 1); });
  svg.symbol("conflict", [&] { svg.rectangle(1, 1, kCell - 2, kCellHeight - 2, "none", kRed, 3); });
  svg.symbol("joins", [&] { svg.circle(0, 0, 5, "#ffffff", kGrey, 3); });
  svg.symbol("numbers", [&] {
    const Font font{.size = 14, .anchor = "middle", .color = kGrey};
    svg.label(kLanesLeft - 24, 24, "lane", font);
    for (int lane = 0; lane < kLanes; ++lane) svg.label(center_of(lane), 24, text(lane), font);
  });
  svg.symbol(badge_of(Kind::read).id, [&] {
    svg.circle(15, 15, 14, "#ffffff", kInk, 2);
    svg.label(15, 21, badge_of(Kind::read).letter, {.size = 18, .bold = true, .anchor = "middle"});
  });
  for (const Kind kind : {Kind::write, Kind::copy, Kind::update, Kind::exchange, Kind::instruction})
    svg.symbol(badge_of(kind).id, [&] {
      svg.rectangle(1, 1, 28, 28, is_access(kind) ? kInk : "#e8e8e8");
      svg.label(15, 21, badge_of(kind).letter,
                {.size = 18, .bold = true, .anchor = "middle", .color = is_access(kind) ? "#ffffff" : kGrey});
    });
}

void draw_strip(Svg& svg, const Trace& trace, const Act& act, long times, int y) {
  svg.use(badge_of(act.kind).id, kMargin, y);
  svg.code(kLabelLeft, y + 31, trace.words[act.place], kLabelWidth, {.size = 15, .color = kGrey});
  if (!is_access(act.kind)) {
    const std::string& what = trace.words[act.what];
    svg.code(kLabelLeft, y + 13, times > 1 ? text(what, ", ", times, " times") : what, kLabelWidth,
             {.size = 17, .bold = true});
    draw_exchange(svg, act, y);
    const char* do_what = act.kind == Kind::instruction ? " lanes, no barrier"
                          : what == "__syncwarp"        ? " lanes meet"
                                                        : " lanes exchange";
    svg.label(kWordsLeft, y + 21, text(std::popcount(act.lanes), do_what), {.size = 18, .color = kGrey});
    return;
  }
  const Array& array = trace.arrays[act.what];
  svg.code(kLabelLeft, y + 13, elements_in_words(act, array), kLabelWidth, {.size = 17, .bold = true});
  draw_cells(svg, array, act, y);
  const bool conflict = act.conflicts.degree > 1;
  svg.label(kWordsLeft, y + 13, degree_in_words(act.conflicts.degree),
            {.size = 18, .bold = conflict, .color = conflict ? kRed : kInk});
  svg.label(kWordsLeft, y + 31, reason_in_words(act, array), {.size = 15, .color = kGrey});
}

int draw_legend(Svg& svg, int y) {
  const Font font{.size = 17};
  svg.label(kMargin, y + 21, "Bank of the first word that a lane wants:", font);
  for (int bank = 0; bank < kBanks; ++bank) svg.use(text("bank", bank), kLanesLeft + bank * kCell, y);
  y += kStripHeight;
  struct Item {
    const char *id, *words;
    int width;
  };
  int x = kMargin;
  const auto draw = [&](const Item& item) {
    svg.use(item.id, x, y);
    svg.label(x + 38, y + 21, item.words, font);
    x += item.width;
  };
  for (const Item& item : {Item{"read", "read", 120},
                           {"write", "write", 120},
                           {"copy", "cp.async, where it begins", 300},
                           {"update", "atomic", 130},
                           {"exchange", "shuffle, vote, __syncwarp", 300},
                           {"instruction", "ldmatrix, mma: all lanes, no barrier", 0}})
    draw(item);
  x = kMargin, y += kStripHeight;
  for (const Item& item : {Item{"idle", "lane does nothing", 240},
                           {"bank0", "", 0},
                           {"conflict", "lanes wait: different words of one bank, or atomics in it", 560}})
    draw(item);
  svg.line(x, y + kCellHeight / 2, x + 40, y + kCellHeight / 2, kInk, 6);
  svg.label(x + 50, y + 21, "barrier: all threads wait", font);
  return y + kStripHeight;
}

}  // namespace kernels::trace_page
