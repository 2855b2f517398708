// Sections of numbers, made of numbers that nobody measured: tables beside the paper's, tuned numbers, charts to
// compare.
#include "vit/compare/report_numbers.h"

#include <cmath>

#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "tests/vit/small_comparison.h"
#include "vit/compare/comparison.h"

namespace lookhere {
namespace {

// Models of 28 px, with nothing measured yet.
ReportedNumbers numbers_of(const std::vector<std::string>& variants) {
  ReportedNumbers n{.variants = variants, .models = {}, .results = {}, .sizes = {28, 44, 56, 84, 112}};
  for (const std::string& variant : variants) {
    const Recipe recipe = variant_of({}, variant);
    n.models.emplace_back();
    n.models.back().height = n.models.back().width = 28;
    n.models.back().position = position_preset(recipe.position, recipe.position_options);
    n.results.push_back({variant, 42, {}});
  }
  return n;
}

std::string page_of(const ReportedNumbers& numbers) {
  HtmlPage page("t", "s");
  add_numbers(page, numbers);
  return page.str();
}

// The text of what stands between these, piece by piece.
std::vector<std::string> between(const std::string& text, const std::string& begin, const std::string& end) {
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = text.find(begin, at)) != text.npos;) {
    at += begin.size();
    found.push_back(text.substr(at, text.find(end, at) - at));
  }
  return found;
}

// "a | b | c" for each row of the table whose caption begins like this.
std::vector<std::string> rows_of(const std::string& html, const std::string& caption) {
  std::string table = html.substr(html.find("<p class=\"caption\">" + caption));
  table = table.substr(0, table.find("</table>"));
  std::vector<std::string> rows;
  for (const std::string& row : between(table, "<tr>", "</tr>")) {
    rows.emplace_back();
    for (const std::string& cell : between(row, "<t", "</t")) {
      std::string text = cell.substr(cell.find('>') + 1);
      for (const std::string tag : {"<b>", "</b>", "<wbr/>"})
        for (std::size_t at = 0; (at = text.find(tag)) != text.npos;) text.erase(at, tag.size());
      rows.back() += (rows.back().empty() ? "" : " | ") + text;
    }
  }
  return rows;
}

TEST(CompareNumbers, StandBesideThePapersAtTheNearestMultiples) {
  ReportedNumbers n = numbers_of({"lh90", "lh90:distance=square", "gpsa"});
  for (RunResult& run : n.results)
    for (const long size : n.sizes) run.values.push_back({"top1", size, static_cast<double>(size) / 2});
  n.results[0].values.push_back({"tuned.top1", 112, 60});
  n.results[0].values.push_back({"tuned.value", 112, 1.4});
  const std::string html = page_of(n);
  EXPECT_EQ(rows_of(html, "Top-1 accuracy in percent, by image size"),
            (std::vector<std::string>{"position | 28 px, 1.0x | 44 px, 1.6x | 56 px, 2.0x | 84 px, 3.0x | 112 px, 4.0x",
                                      "lh90 | 14.0 | 22.0 | 28.0 | 42.0 | 56.0",
                                      "lh90:distance=square | 14.0 | 22.0 | 28.0 | 42.0 | 56.0",
                                      "gpsa | 14.0 | 22.0 | 28.0 | 42.0 | 56.0"}));
  EXPECT_EQ(rows_of(html, "Top-1 accuracy in percent, at the nearest multiples"),
            (std::vector<std::string>{
                "position | 28 px, 1.0x | paper, 1.0x | 44 px, 1.6x | paper, 1.7x | 56 px, 2.0x | paper, 2.0x | 84 px, "
                "3.0x | "
                "paper, 3.4x | 112 px, 4.0x | paper, 4.6x | paper, 4.6x, ImageNet-HR",
                "lh90 | 14.0 | 81.02 | 22.0 | 82.08 | 28.0 | 81.91 | 42.0 | 77.12 | 60.0 | 71.58 | 79.68",
                "lh90:distance=square | 14.0 | 80.98 | 22.0 | – | 28.0 | – | 42.0 | – | 56.0 | 65.08 | 74.80"}));
  // Of ablations alone the paper has two sizes; what is far from all of the paper's stands beside none.
  n = numbers_of({"lh90:distance=square"});
  n.sizes = {28, 56, 280};
  for (const long size : n.sizes) n.results[0].values.push_back({"top1", size, 50});
  EXPECT_EQ(rows_of(page_of(n), "Top-1 accuracy in percent, at the nearest multiples"),
            (std::vector<std::string>{"position | 28 px, 1.0x | paper, 1.0x", "lh90:distance=square | 50.0 | 80.98"}));
  n = numbers_of({"gpsa"});
  n.results[0].values.push_back({"top1", 28, 50});
  EXPECT_EQ(page_of(n).find("paper"), std::string::npos);
}

TEST(CompareNumbers, CalibrationAndAttacksStandBesideThePapers) {
  ReportedNumbers n = numbers_of({"lh90", "gpsa"});
  for (RunResult& run : n.results)
    run.values = {{"ece", 28, 7},         {"ece", 112, 9},        {"fgsm1.top1", 28, 30},
                  {"fgsm1.top5", 28, 50}, {"fgsm3.top5", 28, 40}, {"pgd0.5.top1", 28, 20}};
  EXPECT_EQ(
      rows_of(page_of(n), "In percent"),
      (std::vector<std::string>{"position | ECE, 28 px, 1.0x | paper | ECE, 112 px, 4.0x | FGSM 1/255, top1 | FGSM "
                                "1/255, top5 | paper | FGSM 3/255, top5 | paper | PGD 0.5/255, top1",
                                "lh90 | 7.0 | 8.68 | 9.0 | 30.0 | 50.0 | 63.89 | 40.0 | 50.87 | 20.0",
                                "gpsa | 7.0 | – | 9.0 | 30.0 | 50.0 | – | 40.0 | – | 20.0"}));
}

TEST(CompareNumbers, ATunedNumberSaysWhereTheSearchEnded) {
  ReportedNumbers n = numbers_of({"rope", "lh90"});
  n.results.push_back({"rope", 43, {}});
  for (const auto& [size, first, second] :
       {std::tuple{44L, 1e5, 1e5}, {56L, 25.0, 25.0}, {84L, 1e5, 400.0}, {112L, 100.0, 200.0}}) {
    n.results[0].values.push_back({"tuned.top1", size, 70}), n.results[2].values.push_back({"tuned.top1", size, 70});
    n.results[0].values.push_back({"tuned.value", size, first});
    n.results[2].values.push_back({"tuned.value", size, second});
  }
  EXPECT_EQ(
      rows_of(page_of(n), "Top-1 accuracy in percent, and the tuned number"),
      (std::vector<std::string>{
          "position | 44 px, 1.6x | 56 px, 2.0x | 84 px, 3.0x | 112 px, 4.0x",
          "rope | 70.0 ± 0.0 (at 100000, the largest tried) | 70.0 ± 0.0 (at 25, the smallest tried) | 70.0 ± 0.0 (at "
          "50200, 1 of 2 seeds the largest tried) | 70.0 ± 0.0 (at 150)"}));
}

TEST(CompareNumbers, WhatWasTunedIsNamedByOptionAndPosition) {
  ReportedNumbers n = numbers_of({"pape", "lh90", "learned", "lh45", "fire", "rope"});
  for (RunResult& run : n.results)
    if (run.variant != "learned" && run.variant != "rope")
      run.values.push_back({"tuned.top1", 44, 70}), run.values.push_back({"tuned.value", 44, 0.5});
  EXPECT_NE(page_of(n).find("It is --position-scale of pape, fire; --global-slope of lh90, lh45. Other"),
            std::string::npos);
}

// More lines than one chart has room for.
TEST(CompareNumbers, ChartsOfOneQuantityCanBeCompared) {
  std::vector<std::string> variants{"lh90"};
  for (int i = 1; i < 12; ++i) variants.push_back("lh90:global-slope=" + std::to_string(i));
  ReportedNumbers n = numbers_of(variants);
  for (std::size_t i = 0; i < n.results.size(); ++i)
    for (const char* metric : {"distance.0", "distance.1", "distance.2"})
      n.results[i].values.push_back({metric, 28, std::pow(2.0, static_cast<double>(i))});
  n.results[11].values.push_back({"distance.3", 28, 1});
  const std::vector<std::string> charts = between(page_of(n), "<svg", "</svg>");
  ASSERT_EQ(charts.size(), 3U);
  const auto ticks = [](const std::string& chart) {
    std::vector<std::string> labels;
    for (const std::string& text : between(chart, "<text ", "</text>"))
      if (text.find("text-anchor=\"end\"") != text.npos || text.find("font-size=\"15\"") != text.npos)
        labels.push_back(text.substr(text.find('>') + 1));
    return labels;
  };
  for (const std::string& chart : charts) {
    EXPECT_EQ(ticks(chart), ticks(charts[0]));
    EXPECT_GE(ticks(chart).size(), 8U);  // of both axes: layers 0 to 3 among them
    EXPECT_NE(chart.find(">lh90</text>"), chart.npos);
  }
}

// The page is XML as well, but for its first line: a checker for SVG reads it.
void expect_sound_page(const std::string& path) {
  std::string html = read_file(path);
  ASSERT_TRUE(html.starts_with("<!DOCTYPE html>\n"));
  html.erase(0, html.find('\n') + 1);
  EXPECT_EQ(xml_error(html), "");
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("src=\"http"), std::string::npos);
}

TEST(CompareReport, HasWhatItPromises) {
  expect_sound_page(whole() + "/report.html");
  const std::string html = read_file(whole() + "/report.html");
  for (const char* part :
       {"Accuracy by image size", "With one number tuned", "What heads and patches do", "Shifts and corruptions",
        "Patch logit lens", "Calibration and attacks", "Where the models look", "lh90", "none", "81.02",
        "What the heads may see", "lookhere compare --positions &#39;lh90,none&#39; --seeds 2", "epochs = 2",
        " --epsilon 1,3 -c recipe.toml"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
}

TEST(CompareReport, OfOneRun) {
  const TemporaryFolder folder;
  std::filesystem::copy(whole() + "/runs/lh90-seed42", folder / "run", std::filesystem::copy_options::recursive);
  const auto page_of = [&](const Words& options) {
    Words words{"report", folder / "run", "--test-images", "8"};
    words.insert(words.end(), options.begin(), options.end());
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.out, folder / "run/report.html\n");
    expect_sound_page(folder / "run/report.html");
    return read_file(folder / "run/report.html");
  };
  std::string html = page_of({});
  for (const char* part :
       {"lh90 on shapes", "On 8 test images", "Accuracy by image size", "64 px, 4.0x", "With one number tuned",
        "Beside the paper&#39;s numbers", "81.02", "Calibration and attacks", "FGSM 3/255, top5",
        "Shifts and corruptions", "jpeg", "What heads and patches do", "Attention distance", "Patch logit lens",
        "Where its heads look", "Where the model looks", "What single patches say", "What its heads may see"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  // Of a run that was killed before it had logged anything.
  write_file(folder / "run/summary.csv", "");
  html = page_of({"--sizes", "16,32", "--metrics", "accuracy"});
  EXPECT_NE(html.find("32 px, 2.0x"), std::string::npos);
  for (const char* part : {">24 px, ", "Shifts and corruptions", "With one number tuned"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  for (const auto& [option, value, message] :
       {std::tuple{"--sizes", "18", "--sizes: wanted multiples of the patch size 4, got 18"},
        {"--sizes", "32,16", "--sizes: wanted each size once, the smallest first, got 32,16"},
        {"--metrics", "colour", "--metrics: wanted all or some of accuracy, tuned"}})
    EXPECT_NE(run_program({"report", folder / "run", option, value}).err.find(message), std::string::npos) << message;
  EXPECT_NE(run_program({"report", whole(), "--sizes", "32"}).err.find("a comparison has its own"), std::string::npos);
  EXPECT_EQ(run_program({"report", folder / "none"}).code, 5);
}

}  // namespace
}  // namespace lookhere
