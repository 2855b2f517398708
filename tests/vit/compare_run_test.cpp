// Whole comparisons, small ones: what is left does not depend on where they were killed, nor on how many processes.
#include <fmt/format.h>

#include <thread>

#include "tensor/text.h"
#include "tests/program.h"
#include "tests/testing.h"
#include "tests/vit/show_pictures.h"
#include "tests/vit/small_comparison.h"
#include "vit/compare/folder.h"
#include "vit/compare/report.h"
#include "vit/compare/results.h"
#include "vit/train/log.h"

namespace lookhere {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string corruptions() {
  std::string names;
  for (const char* kind : {"noise", "blur", "contrast", "jpeg"}) {
    names += concat("corrupted.", kind, "@16 ");
    for (int strength = 1; strength <= 5; ++strength) names += concat("corrupted.", kind, ".", strength, "@16 ");
  }
  return names;
}

// Before the first run begins.
TEST(CompareRun, EveryVariantIsLookedAtFirst) {
  const TemporaryFolder folder;
  for (const auto& [variant, message] :
       {std::pair{"lh90:heads=7", "variant \"lh90:heads=7\": model: dim must be a multiple of heads, got 16 and 7"},
        {"lh90:directions=foo", "variant \"lh90:directions=foo\": lookhere: unknown direction name"},
        {"lh90:activation=foo", "variant \"lh90:activation=foo\": "}}) {
    const Finished end = run_program(comparison(folder / "new", {"--positions", concat("none,", variant)}));
    EXPECT_EQ(end.code, 2);
    EXPECT_NE(end.err.find(message), std::string::npos) << end.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  }
}

TEST(CompareRun, MeasuresEverythingForEveryRun) {
  const Comparison c = comparison_in(whole());
  const std::vector<RunResult> results = results_of(c, whole());
  ASSERT_EQ(results.size(), 4U);
  for (const RunResult& run : results) {
    std::string names;
    for (const Measurement& m : run.values) names += concat(m.metric, '@', m.size, ' ');
    // The number of lh90 is tuned at the size that it was not trained at; none has none.
    EXPECT_EQ(names,
              concat("top1@16 top5@16 loss@16 ece@16 top1@32 top5@32 loss@32 ece@32 ",
                     run.variant == "lh90" ? "tuned.top1@32 tuned.top5@32 tuned.value@32 " : "",
                     "diversity@16 diversity.0@16 distance@16 distance.0@16 similarity@16 similarity.0@16 lens.miou@16 "
                     "lens.miou.0@16 shifted@16 ",
                     corruptions(), "fgsm1.top1@16 fgsm1.top5@16 fgsm3.top1@16 fgsm3.top5@16 "));
    for (const Measurement& m : run.values) EXPECT_GE(m.value, m.metric.starts_with("similarity") ? -1 : 0) << m.metric;
  }
  EXPECT_EQ(to_csv(results), read_file(whole() + "/results.csv"));
  // Two seeds are two runs.
  EXPECT_NE(results[0].values[2].value, results[1].values[2].value);
}

// What training says of the same weights and images after the last epoch.
TEST(CompareRun, AgreesWithTheTrainersEvaluation) {
  const TemporaryFolder folder;
  const Finished end = run_program(comparison(folder / "c", {"--test-images", "0", "--seeds", "1", "--sizes", "16"}));
  ASSERT_EQ(end.code, 0) << end.err;
  for (const RunResult& run : results_of(comparison_in(folder / "c"), folder / "c")) {
    // The file has six digits.
    const EpochRow last = read_summary(folder / ("c/runs/" + run.variant + "-seed42/summary.csv")).back();
    EXPECT_NEAR(run.values[0].value, last.eval_top1, 1e-3);
    EXPECT_NEAR(run.values[1].value, last.eval_top5, 1e-3);
    EXPECT_NEAR(run.values[2].value, last.eval_loss, 1e-5 * last.eval_loss);
  }
}

// As often as `wanted`, over and over, each at any moment of the first third.
void expect_the_same_wherever_it_is_killed(const Words& options, long wanted) {
  const std::string& want = whole();
  const TemporaryFolder folder;
  const auto begin = Clock::now();
  ASSERT_EQ(run_program(comparison(folder / "timed", options)).code, 0);
  const double all = seconds_since(begin);
  EXPECT_EQ(read_file(folder / "timed/results.csv"), read_file(want + "/results.csv"));
  Rng rng(5, Purpose::test);
  long kills = 0, starts = 0;
  for (long run = 0; kills < wanted; ++run) {
    const std::string killed = folder / concat("killed-", run);
    for (bool finished = false; !finished;) {
      ASSERT_LT(starts++, 20 * wanted) << kills << " kills: nearly all of them came when the program was gone";
      Program program(comparison(killed, options));
      const auto moment = Clock::now() + std::chrono::duration<double>(rng.uniform(0, all / 3));
      while (kills < wanted && program.running() && Clock::now() < moment)
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      if (kills < wanted) program.send(SIGKILL);
      const Finished end = program.wait();
      finished = end.code == 0;
      ASSERT_TRUE(finished || end.signal == SIGKILL) << end.err;
      kills += !finished;
    }
    EXPECT_EQ(read_file(killed + "/results.csv"), read_file(want + "/results.csv"));
    EXPECT_EQ(read_file(killed + "/report.html"), read_file(want + "/report.html"));
  }
}

TEST(CompareRun, EndsTheSameWhereverItIsKilled) { expect_the_same_wherever_it_is_killed({}, 20); }

// The processes that it has started end with it.
TEST(CompareRun, EndsTheSameWhereverItIsKilledWithItsJobs) {
  expect_the_same_wherever_it_is_killed({"--jobs", "2"}, 6);
}

TEST(CompareRun, ProcessesSideBySideLeaveTheSame) {
  const TemporaryFolder folder;
  const Finished end = run_program(comparison(folder / "jobs", {"--jobs", "3"}));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(read_file(folder / "jobs/results.csv"), read_file(whole() + "/results.csv"));
  EXPECT_NE(read_file(folder / "jobs/job-3.log").find("4 runs"), std::string::npos);
}

// What is measured needs no weights: a folder of results can be passed on without them.
TEST(CompareRun, GoesOnWithoutTheWeightsOfMeasuredRuns) {
  const TemporaryFolder folder;
  const std::string light = folder / "light";
  std::filesystem::copy(whole(), light, std::filesystem::copy_options::recursive);
  const auto without = [&](const char* run) {
    std::filesystem::remove(concat(light, "/runs/", run, "/last.safetensors"));
    const Finished end = run_program({"compare", "--resume", light});
    EXPECT_EQ(end.code, 0) << end.err;
    const std::string html = read_file(light + "/report.html");
    const bool left_out = html.find("positions without such a model are left out") != std::string::npos;
    EXPECT_NE(html.find("Where the models look"), std::string::npos);
    EXPECT_EQ(end.err.find("no run has its last.safetensors, of lh90\n") != std::string::npos, left_out) << end.err;
    return left_out;
  };
  EXPECT_FALSE(without("lh90-seed42"));  // the other seed's are there
  EXPECT_FALSE(without("none-seed43"));
  EXPECT_TRUE(without("lh90-seed43"));
  EXPECT_FALSE(std::filesystem::exists(light + "/runs/lh90-seed42/last.safetensors"));
  EXPECT_EQ(read_file(light + "/results.csv"), read_file(whole() + "/results.csv"));
  EXPECT_NE(read_file(light + "/report.html").find("What the heads may see"), std::string::npos);
  // A report says so too, where there is nothing to look at any more.
  std::filesystem::remove(light + "/runs/none-seed42/last.safetensors");
  const Finished none = run_program({"report", light});
  EXPECT_NE(none.err.find("no run has its last.safetensors, of lh90, none\n"), std::string::npos) << none.err;
  // Results that were kept without their runs are not replaced by nothing.
  std::filesystem::remove_all(light + "/runs");
  const std::string page = read_file(light + "/report.html");
  const Finished alone = run_program({"report", light});
  EXPECT_EQ(alone.code, 2);
  EXPECT_NE(alone.err.find(light + ": wanted runs that have been measured (" + light + "/runs/lh90-seed42/"),
            std::string::npos)
      << alone.err;
  EXPECT_EQ(read_file(light + "/results.csv"), read_file(whole() + "/results.csv"));
  EXPECT_EQ(read_file(light + "/report.html"), page);
}

TEST(CompareRun, GrowsAndRefusesAnotherRecipe) {
  const TemporaryFolder folder;
  std::filesystem::copy(whole(), folder / "grown", std::filesystem::copy_options::recursive);
  const Finished more = run_program({"compare", "--resume", folder / "grown", "--sizes", "16,32,48", "--seeds", "1"});
  ASSERT_EQ(more.code, 0) << more.err;
  const std::string csv = read_file(folder / "grown/results.csv");
  EXPECT_NE(csv.find("none,42,top1,48,"), std::string::npos);
  EXPECT_EQ(csv.find("none,43,"), std::string::npos);
  // A position beside --resume joins those that are there; one that is there stays as it is.
  const Finished joined = run_program(
      {"compare", "--resume", folder / "grown", "--positions", "rope, none", "--metrics", "accuracy, shift"});
  ASSERT_EQ(joined.code, 0) << joined.err;
  EXPECT_EQ(comparison_in(folder / "grown").variants, (Words{"lh90", "none", "rope"}));
  for (const char* line : {"lh90,42,top1,48,", "none,42,top1,48,", "rope,42,top1,48,"})
    EXPECT_NE(read_file(folder / "grown/results.csv").find(line), std::string::npos) << line;
  const Finished away = run_program({"compare", "--resume", folder / "grown", "--output", folder / "away"});
  EXPECT_EQ(away.code, 2);
  EXPECT_NE(away.err.find("a comparison that is resumed goes on in its own folder, " + (folder / "grown")),
            std::string::npos)
      << away.err;
  const Finished other = run_program({"compare", "--resume", folder / "grown", "--lr", "0.001"});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("holds a comparison with another recipe (lr 0.002 -> 0.001)"), std::string::npos)
      << other.err;
  EXPECT_EQ(run_program({"compare", "--resume", folder / "none"}).code, 5);
  const Finished sizes = run_program(comparison(folder / "sizes", {"--sizes", "18"}));
  EXPECT_NE(sizes.err.find("--sizes: wanted multiples of the patch size 4"), std::string::npos) << sizes.err;
}

TEST(CompareRun, ARunThatDivergesIsToldOf) {
  const TemporaryFolder folder;
  const Finished end = run_program(comparison(folder / "d", {"--positions", "none:lr=1000:clip-grad=0,none", "--seeds",
                                                             "1", "--warmup-epochs", "0", "--epochs", "4"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const std::string csv = read_file(folder / "d/results.csv");
  if (csv.find("diverged") != std::string::npos) {
    EXPECT_NE(csv.find("none:lr=1000:clip-grad=0,42,diverged,0,1\n"), std::string::npos) << csv;
    EXPECT_NE(read_file(folder / "d/report.html").find("Training diverged: none:lr=1000:clip-grad=0 with seed 42"),
              std::string::npos);
  }
  EXPECT_NE(csv.find("\nnone,42,top1,32,"), std::string::npos);
}

// What is not a comparison's is not written to.
TEST(CompareFolder, OthersFilesStay) {
  const TemporaryFolder folder;
  for (const char* name : {"results.csv", "report.html", "thesis.tex"}) {
    const std::string mine = folder / concat("mine-", name);
    std::filesystem::create_directory(mine);
    write_file(mine + "/" + name, "precious");
    const Finished end = run_program(comparison(mine));
    EXPECT_EQ(end.code, 2);
    EXPECT_NE(end.err.find(concat(mine, " is no comparison's folder but holds ", name, ": choose another --output")),
              std::string::npos)
        << end.err;
    EXPECT_EQ(read_file(mine + "/" + name), "precious");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(mine), {}), 1);
  }
  std::filesystem::create_directories(folder / "hidden/.git");  // is nobody's
  EXPECT_NE(run_program(comparison(folder / "hidden", {"--sizes", "18"})).err.find("--sizes: "), std::string::npos);
  const std::string run = whole() + "/runs/none-seed42";
  EXPECT_NE(run_program(comparison(run)).err.find("holds best.safetensors"), std::string::npos);
  const Finished into = run_program({"train", "--data", "shapes", "--output", whole()});
  EXPECT_NE(into.err.find(whole() + " holds a comparison: choose another --output"), std::string::npos) << into.err;
}

// The page depends on what was measured, not on what was measured first.
TEST(CompareFolder, ThePageOfWhateverIsThere) {
  const TemporaryFolder folder;
  const Finished some = run_program(comparison(folder / "c", {"--metrics", "heads"}));
  ASSERT_EQ(some.code, 0) << some.err;
  EXPECT_EQ(some.out.find("top-1"), std::string::npos) << some.out;
  const std::string html = read_file(folder / "c/report.html");
  EXPECT_EQ(html.find("Not complete"), std::string::npos);
  EXPECT_EQ(html.find("Accuracy by image size"), std::string::npos);
  EXPECT_NE(html.find("What heads and patches do"), std::string::npos);
  ASSERT_EQ(run_program(comparison(folder / "c")).code, 0);
  EXPECT_EQ(read_file(folder / "c/report.html"), read_file(whole() + "/report.html"));
}

TEST(CompareFolder, NumbersOfOtherImagesAreNotMixed) {
  const TemporaryFolder folder;
  const std::string copy = folder / "c";
  std::filesystem::copy(whole(), copy, std::filesystem::copy_options::recursive);
  const Finished end = run_program({"compare", "--resume", copy, "--test-images", "4"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("holds numbers of --test-images 12, got --test-images 4: choose another"), std::string::npos);
  EXPECT_EQ(read_file(copy + "/compare.json"), read_file(whole() + "/compare.json"));
  EXPECT_EQ(read_file(copy + "/results.csv"), read_file(whole() + "/results.csv"));
  // Nor are those of a run that went on by itself.
  ASSERT_EQ(run_program({"train", "--resume", copy + "/runs/none-seed42", "--epochs", "3"}).code, 0);
  const Finished on = run_program({"compare", "--resume", copy});
  EXPECT_NE(on.err.find("none-seed42: holds a run with another recipe (epochs 3 -> 2)"), std::string::npos) << on.err;
}

// A page that is stopped leaves what was there.
TEST(CompareFolder, APageCanBeStopped) {
  const TemporaryFolder folder;
  std::filesystem::copy(whole(), folder / "c", std::filesystem::copy_options::recursive);
  write_file(folder / "c/report.html", "before");
  const ComparisonFolder comparison(folder / "c", comparison_in(folder / "c"));
  std::vector<long> told;
  EXPECT_FALSE(write_report(comparison, {.progress =
                                             [&](long done, long total) {
                                               told = {done, total};
                                             },
                                         .stop = [&] { return !told.empty(); }}));
  EXPECT_EQ(told, (std::vector<long>{0, 2}));
  EXPECT_EQ(read_file(folder / "c/report.html"), "before");
  EXPECT_TRUE(write_report(comparison));
  EXPECT_NE(read_file(folder / "c/report.html").find("Where the models look"), std::string::npos);
}

TEST(CompareFolder, NothingBeginsThatCannotEnd) {
  const TemporaryFolder folder;
  const auto refused = [&](const Words& more, const std::string& why) {
    const Finished end = run_program(comparison(folder / "none", more));
    EXPECT_EQ(end.code, 2);
    EXPECT_NE(end.err.find(why), std::string::npos) << end.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "none"));
  };
  refused({"--metrics", "tuned", "--holdout", "0"},
          "--metrics tuned: wanted training images that are held out to tune with (--holdout), got none");
  refused({"--positions", "lh45,lh45:batch-size=64"},
          "lh45:batch-size=64: wanted updates of at most the 58 training images, got 64");
  refused({"--positions", "lh45:data=fashion"}, "--data is the same for all variants");
  refused({"--positions", "lh45:holdout=0"}, "--holdout is the same for all variants");
  refused({"--positions", "lh45:layer-slopes=" + std::string(200, '1')}, "--positions: wanted at most 200 bytes");
  refused({"--sizes", "32,16"}, "the smallest first, got 32,16");
  const Finished missing = run_program(comparison(folder / "none", {"--positions", "lh45:initial-checkpoint=gone"}));
  EXPECT_EQ(missing.code, 5);
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
  const Finished untuned = run_program(
      comparison(folder / "untuned", {"--holdout", "0", "--seeds", "1", "--epochs", "1", "--positions", "lh90"}));
  EXPECT_NE(untuned.err.find("note: nothing is tuned, for no images are held out (--holdout)"), std::string::npos);
}

// Variants may have their own size of images; those that go on from a file are called after it.
TEST(CompareFolder, EveryVariantHasItsOwnSide) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(comparison(folder / "c", {"--seeds", "1", "--epochs", "1", "--positions",
                                                  "none,none:img-size=32", "--initial-checkpoint",
                                                  whole() + "/runs/none-seed42/best.safetensors", "--model", ""}))
                .code,
            0);
  const std::string html = read_file(folder / "c/report.html");
  EXPECT_NE(html.find("2 variants of best.safetensors, one seed each"), std::string::npos);
  EXPECT_EQ(html.find("<td>–</td>"), std::string::npos);
  std::size_t columns = 0;
  for (std::size_t at = 0; (at = html.find("FGSM 1/255, top1</th>", at)) != std::string::npos; ++at) ++columns;
  EXPECT_EQ(columns, 1U);
}

}  // namespace
}  // namespace lookhere
