// --device: a run, an evaluation and every other command on the guarded device, whose memory the program cannot touch
// outside of operations, leave the bytes that they leave on the processor.
#include <nlohmann/json.hpp>

#include "tensor/npy.h"
#include "tests/program.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

const Words kOnIt{"--device", name_of(Device::guarded)};
const Surroundings kTwoThreads{.environment = {"OMP_NUM_THREADS=2"}};  // shards side by side

Finished run(const Words& words) {
  Finished end = run_program(words, kTwoThreads);
  EXPECT_EQ(end.code, 0) << end.err << " signal " << end.signal;
  return end;
}

void expect_same_training(const Words& options) {
  const TemporaryFolder folder;
  const std::string here = folder / "here", there = folder / "there";
  run(tiny_training(here) + options);
  run(tiny_training(there) + options + kOnIt + Words{"--max-steps", "3"});
  run({"train", "--resume", there});  // where it was
  EXPECT_NE(read_file(there + "/config.toml").find("device = \"guarded-for-tests\""), std::string::npos);
  for (const char* name : {"best.safetensors", "summary.csv", "metrics.jsonl", "curve.svg"})
    EXPECT_TRUE(read_file(here + "/" + name) == read_file(there + "/" + name)) << name << " differs";
  // The checkpoint and config.toml name the device. A run may change it, and then they are the same as well.
  const Finished back = run({"train", "--resume", there, "--device", "cpu"});
  EXPECT_NE(back.err.find("device \"guarded-for-tests\" -> \"cpu\""), std::string::npos) << back.err;
  expect_same_run(here, there);
}

TEST(OnADevice, TrainingLeavesTheSameBytes) {
  expect_same_training({"--model-ema-decay", "0.9", "--recovery-interval", "2"});
  expect_same_training({"--dtype", "bf16", "--position", "learned", "--head", "mlp", "--pool", "mean", "--layer-scale",
                        "0.01", "--drop", "0.1", "--drop-path", "0.2", "--grad-accum-steps", "2"});
}

TEST(OnADevice, ConstantPositionsAreMovedThere) {
  for (const char* position : {"rope", "sincos"}) expect_same_training({"--position", position, "--epochs", "1"});
}

TEST(OnADevice, EveryCommandGivesTheSame) {
  const TemporaryFolder folder;
  run(tiny_training(folder / "run", "1"));
  const std::string model = folder / "run/last.safetensors";
  const ViTConfig config = load_model(model).config();
  save_npy(folder / "x.npy", random({5, config.channels, 16, 16}, 1, Dtype::f32));
  save_npy(folder / "y.npy", from_vector<i64>({0, 1, 2, 3, 0}, {5}));
  const Words images{"--images", folder / "x.npy", "--output"};
  for (const Words& words : std::vector<Words>{{"eval", "--data", "shapes", "--json", "--use-ema"},
                                               {"predict", "shapes:1"},
                                               Words{"gallery", "--data", "shapes", "--count", "3", "--output"},
                                               Words{"forward"} + images,
                                               Words{"gradients", "--labels", folder / "y.npy"} + images}) {
    const auto result = [&](const std::string& name, const Words& more) {
      const bool to_file = words.back() == "--output";
      const Finished end = run(words + (to_file ? Words{folder / name} : Words{}) + Words{"--model", model} + more);
      return to_file ? read_file(folder / name) : end.out;
    };
    const std::string here = result("here", {}), there = result("there", kOnIt);
    EXPECT_FALSE(here.empty()) << words[0];
    EXPECT_TRUE(here == there) << words[0];
  }
}

TEST(OnADevice, Bench) {
  const TemporaryFolder folder;
  for (const char* what : {"step", "forward"}) {
    run(Words{"bench", what, "--model", "nano", "-b", "4", "--steps", "1", "--json", folder / "json"} + kOnIt);
    EXPECT_GT(nlohmann::json::parse(read_file(folder / "json"))["peak_pool_bytes"], 1e5);
  }
}

TEST(OnADevice, OthersAreRefusedInOneLine) {
  const TemporaryFolder folder;
  const std::string info = run({"info"}).out, gpu = info.substr(info.find("gpu       ") + 10);
  if (gpu.find("sm_") != std::string::npos) GTEST_SKIP() << "it has a GPU: " << gpu;
  const std::string line = "lookhere: device cuda: " + gpu, model = "none";
  for (const Words& words :
       std::vector<Words>{{"eval", "--model", model},
                          {"predict", "--model", model, "shapes:1"},
                          {"gallery", "--model", model},
                          {"forward", "--model", model, "--images", "x", "--output", "y"},
                          {"gradients", "--model", model, "--images", "x", "--labels", "y", "--output", "z"},
                          {"bench", "step"},
                          tiny_training(folder / "run")}) {
    const Finished end = run_program(words + Words{"--device", "cuda"});
    EXPECT_EQ(end.code, 2) << words[0];
    EXPECT_TRUE(words[0] == "train" ? end.err.ends_with(line) : end.err == line) << words[0] << ": " << end.err;
    const Finished help = run({words[0], "--help"});
    EXPECT_NE(help.out.find("--device"), std::string::npos) << words[0];
    EXPECT_EQ(help.out.find("guarded"), std::string::npos) << words[0];
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "run/last.safetensors"));
}

TEST(OnADevice, RunsOfBeforeAreOnTheProcessor) {
  nlohmann::json json = nlohmann::json::parse(to_json(Recipe()));
  json.erase("device");
  Recipe old;
  update_from_json(old, json.dump());
  EXPECT_EQ(device_of(old), Device::cpu);
  update_from_toml_text(old, "epochs = 3\n", "config.toml");
  EXPECT_EQ(device_of(old), Device::cpu);
}

// A run of a machine with a GPU can go on without one.
TEST(OnADevice, ADeviceThatIsNotHereCanBeChanged) {
  Recipe recipe;
  update_from_json(recipe, R"({"device": "tpu"})");
  EXPECT_ERROR(device_of(recipe), "got \"tpu\"");
  const TemporaryFolder folder;
  EXPECT_ERROR(train(recipe, folder / "run"), "device: wanted cpu or cuda, got");
}

}  // namespace
}  // namespace lookhere
