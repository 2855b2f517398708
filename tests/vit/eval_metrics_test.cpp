// eval --metrics: the numbers that compare has of a run, at every size that is asked for, as a table, JSON or CSV.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/vit/small_comparison.h"
#include "vit/compare/folder.h"
#include "vit/compare/results.h"

namespace lookhere {
namespace {

const std::string& trained() {
  static const std::string model = whole() + "/runs/lh90-seed42/last.safetensors";
  return model;
}

Finished judged(const Words& more) {
  return run_program(Words{"eval", "--model", trained(), "--data", "shapes", "--test-images", "12"} + more);
}

std::vector<Measurement> numbers_of(const Words& more) {
  const Finished end = judged(more + Words{"--json"});
  EXPECT_EQ(end.code, 0) << end.err;
  std::vector<Measurement> numbers;
  for (const auto& each : nlohmann::json::parse(end.out))
    numbers.push_back({each["metric"], each["size"], each["value"]});
  return numbers;
}

// What compare measures at the model's size alone follows size by size.
TEST(EvalMetrics, AreThoseOfCompareAtEverySize) {
  const TemporaryFolder folder;
  const Finished end = judged({"--metrics", "all", "--sizes", "16,32", "--curve", folder / "curve.svg"});
  ASSERT_EQ(end.code, 0) << end.err;
  std::string want, at_both;
  const std::vector<RunResult> compared = results_of(comparison_in(whole()), whole());
  for (const Measurement& m : compared[0].values) {
    want += fmt::format("{:<20} {:>5} px {:>12.5g}\n", m.metric, m.size, m.value);
    if (want.find("diversity") != want.npos) at_both += m.metric + "@32 ";
  }
  ASSERT_TRUE(end.out.starts_with(want)) << end.out;
  std::string names;
  for (const std::string& line : split(end.out.substr(want.size()), '\n'))
    if (!line.empty()) names += line.substr(0, line.find(' ')) + "@" + line.substr(24, 2) + " ";
  EXPECT_EQ(names, at_both);
  const std::string curve = read_file(folder / "curve.svg");
  for (const char* part : {"as trained", "tuned", "image size in pixels"})
    EXPECT_NE(curve.find(part), std::string::npos) << part;
}

// At a size that is not the model's, too: by eval's other way of measuring.
TEST(EvalMetrics, OfAttacksAreThoseOfAttack) {
  for (const char* size : {"16", "32"})
    for (const Words& how : std::vector<Words>{{"fgsm"}, {"pgd"}, {"pgd", "--attack-steps=2", "--attack-step=3"}}) {
      const Words more(how.begin() + 1, how.end());
      const auto numbers =
          numbers_of(Words{"--metrics", how[0], "--sizes", size, "--epsilon", "1", "--test-images", "0"} + more);
      const Finished other = run_program(Words{"eval", "--model", trained(), "--data", "shapes", "--attack", how[0],
                                               "--epsilon", "1", "--img-size", size, "--use-ema", "--json"} +
                                         more);
      ASSERT_EQ(other.code, 0) << other.err;
      const auto attack = nlohmann::json::parse(other.out)["attacks"][0];
      ASSERT_EQ(numbers.size(), 2U);
      EXPECT_EQ(numbers[0], (Measurement{how[0] + "1.top1", std::stol(size), attack["top1"]}));
      EXPECT_EQ(numbers[1], (Measurement{how[0] + "1.top5", std::stol(size), attack["top5"]}));
    }
}

TEST(EvalMetrics, AsCsv) {
  const auto csv_of = [](const Words& words) {
    const Finished end = run_program(words);
    EXPECT_EQ(end.code, 0) << end.err;
    return end.out;
  };
  std::string want = "position,seed,metric,size,value\n";
  for (const std::string& line : split(read_file(whole() + "/results.csv"), '\n'))
    if (line.starts_with("lh90,42,") && line.find(",16,") != line.npos) want += line + "\n";
  EXPECT_EQ(judged({"--metrics", "all", "--csv"}).out, want);
  const Words plain{"eval", "--data", "shapes", "--csv", "--attack", "fgsm", "--model"};
  const std::string run = csv_of(plain + Words{trained()});
  EXPECT_TRUE(run.starts_with("position,seed,metric,size,value\nlh90,42,ece,16,")) << run;
  for (const char* name : {"fgsm1.top1", "fgsm1.top5", "fgsm3.top1", "fgsm3.top5", "loss", "top1", "top5"})
    EXPECT_NE(run.find(concat("\nlh90,42,", name, ",16,")), std::string::npos) << run;
  // A file that does not know its run.
  const std::string best = csv_of(plain + Words{whole() + "/runs/lh90-seed42/best.safetensors"});
  EXPECT_TRUE(best.starts_with("position,seed,metric,size,value\nlookhere,,ece,16,")) << best;
  EXPECT_NE(run_program(plain + Words{trained(), "--json"}).err.find("--csv: wanted without --json"),
            std::string::npos);
}

TEST(EvalMetrics, PgdIsMeasuredWhereItIsAskedFor) {
  EXPECT_FALSE(groups_of({}).contains("pgd"));
  EXPECT_EQ(groups_of({}), groups_of({"all"}));
  EXPECT_EQ(groups_of({"all", "pgd"}).size(), judging_groups().size());
  EXPECT_EQ(groups_of({"lens"}), std::set<std::string>{"lens"});
  const TemporaryFolder folder;
  const Finished end = run_program(
      comparison(folder / "c", {"--metrics", "accuracy,pgd", "--seeds", "1", "--positions", "lh90", "--epsilon", "2"}));
  ASSERT_EQ(end.code, 0) << end.err;
  std::string names;
  const std::vector<RunResult> results = results_of(comparison_in(folder / "c"), folder / "c");
  for (const Measurement& m : results[0].values) names += concat(m.metric, '@', m.size, ' ');
  EXPECT_EQ(names, "top1@16 top5@16 loss@16 ece@16 top1@32 top5@32 loss@32 ece@32 pgd2.top1@16 pgd2.top5@16 ");
  const Finished again = run_program({"compare", "--resume", folder / "c", "--metrics", "all,pgd"});
  ASSERT_EQ(again.code, 0) << again.err;
  for (const char* metric : {",pgd2.top1,16,", ",shifted,16,", ",tuned.top1,32,"})
    EXPECT_NE(read_file(folder / "c/results.csv").find(metric), std::string::npos) << metric;
}

TEST(EvalMetrics, WhatWouldBeLeftUndoneIsRefused) {
  const auto message = [](const Words& more) {
    return run_program(Words{"eval", "--model", trained(), "--data", "shapes"} + more).err;
  };
  for (const char* other : {"--img-size=32", "--crop-pct=0.9", "--global-slope=1", "--use-ema", "--attack=fgsm",
                            "--size-rule=crop", "--interpolation=bicubic", "--reliability=r.svg"})
    EXPECT_NE(message({"--metrics", "accuracy", other})
                  .find(concat("without ", std::string(other).substr(0, std::string(other).find('=')))),
              std::string::npos)
        << other;
  for (const char* other : {"--epsilon=2", "--attack-step=1", "--attack-steps=3"})
    EXPECT_NE(message({other}).find("wanted --attack"), std::string::npos) << other;
  EXPECT_NE(message({"--metrics", "fgsm", "--attack-steps=3"}).find("wanted --attack pgd or --metrics pgd beside"),
            std::string::npos);
  EXPECT_NE(message({"--metrics", "lens", "--sizes", "16,32", "--curve=c.svg"}).find("--curve: wanted accuracy among"),
            std::string::npos);
  const TemporaryFolder folder;
  EXPECT_EQ(message({"--metrics", "all,heads", "--sizes", "16,32", "--test-images=4", "--curve", folder / "c.svg"})
                .find("wanted accuracy"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "c.svg"));
  for (const char* other : {"--sizes=32", "--test-images=8", "--curve=c.svg"})
    EXPECT_NE(message({other}).find("wanted --metrics"), std::string::npos) << other;
  EXPECT_NE(message({"--metrics", "colour"})
                .find("--metrics: wanted all or some of accuracy, tuned, heads, lens, shift, corruptions, fgsm, pgd, "
                      "got \"colour\""),
            std::string::npos);
}

}  // namespace
}  // namespace lookhere
