// Title, all warps at a glance, each step in detail, and a table of lines.
#include "kernels/cuda/trace_page/page.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <functional>
#include <map>
#include <span>
#include <tuple>

#include "kernels/cuda/emulator/text.h"
#include "kernels/cuda/trace_page/strip.h"

namespace kernels::trace_page {
namespace {

using emulator::text;

// What a page holds at most.
constexpr int kMostColumns = 9, kMostSteps = 32, kMostStrips = 120, kMostOfOneLine = 4, kMostRows = 40;
constexpr int kWidth = kPageWidth - 2 * kMargin;
constexpr const char *kInk = "#1a1a1a", *kGrey = "#5a5a5a", *kRed = "#c8102e";

std::string product(const Size& s) { return text(s.x, " x ", s.y, " x ", s.z); }
std::string counted(long n, const char* what) { return text(n, " ", what, n == 1 ? "" : "s"); }
std::string range(const char* what, long first, long last) {
  return first == last ? text(what, " ", first) : text(what, "s ", first, "-", last);
}

// The acts of one warp.
using Acts = std::span<const Act>;
std::vector<Acts> by_warp(const Step& step) {
  std::vector<Acts> warps;
  for (auto begin = step.acts.begin(); begin != step.acts.end();) {
    const auto end = std::find_if(begin, step.acts.end(), [&](const Act& act) { return act.warp != begin->warp; });
    warps.emplace_back(begin, end), begin = end;
  }
  return warps;
}

// The same but for the warp, and where in the array.
bool alike(const Act& a, const Act& b) {
  if (a.kind != b.kind || a.place != b.place || a.what != b.what || a.count != b.count || a.lanes != b.lanes ||
      a.conflicts != b.conflicts)
    return false;
  const int first = std::countr_zero(a.lanes);
  for (int lane = first; lane < kLanes; ++lane)
    if ((a.lanes >> lane & 1) && a.elements[lane] - b.elements[lane] != a.elements[first] - b.elements[first])
      return false;
  return true;
}

// What one warp did in one step, in numbers.
struct Cell {
  std::map<Kind, long> acts;
  int worst = 0;
  bool operator==(const Cell&) const = default;
};

class Page {
 public:
  explicit Page(const Trace& trace)
      : trace_(trace), steps_(steps_of(trace)), svg_(kPageWidth, text(trace.kernel, ", traced")) {}

  std::string draw() {
    define_strips(svg_);
    title();
    report();
    y_ = draw_legend(svg_, y_ + 10);
    glance();
    details();
    table();
    return svg_.page(y_ + kMargin);
  }

 private:
  void heading(std::string_view words) {
    y_ += 58;
    svg_.label(kMargin, y_, words, {.size = 26, .bold = true});
    y_ += 18;
  }
  void remark(std::string_view words) {
    svg_.label(kMargin, y_ + 24, words, {.size = 18, .color = kGrey});
    y_ += 34;
  }

  void title() {
    svg_.code(kMargin, 62, trace_.kernel, kWidth, {.size = 36, .bold = true});
    svg_.label(kMargin, 98,
               text("block (", trace_.index.x, ", ", trace_.index.y, ", ", trace_.index.z, ") of a grid of ",
                    product(trace_.grid), ", ", counted(trace_.threads, "thread"), " (", product(trace_.block), ") in ",
                    counted((trace_.threads + kLanes - 1) / kLanes, "warp"), ", seed ", trace_.seed),
               {.size = 20});
    svg_.code(kMargin, 126, text("launched at ", trace_.launched), kWidth, {.size = 18, .color = kGrey});
    y_ = 140;
  }

  void report() {
    if (trace_.failure.empty()) return;
    constexpr std::size_t kLetters = 150;
    constexpr int kMostLines = 8;
    const int top = y_ + 8;
    svg_.label(kMargin + 16, y_ + 36, "The launch ended with a report:", {.size = 20, .bold = true, .color = kRed});
    y_ += 40;
    std::string_view rest = trace_.failure;
    for (int line = 0; line < kMostLines && !rest.empty(); ++line, y_ += 24) {
      std::size_t length = std::min(rest.find(';'), rest.size());
      if (const std::size_t space = rest.rfind(' ', kLetters); length > kLetters && space != rest.npos) length = space;
      const std::string_view shown = line + 1 == kMostLines && length < rest.size() ? "..." : rest.substr(0, length);
      svg_.code(kMargin + 16, y_ + 24, shown, kWidth - 32);
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
    y_ += 16;
    svg_.rectangle(kMargin, top, kWidth, y_ - top, "none", kRed, 3);
    y_ += 8;
  }

  // -- all warps at a glance ------------------------------------------------------------------------------------------
  int columns() const { return std::min(kMostColumns, static_cast<int>(steps_.size())); }

  std::vector<std::vector<Cell>> cells() const {
    std::vector<std::vector<Cell>> cells((trace_.threads + kLanes - 1) / kLanes, std::vector<Cell>(columns()));
    for (int step = 0; step < columns(); ++step)
      for (const Act& act : steps_[step].acts) {
        Cell& cell = cells[act.warp][step];
        ++cell.acts[act.kind];
        cell.worst = std::max(cell.worst, act.conflicts.degree);
      }
    return cells;
  }

  void draw_cell(const Cell& cell, int x, int width) {
    constexpr int kHeight = 48;
    const char* fill = cell.worst >= 8   ? "#f7b3ab"
                       : cell.worst >= 2 ? "#fde3a8"
                       : cell.worst == 1 ? "#d8efdc"
                                         : "#f4f4f4";
    svg_.rectangle(x + 4, y_ + 3, width - 8, kHeight - 6, fill);
    std::string did;
    for (const auto& [kind, times] : cell.acts) did += text(did.empty() ? "" : " ", badge_of(kind).letter, times);
    const Font font{.size = 15, .anchor = "middle"};
    svg_.code(x + width / 2, y_ + 21, did.empty() ? "-" : did, width - 8, font);
    if (cell.worst > 0)
      svg_.label(x + width / 2, y_ + 39, degree_in_words(cell.worst),
                 {.size = 14, .bold = cell.worst > 1, .anchor = "middle", .color = cell.worst > 1 ? kRed : kGrey});
  }

  void glance() {
    constexpr int kLeft = 190, kRowHeight = 48;
    heading("All warps, from barrier to barrier");
    const int width = std::min(240, (kPageWidth - kMargin - kLeft) / columns());
    y_ += 24;
    for (int step = 0; step < columns(); ++step)
      svg_.label(kLeft + step * width + width / 2, y_, text("step ", step + 1),
                 {.size = 16, .bold = true, .anchor = "middle"});
    y_ += 10;
    const int top = y_;
    const auto rows = cells();
    for (std::size_t first = 0, next = 0; first < rows.size(); first = next, y_ += kRowHeight) {
      while (next < rows.size() && rows[next] == rows[first]) ++next;
      svg_.label(kMargin, y_ + 30, range("warp", static_cast<long>(first), static_cast<long>(next) - 1),
                 {.size = 18, .bold = true});
      for (int step = 0; step < columns(); ++step) draw_cell(rows[first][step], kLeft + step * width, width);
    }
    for (int step = 0; step < columns(); ++step) {
      if (steps_[step].barrier < 0) continue;
      const int x = kLeft + (step + 1) * width;
      svg_.line(x, top - 6, x, y_ + 6, kInk, 5);
      svg_.code(x, y_ + 26, trace_.words[steps_[step].barrier], width - 6,
                {.size = 13, .anchor = "end", .color = kGrey});
    }
    y_ += 36;
    if (std::ssize(steps_) > columns())
      remark(text(counted(std::ssize(steps_) - columns(), "more step"), " not drawn here"));
  }

  // -- steps, strip by strip ------------------------------------------------------------------------------------------
  void details() {
    int step = 0;
    for (; step < std::min(kMostSteps, static_cast<int>(steps_.size())) && left_out_ == 0; ++step) draw_step(step);
    if (step < std::ssize(steps_)) {
      long acts = 0;
      for (const Step& rest : std::span(steps_).subspan(step)) acts += std::ssize(rest.acts);
      remark(text("Not drawn: ", range("step", step + 1, std::ssize(steps_)), ", with ", acts,
                  " accesses and exchanges of warps"));
    }
  }

  void draw_step(int number) {
    const Step& step = steps_[number];
    heading(text("Step ", number + 1, " of ", steps_.size()));
    const std::vector<Acts> warps = by_warp(step);
    if (warps.empty()) remark("No access to shared memory, no exchange.");
    for (std::size_t first = 0, next = 0; first < warps.size(); first = next) {
      const auto follows = [&] { return warps[next].front().warp == warps[next - 1].front().warp + 1; };
      for (next = first + 1; next < warps.size() && follows() && std::ranges::equal(warps[first], warps[next], alike);)
        ++next;
      draw_warps(warps[first], warps[next - 1]);
    }
    if (left_out_ > 0) remark(text("Not drawn: ", left_out_, " accesses and exchanges of further warps"));
    if (step.ended) remark(text(counted(step.ended, "thread"), step.ended == 1 ? " ends." : " end."));
    if (step.barrier < 0) return;
    svg_.line(kMargin, y_ + 14, kPageWidth - kMargin, y_ + 14, kInk, 6);
    svg_.code(
        kMargin, y_ + 40,
        text("__syncthreads at ", trace_.words[step.barrier], ": all ", trace_.threads, " threads have come and go on"),
        kWidth, {.bold = true});
    y_ += 44;
  }

  // The acts of the first and the last of warps that do alike.
  void draw_warps(Acts acts, Acts last_acts) {
    const int first = acts.front().warp, last = last_acts.front().warp;
    if (strips_ >= kMostStrips) {
      left_out_ += std::ssize(acts) * (last - first + 1);
      return;
    }
    svg_.label(kMargin, y_ + 24, range("warp", first, last), {.size = 18, .bold = true});
    svg_.use("numbers", 0, y_);
    const Font note{.size = 15, .color = kGrey};
    if (first != last) svg_.label(kMargin + 130, y_ + 24, text("drawn: warp ", first), note);
    const bool alike_at = std::ranges::equal(acts, last_acts, {}, &Act::elements, &Act::elements);
    if (!alike_at) svg_.label(kWordsLeft, y_ + 24, "other warps: other elements", note);
    y_ += 38;
    std::map<std::tuple<int, int, Kind>, int> drawn;  // strips of each line
    long more = 0;
    int worst = 0;
    for (std::size_t i = 0, next = 0; i < acts.size(); i = next) {
      const Act& act = acts[i];
      for (next = i + 1; !is_access(act.kind) && next < acts.size() && alike(act, acts[next]);) ++next;
      const auto times = static_cast<long>(next - i);
      if (strips_ < kMostStrips && ++drawn[{act.place, act.what, act.kind}] <= kMostOfOneLine) {
        draw_strip(svg_, trace_, act, times, y_);
        y_ += kStripHeight, ++strips_;
      } else {
        more += times, worst = std::max(worst, act.conflicts.degree);
      }
    }
    if (more)
      remark(text("... and ", more, " more of these, ", worst > 1 ? "at worst a " : "", degree_in_words(worst)));
    y_ += 8;
  }

  // -- lines ----------------------------------------------------------------------------------------------------------
  void table() {
    constexpr int kRowHeight = 32;
    std::vector<LineSummary> lines = summaries_of(steps_);
    std::ranges::stable_sort(lines, std::greater(), [](const LineSummary& l) { return std::pair(l.worst, l.mean()); });
    heading("Lines that use shared memory");
    if (lines.empty()) return remark("None.");
    constexpr int kPlace = kMargin + 42, kArray = 620, kNumbers[] = {1020, 1220, 1370, kPageWidth - kMargin};
    constexpr const char* kHeads[] = {"accesses", "warp accesses", "worst", "mean degree"};
    y_ += 20;
    const Font head{.size = 17, .bold = true};
    svg_.label(kPlace, y_, "line", head), svg_.label(kArray, y_, "array", head);
    for (int i = 0; i < 4; ++i) svg_.label(kNumbers[i], y_, kHeads[i], {.size = 17, .bold = true, .anchor = "end"});
    svg_.line(kMargin, y_ + 10, kPageWidth - kMargin, y_ + 10, kInk, 2);
    y_ += 16;
    for (const LineSummary& line : std::span(lines).first(std::min<std::size_t>(lines.size(), kMostRows))) {
      svg_.use(badge_of(line.kind).id, kMargin, y_);
      svg_.code(kPlace, y_ + 21, trace_.words[line.place], kArray - kPlace - 20, {.size = 18});
      svg_.code(kArray, y_ + 21, trace_.arrays[line.array].name, kNumbers[0] - kArray - 110, {.size = 18});
      char mean[32];
      std::snprintf(mean, sizeof mean, "%.2f", line.mean());
      const std::string numbers[] = {text(line.accesses), text(line.warp_accesses), text(line.worst), mean};
      for (int i = 0; i < 4; ++i)
        svg_.label(kNumbers[i], y_ + 21, numbers[i],
                   {.size = 18,
                    .bold = i == 2 && line.worst > 1,
                    .anchor = "end",
                    .color = i == 2 && line.worst > 1 ? kRed : kInk});
      y_ += kRowHeight + 2;
    }
    if (std::ssize(lines) > kMostRows)
      remark(text(counted(std::ssize(lines) - kMostRows, "more line"), " with no worse conflicts"));
    remark(
        "Degree of conflict: the most words that one access of a warp wants of one bank at a time, of atomics the most "
        "lanes that want it. 1 is the best.");
  }

  const Trace& trace_;
  std::vector<Step> steps_;
  Svg svg_;
  int y_ = 0, strips_ = 0;
  long left_out_ = 0;
};

}  // namespace

std::string page_of(const Trace& trace) { return Page(trace).draw(); }

}  // namespace kernels::trace_page
