// Training small enough for tests: a few milliseconds per update.
#pragma once
#include <string>
#include <vector>

#include "tests/testing.h"
#include "vit/train/loop.h"

namespace lookhere {

// 8 updates of 32 images an epoch, two epochs.
inline Recipe tiny_recipe() {
  Recipe r;
  r.data = "shapes", r.shapes_train = 256, r.shapes_test = 40, r.eval_batch_size = 16;
  r.img_size = 16, r.dim = 24, r.depth = 2, r.heads = 3;
  r.epochs = 2, r.batch_size = 32, r.shards = 2;
  r.lr = 2e-3, r.warmup_epochs = 1, r.smoothing = 0.1, r.model_ema_decay = 0;
  return r;
}

// The same on the command line.
inline std::vector<std::string> tiny_training(const std::string& folder, const std::string& epochs = "2") {
  return {"train", "--data",   "shapes", "--shapes-train", "256", "--shapes-test", "40",  "--dim",
          "24",    "--depth",  "2",      "--heads",        "3",   "--img-size",    "16",  "--batch-size",
          "32",    "--epochs", epochs,   "--shards",       "2",   "--output",      folder};
}

// Runs or goes on with a run; max_steps as in Trainer::run.
inline Trainer::Outcome train(const Recipe& recipe, const std::string& folder, long max_steps = 0) {
  TrainObserver nobody;
  return Trainer(recipe, folder).run(nobody, {}, max_steps);
}
inline Trainer::Outcome resume(const std::string& folder, long max_steps = 0,
                               const std::function<void(Recipe&)>& change = {}) {
  const std::string checkpoint = checkpoint_path(folder);
  Recipe recipe = recipe_of(Safetensors(checkpoint));
  if (change) change(recipe);
  TrainObserver nobody;
  return Trainer(recipe, folder, checkpoint).run(nobody, {}, max_steps);
}

// What a run leaves does not differ by a bit from what another left.
inline void expect_same_run(const std::string& a, const std::string& b) {
  for (const char* name : {"last.safetensors", "best.safetensors", "summary.csv", "metrics.jsonl", "config.toml"}) {
    const std::string left = read_file(a + "/" + name);
    EXPECT_FALSE(left.empty()) << a << "/" << name;
    EXPECT_TRUE(left == read_file(b + "/" + name)) << name << " differs";
  }
}

// What a checkpoint holds, to be changed and saved again: without the hashes, which would find every change first.
struct Contents {
  NamedTensors tensors;
  Metadata metadata;
};
inline Contents contents_without_hashes(const std::string& path) {
  const Safetensors file(path);
  Contents contents{{}, file.metadata()};
  for (const auto& entry : file.entries()) contents.tensors.emplace_back(entry.name, file.read(entry.name));
  for (const char* key : {"xxh3.tensors", "xxh3.metadata"}) EXPECT_EQ(contents.metadata.erase(key), 1U) << key;
  return contents;
}

// A data set of IDX files in `folder`: `count` random images per split, whose labels are told by their brightest row.
inline void write_idx_folder(const std::string& folder, long count, long side = 16) {
  std::filesystem::create_directories(folder);
  const auto big_endian = [](long value) {
    return std::string{static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                       static_cast<char>(value)};
  };
  for (const char* split : {"train", "t10k"}) {
    Rng rng(split[1], Purpose::test);
    std::string images = big_endian(0x803) + big_endian(count) + big_endian(side) + big_endian(side);
    std::string labels = big_endian(0x801) + big_endian(count);
    for (long i = 0; i < count; ++i) {
      const long label = i % 4;
      for (long p = 0; p < side * side; ++p)
        images += static_cast<char>(rng.below(128) + (p / side * 4 / side == label ? 127 : 0));
      labels += static_cast<char>(label);
    }
    write_file(folder + "/" + split + "-images-idx3-ubyte", images);
    write_file(folder + "/" + split + "-labels-idx1-ubyte", labels);
  }
}

}  // namespace lookhere
