// A comparison's page as a browser lays it out, on a phone and on a wide screen.
#include "tensor/text.h"
#include "tests/program.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

constexpr const char* kChromium = "/usr/bin/chromium";

// A page that shows another one at these widths, and says of each, once all is laid out: by how many pixels it is too
// wide; how many pictures are not there, or shown at less than 0.8 of their size without a way to scroll; how many
// tables have a first column that takes more than half of their window or that does not stay there when they scroll.
std::string measuring_page(const std::string& html, const std::vector<int>& widths) {
  std::string quoted;
  for (const char c : html) quoted += c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  std::string page = "<!DOCTYPE html><meta charset=\"utf-8\"/><body>";
  for (const int width : widths)
    page += concat("<iframe style=\"border:0;height:800px;width:", width, "px\" srcdoc=\"", quoted, "\"></iframe>");
  return page + R"(<pre></pre><script>onload = () => {
    let said = "";
    for (const frame of document.querySelectorAll("iframe")) {
      const page = frame.contentDocument, root = page.documentElement, images = [...page.images];
      const missing = images.filter(i => !i.complete || i.naturalWidth == 0).length;
      const empty = [...page.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width < 100).length;
      const box = node => node.getBoundingClientRect();
      const scrolls = b => b.scrollWidth > b.clientWidth && frame.contentWindow.getComputedStyle(b).overflowX == "auto";
      const small = images.filter(i => box(i).width < 0.8 * i.naturalWidth && !scrolls(i.parentNode)).length;
      const tables = [...page.querySelectorAll("table")].map(t => [t.parentNode, box(t.querySelector("th")).width,
        [...t.querySelectorAll("th")].filter(h => h.cellIndex == 0 && h.scrollWidth > h.offsetWidth)]);
      const broad = tables.filter(([b, name, cut]) => name > 0.5 * b.clientWidth || cut.length).length;
      for (const [b] of tables) b.scrollLeft = 1e6;
      const away = tables.filter(([b]) => box(b.querySelector("th")).left < box(b).left - 1).length;
      const scrolled = tables.filter(([b]) => b.scrollLeft > 0).length;
      said += `${root.clientWidth} px: ${root.scrollWidth - root.clientWidth} too wide, ${images.length} pictures, ` +
              `${missing} missing, ${empty} charts too small, ${small} pictures too small, ${broad} names too wide, ` +
              `${away} names away, ${scrolled ? "some" : "no"} tables scroll\n`;
    }
    document.querySelector("iframe").parentNode.replaceChildren(document.querySelector("pre"));
    document.querySelector("pre").textContent = said;
  };</script>)";
}

// What the browser says of the page at these widths.
std::string asked(const std::string& html, const std::vector<int>& widths) {
  const TemporaryFolder folder;
  write_file(folder / "page.html", measuring_page(html, widths));
  return run_program(
             {"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + folder / "user",
              "--virtual-time-budget=5000", "--dump-dom", "file://" + folder / "page.html"},
             {.program = kChromium})
      .out;
}

TEST(CompareBrowser, NothingIsTooWideAndNoPictureMissing) {
  if (!std::filesystem::exists(kChromium)) GTEST_SKIP() << "chromium is not installed: no browser was asked";
  const TemporaryFolder folder;
  const Finished made = run_program(
      split("compare --data shapes --shapes-train 64 --shapes-test 24 --img-size 16 --dim 16 --depth 2 --heads 4 "
            "--patch-size 4 --epochs 1 --batch-size 16 --positions "
            "lh90,lh90:directions=zerocorners-zerotriangles-zero,none,learned,sincos,rope,alibi,lh45 --seeds 1 --sizes "
            "16,32,48,64,80 --test-images 8 --output " +
                folder / "c",
            ' '));
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string said = asked(read_file(folder / "c/report.html"), {360, 1280});
  // Rollout and logit lens in two each, and the masks of four.
  EXPECT_NE(
      said.find("360 px: 0 too wide, 8 pictures, 0 missing, 0 charts too small, 0 pictures too small, 0 names too "
                "wide, 0 names away, some tables scroll"),
      said.npos)
      << said;
  EXPECT_NE(said.find("1280 px: 0 too wide, 8 pictures, 0 missing, 0 charts too small"), said.npos) << said;
  const std::string bad = asked("<p style='width:500px; margin: 0'>x</p><img src='data:,'><svg width='20'/>", {360});
  EXPECT_NE(bad.find(" px: "), bad.npos) << bad;
  EXPECT_EQ(bad.find(": 0 too wide"), bad.npos) << bad;
  EXPECT_NE(bad.find("1 pictures, 1 missing, 1 charts too small"), bad.npos) << bad;
}

}  // namespace
}  // namespace lookhere
