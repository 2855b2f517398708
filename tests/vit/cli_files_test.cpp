// What a command reads it does not overwrite, and what options leave nothing to say for is refused beside them.
#include "tests/vit/mistakes.h"
#include "tests/vit/photo_folder.h"
#include "vit/cli/command_line.h"
#include "vit/cli/commands.h"
#include "vit/cli/named_files.h"
#include "vit/cli/nearest.h"

namespace lookhere {
namespace {

using File = Options::File;

// A command's options as it says them.
class Said : public Options {
 public:
  void add(const Option& o, long&) override { all.push_back(o); }
  void add(const Option& o, double&) override { all.push_back(o); }
  void add(const Option& o, std::string&) override { all.push_back(o); }
  void add(const Option& o, std::vector<double>&) override { all.push_back(o); }
  void add(const Option& o, std::vector<std::string>&) override { all.push_back(o); }
  void add(const Option& o, bool&) override { all.push_back(o); }
  std::vector<Option> all;
};
using Option = Options::Option;

Words with_value(const Option& o, const std::string& value) {
  return o.names.starts_with("-") ? Words{o.names.substr(o.names.find("--")) + "=" + value} : Words{value};
}

// What is said of the command with these values and whatever else it requires; nothing is run or opened.
std::string refusal(const std::string& command, const std::vector<Option>& options,
                    const std::vector<std::pair<std::string, std::string>>& values) {
  Words words{"lookhere", command};
  for (const Option& o : options) {
    const auto given = std::ranges::find(values, o.names, &std::pair<std::string, std::string>::first);
    if (given != values.end() || o.required) words = words + with_value(o, given != values.end() ? given->second : "x");
  }
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  try {
    parse_command_line(static_cast<int>(pointers.size()), pointers.data(), [](RecipeCommand&, const RecipeCommand&) {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Over every option of every command that names a file.
TEST(CliFiles, WhatIsReadIsNotOverwritten) {
  const TemporaryFolder folder;
  const std::string file = folder / "file", link = folder / "link", run = folder / "run";
  write_file(file, "precious");
  std::filesystem::create_symlink("file", link);
  std::filesystem::create_directory(run);
  write_file(run + "/best.safetensors", "");
  long pairs = 0, models = 0, paths = 0;
  for (const auto& command : all_commands()) {
    const std::string name = command->page().name;
    Said said;
    command->add_options(said);
    for (const Option& o : said.all) {
      EXPECT_EQ(o.file == File::written, o.names == "--output" || o.names == "--npy" || o.names == "--curve" ||
                                             o.names == "--reliability" || o.names == "--dump-dir" ||
                                             (name == "bench" && o.names == "--json"))
          << name << " " << o.names;
      if (o.file == File::none) continue;
      ++paths;
      EXPECT_NE(refusal(name, said.all, {{o.names, "~/x"}}).find(" ~/x: the shell has not expanded ~: write "),
                std::string::npos)
          << name << " " << o.names;
      if (o.file == File::model && ++models) {
        EXPECT_NE(refusal(name, said.all, {{o.names, run}}).find("its best model is " + run + "/best.safetensors"),
                  std::string::npos)
            << name << " " << o.names;
      }
      for (const Option& other : said.all) {
        if (o.file != File::written || other.file == File::none || other.file == File::written) continue;
        ++pairs;
        const std::string why = refusal(name, said.all, {{o.names, file}, {other.names, link}});
        EXPECT_NE(why.find(o.names + " " + file + ": would overwrite "), std::string::npos)
            << name << " " << other.names << why;
        EXPECT_TRUE(why.ends_with(" " + link + ", which is read")) << why;
        EXPECT_EQ(refusal(name, said.all, {{o.names, folder / "new"}, {other.names, link}}), "") << name;
      }
    }
  }
  EXPECT_GE(pairs, 35);
  EXPECT_GE(models, 11);
  EXPECT_GE(paths, 50);
}

TEST(CliFiles, AnImageOfAFolderThatIsReadIsKept) {
  const TemporaryFolder folder;
  const std::string data = folder / "data", image = data + "/cat/1.PNG", results = data + "/results.csv";
  std::filesystem::create_directories(data + "/cat");
  write_file(image, ""), write_file(results, "");
  std::filesystem::create_symlink(image, folder / "link.png");
  std::filesystem::create_directory_symlink(data, folder / "elsewhere");
  const auto refusal_of = [](const std::string& output, const std::string& read) -> std::string {
    try {
      check_files({{"--output", output, File::written}, {"--data", read, File::read}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const std::string& read : {data, folder / "elsewhere", data + "/cat"})
    for (const std::string& output : {image, folder / "link.png", folder / "elsewhere/cat/../cat/1.PNG"})
      EXPECT_EQ(refusal_of(output, read),
                "--output " + output + ": would overwrite an image of --data " + read + ", which is read");
  EXPECT_EQ(refusal_of(data + "/cat/2.png", data), "");  // a new one
  EXPECT_EQ(refusal_of(results, data), "");
  EXPECT_EQ(refusal_of(image, folder / "other"), "");
}

TEST(CliFiles, AWordIsToldHowItWouldHaveBeenMeant) {
  const TemporaryFolder folder;
  const std::string model = folder / "model";
  write_file(model, read_file(files() + "/model.safetensors"));
  const std::string before = read_file(model);
  expect_refusal({{"predict", "--model", model, "@one.npy", "--output", model},
                  kInput,
                  "--output " + model + ": would overwrite --model " + model + ", which is read"});
  EXPECT_TRUE(read_file(model) == before);
  expect_refusal({{"masks", "--output=~/x"}, kInput, "write --output ~/x with a blank"});
  expect_refusal({{"info", "~/x"}, kInput, "file ~/x: the shell has not expanded ~: write it without quotes"});
  const std::vector<std::string> names{"--epochs", "--lr", "--aa", "--img-size", "--img-sizes"};
  for (const auto& [word, want] : std::vector<std::pair<std::string, std::string>>{{"--epoch", "--epochs"},
                                                                                   {"--epcohs", "--epochs"},
                                                                                   {"--img", "--img-size"},
                                                                                   {"--colour", ""},
                                                                                   {"", ""},
                                                                                   {std::string(100000, '-'), ""}})
    EXPECT_EQ(nearest_name(word, names), want) << word;
}

TEST(CliFiles, WhatWouldBeIgnoredIsRefused) {
  for (const Words& more :
       {Words{"--position", "lh180"}, {"--global-slope=1"}, {"--heads", "12"}, {"--layer-slopes", "1"}})
    expect_refusal({Words{"masks", "--output", "%m.svg", "--model", "@model.safetensors"} + more, kInput,
                    more[0].substr(0, more[0].find('=')) + ": goes not with --model"});
  expect_refusal({{"gallery", "--model", "@model.safetensors", "@one.npy", "--data", "fashion", "--output", "%g.svg"},
                  kInput,
                  "--data: goes not with pictures"});
}

// A run's folder among those of classes would be one of them from then on.
TEST(CliFiles, ARunIsNoClass) {
  const TemporaryFolder folder;
  const std::string photos = make_photos(folder), classes = photos + "/train";
  const Words model{"--img-size", "16", "--patch-size", "4", "--dim", "16", "--depth", "1", "--heads", "4", "-b", "4"};
  for (const char* command : {"train", "compare"}) {
    expect_refusal(
        {Words{command, "--data", classes, "--output", classes + "/run"} + model, kInput,
         "lies in the image folder " + classes + ", of which it would become a class: choose another place"});
    expect_refusal({Words{command, "--data", photos, "--output", photos + "/train/across/run"} + model, kInput,
                    "lies in the image folder "});
  }
  expect_refusal({Words{"train", "--data", "."} + model, kInput, "--output runs/"}, {.working_folder = classes});
  EXPECT_FALSE(std::filesystem::exists(classes + "/runs"));
  const Finished beside = run_program(
      Words{"train", "--data", photos, "--epochs", "1", "--max-steps", "1", "--output", photos + "/run"} + model);
  EXPECT_EQ(beside.code, 0) << beside.err;
}

}  // namespace
}  // namespace lookhere
