// An option given twice: the last one counts, for numbers, text, flags and lists, and for the files that train reads.
#include "tensor/text.h"
#include "tests/vit/tiny_run.h"
#include "vit/cli/command_line.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
  long loads = 0;
  std::string resume, config;
  Recipe* recipe = nullptr;  // of the command, lives as long as `command`
  std::function<void()> command;
};
Parsed parse(const Words& words) {
  Parsed parsed;
  std::vector<const char*> pointers{"lookhere"};
  for (const std::string& word : words) pointers.push_back(word.c_str());
  const auto load = [&](RecipeCommand& train, const RecipeCommand& said) {
    ++parsed.loads, parsed.resume = said.resume, parsed.config = said.config, parsed.recipe = &train.recipe;
  };
  parsed.command = parse_command_line(static_cast<int>(pointers.size()), pointers.data(), load);
  return parsed;
}

TEST(CliRepeated, TakenByEveryCommand) {
  for (const Words& words : std::vector<Words>{
           {"train", "--dim", "3", "--dim=4", "--data", "a", "--data", "b", "-j1", "--workers", "2", "-j", "3"},
           {"train", "--bce-loss", "--bce-loss", "--no-bce-loss", "--lr", "1", "--lr", "2", "--output", "a",
            "--output=b"},
           {"train", "--layer-slopes", "1", "2", "--layer-slopes", "3", "4", "--directions", "a", "--directions", "b",
            "c"},
           {"eval", "--model", "a", "--model", "b", "--json", "--json", "-b1", "-b2", "--data", "a", "--data", "b"},
           {"predict", "--model", "a", "--model", "b", "--top-k", "1", "--top-k", "2", "image"},
           {"gallery", "--model", "a", "--model", "b", "--count", "1", "--count", "2"},
           {"forward", "--model", "a", "--images", "b", "--output", "c", "--images", "d", "--output", "e"},
           {"gradients", "--model", "a", "--images", "b", "--labels", "c", "--output", "d", "--labels", "e"},
           {"masks", "--grid", "1x1", "--grid", "2x2", "--layer", "0", "--layer", "all"},
           {"bench", "step", "--steps", "1", "--steps", "2", "--json", "a", "--json", "b"}})
    EXPECT_TRUE(parse(words).command);
}

TEST(CliRepeated, TheLastOneCounts) {
  const Parsed parsed = parse({"train",
                               "--dim",
                               "3",
                               "--layer-slopes",
                               "1",
                               "2",
                               "--dim=4",
                               "--directions",
                               "a",
                               "-j",
                               "1",
                               "-b",
                               "8",
                               "--bce-loss",
                               "--layer-slopes",
                               "3",
                               "4",
                               "--workers=2",
                               "-j",
                               "7",
                               "--data",
                               "x",
                               "--lr",
                               "1",
                               "--directions",
                               "b",
                               "c",
                               "--no-bce-loss",
                               "--lr",
                               "0.5",
                               "--data",
                               "y",
                               "--batch-size",
                               "16"});
  ASSERT_TRUE(parsed.recipe);
  EXPECT_EQ(parsed.recipe->dim, 4);
  EXPECT_EQ(parsed.recipe->position_options["layer-slopes"], PositionValue(std::vector<double>{3, 4}));
  EXPECT_EQ(parsed.recipe->position_options["directions"], PositionValue(Words{"b", "c"}));
  EXPECT_EQ(parsed.recipe->workers, 7);
  EXPECT_EQ(parsed.recipe->batch_size, 16);
  EXPECT_EQ(parsed.recipe->lr, 0.5);
  EXPECT_EQ(parsed.recipe->data, "y");
  EXPECT_FALSE(parsed.recipe->bce_loss);
}

TEST(CliRepeated, TheFilesOfARecipe) {
  struct Case {
    Words words;
    const char *resume, *config;
  };
  for (const Case& c : std::vector<Case>{{{}, "", ""},
                                         {{"-c", "a"}, "", "a"},
                                         {{"-ca", "--config", "b"}, "", "b"},
                                         {{"--config=a", "-c", "b"}, "", "b"},
                                         {{"-c", "a", "--resume", "r", "--config=b", "--resume=s"}, "s", "b"},
                                         {{"--output", "-c", "--seed", "1"}, "", ""},  // a folder called -c
                                         {{"--data", "--resume", "-c", "x"}, "", "x"},
                                         {{"--output=-cx", "-c", "--resume"}, "", "--resume"}}) {
    Words words{"train"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    const Parsed parsed = parse(words);
    EXPECT_EQ(parsed.resume, c.resume);
    EXPECT_EQ(parsed.config, c.config);
    EXPECT_EQ(parsed.loads, 1);
  }
  EXPECT_EQ(parse({"info", "train"}).loads, 0) << "only commands with a recipe read files while they parse";
  const Parsed sheet = parse({"augment", "photos", "--recipe", "deit", "-c", "x", "--seed", "3"});
  EXPECT_EQ(sheet.loads, 1);
  EXPECT_EQ(sheet.config, "x");
  EXPECT_EQ(sheet.recipe->seed, 3);
}

// A message is one line before anybody makes it one.
TEST(CliWords, ErrorsShowNoControlCharacters) {
  const std::string odd = "a\nb\x7f\xb4";
  for (const Words& words : std::vector<Words>{{odd},
                                               {"train", odd},
                                               {"train", "--" + odd},
                                               {"train", "--dim", odd},
                                               {"train", "--lr=" + odd},
                                               {"train", "--bce-loss=" + odd},
                                               {"train", "--no-" + odd + "=" + std::string(20, '1')},
                                               {"train", "--no-bce-loss=" + std::string(20, '\n')},
                                               {"train", odd + "[[[[[[[[["},
                                               {"info", "a", odd}}) {
    try {
      parse(words);
      ADD_FAILURE() << "no error for " << words.back();
    } catch (const Error& error) {
      EXPECT_EQ(printable(error.what()), error.what());
    }
  }
}

}  // namespace
}  // namespace lookhere
