// lookhere bench: its numbers fit together, and what it cannot measure it refuses.
#include <nlohmann/json.hpp>

#include "tests/vit/mistakes.h"
#include "tests/vit/photo_folder.h"

namespace lookhere {
namespace {

const Words kTiny{"--model", "nano", "--img-size", "16", "--patch-size", "4",    "--dim",   "24",
                  "--depth", "2",    "--heads",    "3",  "--position",   "lh90", "--steps", "3"};

nlohmann::json json_of(const Words& arguments) {
  const TemporaryFolder folder;
  const Finished end = run_program(arguments + Words{"--json", folder / "out.json"});
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("\nmemory    "), std::string::npos) << end.out;
  return nlohmann::json::parse(read_file(folder / "out.json"));
}

// Calls per step by operation.
std::map<std::string, long> calls_of(const nlohmann::json& json) {
  std::map<std::string, long> calls;
  for (const auto& operation : json["operations"]) calls[operation["op"]] = operation["calls"];
  return calls;
}

TEST(CliBench, Step) {
  const nlohmann::json json = json_of(Words{"bench", "step", "-b", "6", "--shards", "2"} + kTiny);
  EXPECT_EQ(json["bench"], "step");
  EXPECT_EQ(json["model"], "nano");
  EXPECT_EQ(json["position"], "lh90");
  EXPECT_EQ(json["dtype"], "f32");
  EXPECT_EQ(json["batch_size"], 6);
  EXPECT_EQ(json["img_size"], nlohmann::json({16, 16}));
  EXPECT_EQ(json["tokens"], 17);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_EQ(json["steps"], 3);
  EXPECT_GT(json["seconds"], 0);
  EXPECT_LE(json["seconds_min"], json["seconds"]);
  EXPECT_NEAR(json["images_per_second"].get<double>() * json["seconds"].get<double>(), 6, 1e-6);
  EXPECT_GT(json["peak_rss_bytes"], json["peak_pool_bytes"]);
  // Two shards, two blocks: patches, two linear layers and an MLP in each block, head.
  std::map<std::string, long> calls = calls_of(json);
  EXPECT_EQ(calls["linear"], 2 * (1 + 2 * 2 + 1));
  EXPECT_EQ(calls["mlp"], 2 * 2);
  EXPECT_EQ(calls["attention"], 2 * 2);
  EXPECT_EQ(calls["layer_norm"], 2 * (2 * 2 + 1));
  EXPECT_EQ(calls["residual"], 2 * 2 * 2);
  EXPECT_EQ(calls["softmax_cross_entropy"], 4);  // of each shard, the loss and what is logged beside it
  EXPECT_EQ(calls["adamw"], 1);
  EXPECT_EQ(calls["sum over shards"], 1);
  double all = 0;
  for (const auto& operation : json["operations"]) {
    EXPECT_GE(operation["forward_seconds"], 0);
    EXPECT_GE(operation["backward_seconds"], 0);
    all += operation["forward_seconds"].get<double>() + operation["backward_seconds"].get<double>();
  }
  EXPECT_LE(all, json["seconds_mean"].get<double>() * 1.0001);  // nothing is counted twice
}

TEST(CliBench, Forward) {
  const nlohmann::json json = json_of(Words{"bench", "forward", "-b", "1"} + kTiny);
  EXPECT_EQ(json["bench"], "forward");
  std::map<std::string, long> calls = calls_of(json);
  EXPECT_EQ(calls["attention"], 2);
  EXPECT_EQ(calls.count("adamw"), 0U);
  for (const auto& operation : json["operations"]) EXPECT_EQ(operation["backward_seconds"], 0);
}

TEST(CliBench, Options) {
  const nlohmann::json bce = json_of(Words{"bench", "step", "-b", "2", "--bce-loss", "--classes", "7"} + kTiny);
  EXPECT_EQ(calls_of(bce).count("binary_cross_entropy"), 1U);
  const Finished table = run_program(Words{"bench", "step", "-b", "2", "--drop", "0.1"} + kTiny);
  EXPECT_EQ(table.code, 0) << table.err;
  for (const char* part : {"step      nano lh90, f32, batch 2, 16x16 px, 17 tokens\n", "\nmachine   1 threads, ",
                           "\ntime      ", "\nspeed     ", "\nlinear  ", "\ndropout  ", "\nwaiting and the rest "})
    EXPECT_NE(table.out.find(part), std::string::npos) << part << " in:\n" << table.out;
}

TEST(CliBench, Data) {
  const TemporaryFolder folder;
  const std::string photos = make_photos(folder);
  const Words words{"bench", "data", "--data", photos,      "--img-size", "16",     "-b",
                    "4",     "--aa", "3a",     "--workers", "2",          "--json", folder / "out.json"};
  const Finished end = run_program(words);
  EXPECT_EQ(end.code, 0) << end.err;
  const nlohmann::json json = nlohmann::json::parse(read_file(folder / "out.json"));
  EXPECT_EQ(json["images"], 24);
  EXPECT_EQ(json["workers"], 2);
  EXPECT_EQ(json["img_size"], nlohmann::json({16, 16}));
  EXPECT_GT(json["images_per_second"], 0);
  std::vector<std::string> names;
  double most = -1;
  std::string binds;
  for (const auto& stage : json["stages"]) {
    names.push_back(stage["stage"]);
    EXPECT_GE(stage["seconds_per_image"], 0);
    if (stage["seconds_per_image"] > most) most = stage["seconds_per_image"], binds = names.back();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"read", "decode", "crop, resize", "augment", "normalise"}));
  EXPECT_EQ(json["binds"], binds);
  for (const char* part : {", 24 of 24 images, 16x16 px\n", " images/s with 2 workers\n", "\nbinds     ", "\nall  "})
    EXPECT_NE(end.out.find(part), std::string::npos) << part << " in:\n" << end.out;
  const Finished plain = run_program({"bench", "data", "--data", "shapes", "--shapes-train", "20", "-b", "4"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_NE(plain.out.find("\ncrop, resize, normalise "), std::string::npos) << plain.out;
  expect_refusal({{"bench", "data", "--data", photos},
                  kInput,
                  "--img-size: wanted the side of the model's images, for those of "});
}

TEST(CliBench, Errors) {
  const std::vector<Mistake> mistakes{
      {{"bench"}, kInput, "what is required (see lookhere bench --help)"},
      {{"bench", "backward"}, kInput, "bench: wanted step, forward or data, got 'backward'"},
      {{"bench", "step", "--dtype", "f16"}, kInput, "--dtype: wanted f32 or bf16, got \"f16\""},
      {{"bench", "step", "--dtype", "f16"}, kInput, "--dtype: wanted f32 or bf16, got"},
      {{"bench", "step", "--steps", "-1"}, kInput, "--steps: wanted at least 0, got -1"},
      {{"bench", "step", "--classes", "-1"}, kInput, "--classes: wanted at least 0, got -1"},
      {{"bench", "step", "--model", "resnet"}, kInput, "resnet"},
      {{"bench", "step", "--batch-size", "0"}, kInput, "--batch-size: wanted 1 to"},
      {{"bench", "step", "--img-size", "15"}, kInput, "multiple of the patch size 16"},
      {{"bench", "step", "--epochs", "3"}, kInput, "--epochs"},
  };
  for (const Mistake& mistake : mistakes) expect_refusal(mistake);
  const Finished end = run_program(Words{"bench", "forward", "--json", "/no/such/folder/x"} + kTiny);
  EXPECT_EQ(end.code, kIo);
  EXPECT_NE(end.err.find("lookhere: cannot write /no/such/folder/x"), std::string::npos) << end.err;
}

}  // namespace
}  // namespace lookhere
