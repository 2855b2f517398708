// A resumed run that is not as it was: what is carried over, what is said, what is refused.
#include <nlohmann/json.hpp>

#include <sstream>

#include "tests/vit/tiny_run.h"
#include "vit/train/resume.h"

namespace lookhere {
namespace {

std::vector<nlohmann::json> metrics_of(const std::string& run) {
  std::vector<nlohmann::json> rows;
  std::istringstream lines(read_file(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

Trainer resumed(const std::string& run, const std::function<void(Recipe&)>& change = {}) {
  Recipe recipe = recipe_of(Safetensors(checkpoint_path(run)));
  if (change) change(recipe);
  return {recipe, run, checkpoint_path(run)};
}
bool says(const Trainer& trainer, const std::string& part) {
  return std::ranges::any_of(trainer.notes(), [&](const std::string& note) { return note.find(part) != note.npos; });
}

// Another batch size in the middle of an epoch: no image twice, none left out, and the learning rate goes on where the
// images stand.
TEST(TrainChanges, PositionsAreImages) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  train(recipe, folder / "run", 3);  // 96 of 256 images
  {
    Trainer trainer = resumed(folder / "run", [](Recipe& r) { r.batch_size = 16; });
    EXPECT_TRUE(says(trainer, "batch-size 32 -> 16"));
    EXPECT_FALSE(says(trainer, "the learning rate"));
    EXPECT_EQ(trainer.total_steps(), 3 + 10 + 16);
    struct Count : TrainObserver {
      void on_step(const Step& s) override { images[s.epoch] += s.images; }
      long images[2] = {96, 0};
    } count;
    EXPECT_EQ(trainer.run(count), Trainer::Outcome::finished);
    EXPECT_EQ(count.images[0], 256);
    EXPECT_EQ(count.images[1], 256);
  }
  train(recipe, folder / "whole");
  const auto whole = metrics_of(folder / "whole"), run = metrics_of(folder / "run");
  ASSERT_EQ(run.size(), 29U);
  for (std::size_t i = 3; i < 8; ++i)  // update i of 32 images and the first of two of 16 begin with the same image
    EXPECT_NEAR(run[3 + 2 * (i - 3)]["lr"], whole[i]["lr"], 1e-12) << i;
}

TEST(TrainChanges, AreSaid) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 11);
  {
    const Trainer trainer = resumed(folder / "run");
    EXPECT_TRUE(trainer.notes().empty()) << trainer.notes().front();
  }
  const Trainer trainer =
      resumed(folder / "run", [](Recipe& r) { r.epochs = 5, r.lr = 1e-3, r.position_options = {}; });
  EXPECT_EQ(trainer.notes().size(), 3U);
  EXPECT_TRUE(says(trainer, "epochs 2 -> 5"));
  EXPECT_TRUE(says(trainer, "lr 0.002 -> 0.001"));
  EXPECT_TRUE(says(trainer, "the learning rate goes on at 0.000"));
}

TEST(TrainChanges, DataOfTheSameShapeButOtherContentIsRefused) {
  const TemporaryFolder folder;
  write_idx_folder(folder / "data", 96);
  Recipe recipe = tiny_recipe();
  recipe.data = folder / "data";
  train(recipe, folder / "run", 2);
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"}) {
    const std::string path = folder / "data/" + name, bytes = read_file(path);
    std::string other = bytes;
    other.back() ^= 1;
    write_file(path, other);
    EXPECT_ERROR(resume(folder / "run"), "images or labels are not those that the run of");
    write_file(path, bytes);
  }
  EXPECT_EQ(resume(folder / "run"), Trainer::Outcome::finished);
}

TEST(TrainChanges, AnEditedConfigIsNotDiscarded) {
  const TemporaryFolder folder;
  const std::string run = folder / "run", config = run + "/config.toml";
  train(tiny_recipe(), run, 3);
  std::string text = read_file(config);
  text.replace(text.find("\nlr = 0.002"), 11, "\nlr = 0.001");
  write_file(config, text);
  EXPECT_ERROR(resume(run), config + ": was edited (lr 0.002 -> 0.001), but a resumed run goes by its checkpoint");
  EXPECT_EQ(read_file(config), text);
  resumed(run, [](Recipe& r) { r.lr = 1e-3; });  // as -c config.toml has it
  std::filesystem::remove(config);
  resumed(run);
  EXPECT_NE(read_file(config).find("\nlr = 0.001"), std::string::npos);
  write_file(config, "# as it was\n" + read_file(config) + "\n");
  EXPECT_EQ(resume(run), Trainer::Outcome::finished) << "comments and spaces are no change";
}

// last.safetensors alone is a run: what is missing beside it begins anew.
TEST(TrainChanges, ACheckpointAloneGoesOn) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.epochs = 3;
  train(recipe, folder / "run", 11);
  std::filesystem::create_directory(folder / "moved");
  std::filesystem::copy(folder / "run/last.safetensors", folder / "moved");
  {
    Trainer trainer = resumed(folder / "moved");
    for (const char* name : {"summary.csv", "metrics.jsonl", "best.safetensors"})
      EXPECT_TRUE(says(trainer, std::string(name) + " is missing")) << name;
    TrainObserver nobody;
    EXPECT_EQ(trainer.run(nobody), Trainer::Outcome::finished);
  }
  EXPECT_EQ(read_summary(folder / "moved/summary.csv").size(), 2U) << "epochs 1 and 2";
  EXPECT_EQ(metrics_of(folder / "moved").front()["step"], 12);
  EXPECT_TRUE(std::filesystem::exists(folder / "moved/best.safetensors"));
  resume(folder / "run");
  EXPECT_TRUE(read_file(folder / "run/best.safetensors") == read_file(folder / "moved/best.safetensors") ||
              read_summary(folder / "run/summary.csv")[0].eval_top1 >=
                  read_summary(folder / "moved/summary.csv")[1].eval_top1);
}

// Whatever bit is flipped, in the header or in a tensor, somebody notices.
TEST(TrainChanges, AFlippedBitIsFound) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.model_ema_decay = 0.9;
  train(recipe, folder / "run", 3);
  const std::string path = folder / "run/last.safetensors", bytes = read_file(path);
  const auto load = [&] {
    const Safetensors file(path);
    ViT model(config_of(file), std::nullopt);
    AdamW optimizer(parameters_of(model), optimizer_options(recipe_of(file)));
    restore(file, model, optimizer);
  };
  EXPECT_NO_THROW(load());
  Rng rng(1, Purpose::test);
  const auto header = static_cast<std::uint32_t>(bytes.find("}}") + 2);
  for (int i = 0; i < 2000; ++i) {
    // Half of them in the header, which is the smaller part.
    const std::uint32_t at = i % 2 ? rng.below(header) : rng.below(static_cast<std::uint32_t>(bytes.size()));
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << rng.below(8));
    write_file(path, flipped);
    EXPECT_THROW(load(), Error) << "byte " << at;
  }
}

// What would make the run not a number later is refused at once, by tensor and element, where hashes do not tell.
TEST(TrainChanges, AStateThatIsNoNumberIsRefusedByName) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.model_ema_decay = 0.9;
  train(recipe, folder / "run", 3);
  const std::string path = folder / "run/last.safetensors";
  auto [tensors, metadata] = contents_without_hashes(path);
  const std::tuple<const char*, float, const char*> cases[] = {
      {"ema.norm.weight", NAN, "tensor 'ema.norm.weight' is not finite at element 2"},
      {"optimizer.exp_avg.head.bias", INFINITY, "tensor 'optimizer.exp_avg.head.bias' is not finite at element 2"},
      {"optimizer.exp_avg_sq.cls_token", NAN, "tensor 'optimizer.exp_avg_sq.cls_token' is not finite at element 2"},
      {"optimizer.exp_avg_sq.cls_token", -1,
       "tensor 'optimizer.exp_avg_sq.cls_token': wanted squares, got -1 at element 2"},
      {"norm.bias", NAN, "tensor 'norm.bias' is not finite at element 2"}};
  for (const auto& [name, value, message] : cases) {
    for (auto& [other, tensor] : tensors) {
      if (other != name) continue;
      const float before = std::exchange(tensor.host<float>()[2], value);
      save_safetensors(path, tensors, metadata);
      tensor.host<float>()[2] = before;
    }
    EXPECT_ERROR(resume(folder / "run"), message);
  }
}

}  // namespace
}  // namespace lookhere
