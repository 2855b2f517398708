// What the README shows works as written: each line of its sh blocks is run, or, for make, exists; its C++ is compiled
// here and trains; its picture is what the command beside it draws. What another page shows of training works in small.
#include <regex>

#include "nn/optim.h"
#include "tests/mpirun.h"
#include "tests/pages.h"
#include "tests/vit/photo_folder.h"
#include "tests/vit/show_pictures.h"
#include "vit/data/loader.h"
#include "vit/data/sources.h"
#include "vit/model/vit.h"

namespace lookhere {
namespace {

// "build/...", "photos" and "runs/..." of commands resolve there.
void furnish(const TemporaryFolder& folder) {
  std::filesystem::create_directory_symlink(built(""), folder.path() / "build");
  std::filesystem::rename(make_photos(folder, 40), folder.path() / "all");
  std::filesystem::rename(folder.path() / "all/train", folder.path() / "photos");
}

TEST(Readme, ProgramCommandsWorkAsWritten) {
  if (!std::filesystem::exists(built("lookhere"))) GTEST_SKIP() << "lookhere is not built";
  const TemporaryFolder folder;
  furnish(folder);
  std::filesystem::copy(folder.path() / "photos/down/0.png", folder.path() / "holiday.png");
  int run = 0;
  for (const std::string& command : commands_of("README.md")) {
    if (!command.starts_with("build/")) continue;
    const Finished end = in_shell(command, folder.path().string());
    EXPECT_EQ(end.code, 0) << command << "\n" << end.err;
    ++run;
  }
  EXPECT_GE(run, 10);
}

// A command for large machines as this one can run it: the same options, with small numbers.
std::string in_small(std::string command) {
  const auto replace = [&](const char* what, const char* by) {
    command = std::regex_replace(command, std::regex(what), by);
  };
  replace("^lookhere ", "build/lookhere ");
  if (command.find("--device cuda") != command.npos) replace("build/", "build/emulated/");
  replace("/shared/", "");
  replace("mpirun -n ([5-9]|[0-9]{2,})", "mpirun -n 2"), replace("--map-by [^ ]+ ", ""),
      replace("(NUM_THREADS)=[0-9]+", "$1=1");
  replace("vit_(base|small)", "vit_tiny"), replace("--img-size [0-9]+ ", "");
  replace("-b [0-9]+", "-b 8"), replace("--shards [0-9]+", "--shards 4"), replace("--images [0-9]+", "--images 100");
  if (command.find("--resume") == command.npos) command += " --img-size 32 --dim 12 --depth 1";
  return command + (command.find(" train ") == command.npos ? "" : " --max-steps 1");
}

TEST(Readme, CommandsOfTheTrainingPageWorkInSmall) {
  SKIP_WITHOUT_MPI();
  const TemporaryFolder folder;
  furnish(folder);
  const std::regex to_folder("--output ([^ ]+)");
  int run = 0, by_mpi = 0, on_gpus = 0;
  for (const std::string& shown : commands_of("vit/train/README.md")) {
    const std::string command = in_small(shown);
    if (!command.starts_with("build/") && !command.starts_with("mpirun ")) continue;
    std::smatch output;  // another way to the same run may have been shown before
    if (std::regex_search(command, output, to_folder)) std::filesystem::remove_all(folder / output[1].str());
    const Finished end = in_shell(command, folder.path().string(), kMpiEnvironment);
    EXPECT_EQ(end.code, 0) << shown << "\n" << command << "\n" << end.err;
    ++run, by_mpi += command.starts_with("mpirun "), on_gpus += command.find("--device cuda") != command.npos;
  }
  EXPECT_GE(run, 7);
  EXPECT_GE(by_mpi, 3);
  EXPECT_GE(on_gpus, 2);
}

// Also those of CONTRIBUTING.md.
TEST(Readme, MakeTargetsExist) {
  std::vector<std::string> commands = commands_of("README.md");
  for (const std::string& command : commands_of("CONTRIBUTING.md")) commands.push_back(command);
  int targets = 0;
  for (const std::string& command : commands) {
    const std::size_t make = command.starts_with("make") ? 0 : command.find("&& make");
    if (make == std::string::npos) continue;
    const std::string line = command.substr(make ? make + 3 : 0);
    const Finished end = in_shell(line + " -n");
    EXPECT_EQ(end.code, 0) << line << "\n" << end.err;
    ++targets;
  }
  EXPECT_GE(targets, 16);
}

double loss_of(ViT model, const Dataset& data) {
  const NoGrad evaluation;
  Loader loader(data, {.batch_size = data.size()});
  loader.start(0);
  Batch batch;
  loader.next(batch);
  return softmax_cross_entropy(model(Var(batch.images)), batch.labels).value().item();
}

TEST(Readme, TheCodeTrains) {
  // begin
  const Dataset shapes = load_dataset("shapes", true, {.shapes_size = 16, .shapes_train = 1024});
  ViTConfig config = model_preset("nano");
  config.height = config.width = 16, config.channels = 3, config.classes = 8, config.position = position_preset("lh45");
  ViT model(config, 1);
  AdamW optimizer(parameters_of(model), {});
  Loader loader(shapes, {.batch_size = 32, .shuffle = true});
  loader.start(0);
  for (Batch batch; loader.next(batch); optimizer.step(1e-3))
    softmax_cross_entropy(model(Var(batch.images)), batch.labels).backward();
  // end
  EXPECT_LT(loss_of(model, shapes), loss_of(ViT(model.config(), 1), shapes));
  const std::string own = read_file("tests/readme_test.cpp");
  const std::size_t begin = own.find("  // begin\n") + 11;
  std::string shown;
  for (const std::string& line : code_lines("README.md", "cpp")) shown += "  " + line + "\n";
  EXPECT_EQ(shown, own.substr(begin, own.find("  // end\n") - begin));
}

TEST(Readme, ThePictureIsWhatTheCommandDraws) {
  if (!std::filesystem::exists(built("lookhere"))) GTEST_SKIP() << "lookhere is not built";
  const std::string page = read_file("vit/README.md"), picture = "vit/show/masks.svg";
  std::smatch command;
  ASSERT_TRUE(std::regex_search(page, command, std::regex("`build/(lookhere masks [^`]*--output )" + picture + "`")));
  const TemporaryFolder folder;
  EXPECT_EQ(in_shell(built(command[1]) + folder / "masks.svg").code, 0);
  const std::string want = read_file(folder / "masks.svg"), got = read_file(picture);
  EXPECT_EQ(texts(got), texts(want));
  const std::vector<Pixels> panels = images(want), shown = images(got);  // zlib may pack them otherwise
  ASSERT_EQ(panels.size(), 6U);
  ASSERT_EQ(shown.size(), panels.size());
  for (std::size_t i = 0; i < panels.size(); ++i) EXPECT_EQ(shown[i].rgb, panels[i].rgb) << i;
  EXPECT_NE(read_file("README.md").find("](" + picture + ")"), std::string::npos);
}

TEST(Readme, IsShort) {
  const std::string text = read_file("README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 160);
  EXPECT_EQ(text.find('@'), std::string::npos) << "a figure is still missing";
}

}  // namespace
}  // namespace lookhere
