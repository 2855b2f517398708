// A comparison's parts by themselves: variants, its file, the numbers of a run, means over seeds, the paper's rows.
#include "vit/compare/comparison.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/testing.h"
#include "vit/compare/measurements.h"
#include "vit/compare/paper.h"
#include "vit/compare/results.h"
#include "vit/compare/tune.h"
#include "vit/data/sources.h"
#include "vit/data/subset.h"
#include "vit/model/position/lookhere.h"

namespace lookhere {
namespace {

using ::testing::ElementsAre;

// Ten images of one pixel, each of its own class, pixel and label.
Dataset ten_pixels() {
  Dataset data;
  data.name = "d", data.classes = 10;
  std::vector<std::uint8_t> pixels;
  for (std::uint8_t i = 0; i < 10; ++i)
    pixels.push_back(i), data.labels.push_back(i), data.class_names.emplace_back("c");
  data.mean = {0}, data.std = {1};
  data.set_images(pixels, 1, 1, 1);
  return data;
}

TEST(Comparison, AVariantIsAPositionWithOptions) {
  Recipe recipe;
  recipe.lr = 1e-3;
  EXPECT_EQ(variant_of(recipe, "lh45").position, "lh45");
  const Recipe changed = variant_of(recipe, "lh90:global-slope=0.5:lr=2e-3:bce-loss=true:head=mlp");
  EXPECT_EQ(changed.position, "lh90");
  EXPECT_EQ(changed.lr, 2e-3);
  EXPECT_TRUE(changed.bce_loss);
  EXPECT_EQ(changed.head, "mlp");
  EXPECT_EQ(std::get<double>(Recipe(changed).position_options["global-slope"]), 0.5);
  EXPECT_EQ(variant_of(recipe, "lh45").lr, 1e-3);
  // Lists by spaces.
  const Recipe lists = variant_of(recipe, "lh90:layer-slopes=0.5 1.5:scale=0.25 1:directions=halves-none");
  EXPECT_EQ(lists.scale, (std::vector<double>{0.25, 1}));
  LookHereConfig wanted = lookhere_preset("lh90");
  wanted.directions = {"halves-none"}, wanted.layer_slopes = {0.5, 1.5};
  EXPECT_TRUE(position_preset(lists.position, lists.position_options) == lookhere_position(wanted));
}

TEST(Comparison, ARecipesVariantHasItsName) {
  for (const char* name : {"lh45", "lh90:distance=square", "lh90:layer-slopes=0.5 1.5", "lh90:global-slope=0.25",
                           "lh45:directions=eighths1-eighths2-zero", "lh90:learned-slopes=layer"})
    EXPECT_EQ(variant_name(variant_of({}, name)), name);
  Recipe none;
  none.position = "";
  EXPECT_EQ(variant_name(none), "");
}

TEST(Comparison, RefusesWhatIsNoVariant) {
  const Recipe recipe;
  EXPECT_ERROR(variant_of(recipe, "lh91"), "variant \"lh91\": recipe: position: wanted one of");
  EXPECT_ERROR(variant_of(recipe, ""), "variant \"\": recipe: position: wanted one of");
  EXPECT_ERROR(variant_of(recipe, "lh90:lr"), "wanted OPTION=VALUE, got \"lr\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:"), "wanted OPTION=VALUE, got \"\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:lrr=1"), "there is no option \"lrr\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:seed=1"), "there is no option \"seed\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:position=lh45"), "there is no option \"position\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:lr=fast"),
               "variant \"lh90:lr=fast\": recipe: 'lr': wanted a number, got \"fast\"");
  EXPECT_ERROR(variant_of(recipe, "lh90:shapes-test=9"), "--shapes-test is the same for all variants");
  EXPECT_ERROR(variant_of(recipe, "lh90:lr=-1"), "--lr: wanted 0 to 1000, got -1");
  EXPECT_ERROR(variant_of(recipe, "lh90:epochs=1.5"), "'epochs' must be a whole number");
  EXPECT_ERROR(variant_of(recipe, "learned:global-slope=2"), "--global-slope belongs to --position");
  const auto validated = [](Comparison c) { c.validate(); };
  EXPECT_ERROR(validated({}), "--positions: wanted at least one");
  EXPECT_ERROR(validated({.recipe = {}, .variants = {"lh90", "lh90"}, .sizes = {}}), "\"lh90\" is there twice");
  EXPECT_ERROR(validated({.recipe = {}, .variants = {"lh90:class-map=a/b"}, .sizes = {}}), "a name without /");
  EXPECT_ERROR(validated({.recipe = {}, .variants = {"lh90"}, .seeds = 0, .sizes = {}}), "--seeds: wanted 1 to 1000");
  EXPECT_ERROR(validated({.recipe = {}, .variants = {"lh90"}, .sizes = {56, 28}}), "the smallest first");
  EXPECT_ERROR(validated({.recipe = {}, .variants = {"lh90"}, .sizes = {28}, .epsilon = {256}}), "--epsilon: wanted 0");
}

TEST(Comparison, EveryPositionIsThereOnce) {
  const std::vector<std::string> all = all_positions();
  EXPECT_THAT(all, ::testing::IsSupersetOf({"lh180", "lh90", "lh45", "learned", "none", "sincos", "rope", "alibi"}));
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(position_preset(all[i]) == position_preset(all[j])) << all[i];
  for (const PositionType& type : position_types())
    for (const std::string& name : type.names)
      EXPECT_TRUE(std::ranges::any_of(all, [&](const auto& each) {
        return position_preset(each) == position_preset(name);
      })) << name;
}

TEST(Comparison, RunsAreVariantsTimesSeeds) {
  Comparison c;
  c.recipe.seed = 7, c.variants = {"lh90:lr=0.001", "none"}, c.seeds = 2;
  const std::vector<ComparedRun> runs = runs_of(c);
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[1].folder, "runs/lh90:lr=0.001-seed8");
  EXPECT_EQ(runs[1].recipe.seed, 8);
  EXPECT_EQ(runs[2].variant, "none");
}

TEST(Comparison, UsualSizesAreMultiplesOfThePatch) {
  EXPECT_THAT(usual_sizes(28, 4), ElementsAre(28, 44, 56, 84, 112));
  EXPECT_THAT(usual_sizes(224, 16), ElementsAre(224, 336, 448, 672, 896));
  EXPECT_THAT(usual_sizes(16, 16), ElementsAre(16, 32, 48, 64));
}

TEST(Comparison, ItsFileHoldsAllOfIt) {
  Comparison c;
  c.recipe.lr = 3e-3, c.recipe.scale = {0.15, 1};
  c.variants = {"lh90", "none"}, c.seeds = 5, c.sizes = {28, 56}, c.test_images = 100, c.epsilon = {0.5},
  c.metrics = {"accuracy", "fgsm"};
  const Comparison again = comparison_from_json(to_json(c), "f");
  EXPECT_EQ(to_json(again), to_json(c));
  EXPECT_EQ(again.recipe.scale, c.recipe.scale);
  const std::string text = to_json(c);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  for (const std::string& broken :
       {std::string(), std::string("[]"), text.substr(0, text.size() / 2), with("\"seeds\": 5", "\"seeds\": 0"),
        with("\"seeds\": 5", "\"seeds\": \"5\""), with("\"lh90\"", "90"), with("\"lh90\"", "\"lh91\""),
        with("\"positions\"", "\"other\""), with("\"test_images\": 100", "\"test_images\": -1"),
        with("\"accuracy\"", "\"colour\""), with("\"lr\": 0.003", "\"lr\": \"fast\""),
        with("\"recipe\": {", "\"recipe\": [], \"r\": {")}) {
    SCOPED_TRACE(broken);
    EXPECT_ERROR(comparison_from_json(broken, "FILE"), "FILE: ");
  }
}

TEST(Measurements, AreKeptAsTheyCome) {
  const TemporaryFolder folder;
  const std::string path = folder / "m.json";
  {
    Measurements m(path, "a");
    EXPECT_FALSE(m.find("top1", 28));
    m.add({{"top1", 28, 100.0 / 3}, {"loss", 28, 1e-300}});
    m.add({{"top1", 56, 12}});
    EXPECT_ERROR(m.add({{"top1", 56, 13}}), "has top1 at 56 px already");
    EXPECT_ERROR(m.add({{"top1", 84, NAN}}), "top1 at 84 px is not finite");
  }
  const Measurements m(path, "a");
  EXPECT_EQ(m.find("top1", 28), 100.0 / 3);
  EXPECT_EQ(m.find("loss", 28), 1e-300);
  EXPECT_EQ(m.find("top1", 56), 12);
  EXPECT_EQ(m.all().size(), 3U);
  EXPECT_ERROR(Measurements(path, "b"), "wanted numbers of \"b\", got those of \"a\": remove it");
  for (const char* broken :
       {"", "{}", "[]", R"({"made_with": "a", "values": [["top1", 28]]})",
        R"({"made_with": "a", "values": [["top1", "28", 1]]})",
        R"({"made_with": "a", "values": [["t", 1, 1], ["t", 1, 1]]})",
        R"({"made_with": "a", "values": [["t", 1, 1, 1]]})", R"({"made_with": 1, "values": []})"}) {
    write_file(path, broken);
    SCOPED_TRACE(broken);
    EXPECT_ERROR(Measurements(path, "a"), path);
  }
}

TEST(Results, AreALinePerNumber) {
  const std::vector<RunResult> results{{"lh90", 1, {{"top5", 28, 99}, {"top1", 56, 50}, {"top1", 28, 80.123456789}}},
                                       {"lh90:directions=a,b", 2, {{"ece", 28, 1.5}}},
                                       {"none", 1, {}}};
  EXPECT_EQ(to_csv(results),
            "position,seed,metric,size,value\nlh90,1,top1,28,80.1235\nlh90,1,top1,56,50\nlh90,1,top5,28,99\n"
            "\"lh90:directions=a,b\",2,ece,28,1.5\n");
}

TEST(Results, SpreadIsOverSeeds) {
  const std::vector<RunResult> results{{"a", 1, {{"top1", 28, 70}}},
                                       {"a", 2, {{"top1", 28, 72}}},
                                       {"a", 3, {{"top1", 28, 77}}},
                                       {"b", 1, {{"top1", 28, 5}}}};
  const auto spread = spread_of(results, "a", "top1", 28);
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->count, 3);
  EXPECT_DOUBLE_EQ(spread->mean, 73);
  EXPECT_DOUBLE_EQ(spread->deviation, std::sqrt(13.0));  // (9 + 1 + 16) / 2
  EXPECT_EQ(spread_of(results, "b", "top1", 28)->deviation, 0);
  EXPECT_FALSE(spread_of(results, "a", "top1", 56));
  const Comparison c{.recipe = {}, .variants = {"a", "b"}, .sizes = {28, 56}};
  EXPECT_EQ(accuracy_table(c, results, true),
            "top-1 %          28 px         56 px\n"
            "a            73.0±3.6*            -\n"
            "b                 5.0             -\n");
  EXPECT_NE(accuracy_table(c, results, false).find("73.0+-3.6*"), std::string::npos);
}

// "LH-45 outperforms RoPE by 21.7 and ALiBi by 9.5 points at 1024 px."
TEST(Paper, ItsTextAgreesWithItsTables) {
  const PaperRow &lh45 = *paper_row("lh45"), &rope = *paper_row("rope"), &alibi = *paper_row("alibi");
  EXPECT_NEAR(lh45.top1[6] - rope.top1[6], 21.74, 1e-9);
  EXPECT_NEAR(lh45.top1[6] - alibi.top1[6], 9.53, 1e-9);
  EXPECT_EQ(paper_row("gpsa"), nullptr);
  for (const PaperRow& row : paper_rows()) EXPECT_NO_THROW(variant_of({}, row.variant)) << row.variant;
}

// Tables 12 and 13: a run each, at 224 and, tuned, at 1024 px.
TEST(Paper, HasItsAblations) {
  const PaperRow* square = paper_row("lh90:distance=square");
  ASSERT_NE(square, nullptr);
  EXPECT_EQ(square->top1.front(), 80.98);
  EXPECT_EQ(square->top1.back(), 65.08);
  EXPECT_EQ(square->hr1024, 74.80);
  EXPECT_TRUE(std::isnan(square->top1[1]) && std::isnan(square->ece) && std::isnan(square->fgsm1_top5));
  EXPECT_EQ(paper_row("lh45")->hr1024, 80.48);
  std::set<std::string> names;
  for (const PaperRow& row : paper_rows()) names.insert(row.variant);
  EXPECT_EQ(names.size(), 29U);  // 10 encodings, 22 runs in the tables of ablations, of which 3 are encodings
  EXPECT_EQ(paper_rows().size(), names.size());
}

TEST(Tune, TakesTheHighestAccuracyAndOfSeveralTheLowestLoss) {
  const std::vector<double> factors{0.25, 0.5, 0.7, 1, 1.4, 2, 4, 12.5};
  const auto tried = [&](std::initializer_list<Accuracy> all) {
    return best_factor(
        factors, [&](double factor) { return all.begin()[std::ranges::find(factors, factor) - factors.begin()]; });
  };
  const Accuracy low{.loss = 1, .top1 = 10}, high{.loss = 2, .top1 = 20}, surer{.loss = 1.5, .top1 = 20};
  EXPECT_EQ(tried({low, high, surer, low, high, surer, low, low}), factors[2]);
  EXPECT_EQ(tried({low, low, low, low, low, low, low, low}), factors[0]);
  EXPECT_EQ(tried({low, {.stopped = true}}), std::nullopt);
}

TEST(Subset, HoldsOutWhatItDoesNotKeep) {
  Dataset data = ten_pixels();
  const auto [kept, held] = hold_out(data, 0.3);
  EXPECT_THAT(held.labels, ElementsAre(0, 3, 6));
  EXPECT_THAT(kept.labels, ElementsAre(1, 2, 4, 5, 7, 8, 9));
  std::vector<std::uint8_t> buffer;
  for (long i = 0; i < kept.size(); ++i) EXPECT_EQ(kept.read(i, buffer).pixels[0], kept.labels[i]);
  EXPECT_EQ(hold_out(data, 0).kept.hash(), data.hash());
  EXPECT_EQ(hold_out(data, 0).held.size(), 0);
  EXPECT_ERROR(hold_out(data, 0.6), "wanted a share from 0 to 0.5");
}

TEST(Subset, IsEvenlySpread) {
  Dataset data = ten_pixels();
  data.masks = [](long i) { return std::vector<std::uint8_t>{static_cast<std::uint8_t>(i)}; };
  const std::string hash = data.hash();
  const Dataset some = subset(data, 4);
  EXPECT_THAT(some.labels, ElementsAre(0, 2, 5, 7));
  std::vector<std::uint8_t> buffer;
  for (long i = 0; i < 4; ++i) {
    EXPECT_EQ(some.read(i, buffer).pixels[0], some.labels[i]);
    EXPECT_EQ(some.masks(i)[0], some.labels[i]);
    EXPECT_EQ(some.images->name(i), data.images->name(some.labels[i]));
  }
  EXPECT_NE(some.hash(), hash);
  EXPECT_EQ(subset(data, 0).size(), 10);
  EXPECT_EQ(subset(data, 11).hash(), hash);
  EXPECT_ERROR(subset(data, -1), "wanted a count from 0");
}

// Classes that take turns, as drawn sets have them, must not fall in step with the choice.
TEST(Subset, HasItsShareOfEveryClass) {
  const Dataset data = load_dataset("glyphs", false, {.glyphs_size = 8, .glyphs_test = 460});
  const auto fewest_and_most = [&](const Dataset& some) {
    std::vector<long> of_class(data.classes, 0);
    for (const std::int32_t label : some.labels) ++of_class[label];
    const auto [fewest, most] = std::ranges::minmax(of_class);
    return std::pair(fewest, most);
  };
  for (const long count : {46, 92, 200, 230, 400}) {
    SCOPED_TRACE(count);
    EXPECT_EQ(fewest_and_most(subset(data, count)), std::pair(count / 46, (count + 45) / 46));
    EXPECT_EQ(fewest_and_most(hold_out(data, static_cast<double>(count) / 920).held),
              std::pair(count / 92, (count / 2 + 45) / 46));
  }
}

}  // namespace
}  // namespace lookhere
