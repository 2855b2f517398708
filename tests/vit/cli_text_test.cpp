// Text from files and paths on its way to the terminal: no escape sequence, no line of its own, no exception.
#include <nlohmann/json.hpp>

#include "tests/vit/data_files.h"
#include "tests/vit/mistakes.h"
#include "vit/model/preprocessing.h"
#include "vit/show/console.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

const std::string kEvil =
    "\033[2J\r\n\x07\xc2\x9b"
    "1m\xff";  // clear the screen, a new line, a bell, a colour, no UTF-8

// Lines, of valid UTF-8 without controls.
void expect_harmless(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(line, one_line(line));
}

TEST(CliText, ConsoleShowsPartsInOneLine) {
  EXPECT_EQ(formatted("{}|{:>4}|{}\n", shown_part(kEvil), shown_part("a\nb"), shown_part(7)),
            one_line(kEvil) + "| a b|7\n");
  const char* pointer = "\x1b";
  EXPECT_EQ(shown_part(pointer), " ");
  EXPECT_EQ(shown_part(std::string_view("\x7f")), " ");
}

TEST(CliText, NothingFromAFileMovesTheCursor) {
  const TemporaryFolder folder;
  ViT model = tiny_model();
  const std::string utf8 = kEvil.substr(0, kEvil.size() - 1);  // a file's names are UTF-8, its JSON may hold escapes
  std::vector<std::string> names(8, utf8);
  Metadata metadata = class_names_metadata(names);
  metadata["preprocessing"] = to_json(Preprocessing{.mean = {0, 0, 0}, .std = {1, 1, 1}});
  metadata["key " + utf8] = utf8;
  NamedTensors tensors = weights_of(model);
  Metadata all = metadata_of(model);
  all.insert(metadata.begin(), metadata.end());
  tensors.emplace_back("optimizer." + utf8, zeros({1}));
  const std::string path = folder / ("model" + kEvil);
  save_safetensors(path, tensors, all);

  const Finished about = run_program({"info", path});
  EXPECT_EQ(about.code, 0) << about.err;
  expect_harmless(about.out);
  EXPECT_NE(about.out.find("metadata  key  [2J"), std::string::npos) << about.out;
  EXPECT_NE(about.out.find("tensor    optimizer. [2J"), std::string::npos) << about.out;
  EXPECT_NE(about.out.find("images    normalised with mean 0, 0, 0 and std 1, 1, 1\n"), std::string::npos) << about.out;

  const Finished guess = run_program({"predict", "--model", path, "shapes:0"});
  EXPECT_EQ(guess.code, 0) << guess.err;
  expect_harmless(guess.out);
  EXPECT_EQ(std::ranges::count(guess.out, '\n'), 6) << guess.out;  // five classes and the answer

  const Finished drawn = run_program(
      {"gallery", "--model", path, "--data", "shapes", "--count", "1", "--output", folder / ("picture" + kEvil)});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  expect_harmless(drawn.out + drawn.err);
  expect_harmless(read_file(folder / ("picture" + kEvil)));
  const Finished masks = run_program({"masks", "--model", path, "--output", folder / ("masks" + kEvil)});
  EXPECT_EQ(masks.code, 0) << masks.err;
  EXPECT_EQ(std::ranges::count(masks.out, '\n'), 1);
  expect_harmless(masks.out);
  for (const Words& flags : {Words{}, Words{"--json"}}) {
    const Finished judged = run_program(Words{"eval", "--model", path, "--data", "shapes"} + flags);
    EXPECT_EQ(judged.code, 0) << judged.err;
    expect_harmless(judged.out + judged.err);
    EXPECT_TRUE(flags.empty() || nlohmann::json::parse(judged.out)["images"] == 2048);
  }
}

TEST(CliText, NorDoesAPath) {
  const TemporaryFolder folder;
  const std::string data = folder / ("data" + kEvil), run = folder / ("run" + kEvil);
  write_idx_folder(data, 40);
  write_idx_folder(folder / "plain", 40);
  Words training = tiny_training(run, "1");
  training[2] = folder / "plain";
  const Finished trained = run_program(training);
  EXPECT_EQ(trained.code, 0) << trained.err;
  expect_harmless(trained.out + trained.err);
  EXPECT_EQ(std::ranges::count(trained.out, '\n'), 3);
  for (const Words& command : {Words{"eval", "--data", data, "--json"}, {"predict", data + ":0"}}) {
    const Finished end = run_program(command + Words{"--model", run + "/best.safetensors"});
    EXPECT_EQ(end.code, 0) << end.err;
    expect_harmless(end.out + end.err);
  }
  // A run keeps the name of its data, so it must be text; said before any work is done.
  training[2] = data;
  const Finished refused = run_program(training);
  EXPECT_EQ(refused.code, kInput);
  EXPECT_NE(refused.err.find("lookhere: --data: wanted UTF-8 text, got "), std::string::npos) << refused.err;
  expect_harmless(refused.err);
  for (const char* command : {"info", "masks"}) {
    const Finished none = run_program({command, command == std::string("info") ? "x" : "--model", folder / kEvil});
    expect_harmless(none.err);
  }
}

}  // namespace
}  // namespace lookhere
