// Every encoding, and sigmoid attention, trained for two updates on the processor, on the guarded device and on a GPU
// (the emulator, or what this is linked with), then saved, loaded and shown images of twice the side.
#include "tests/kernels/cases.h"
#include "tests/vit/tiny_run.h"
#include "vit/compare/comparison.h"
#include "vit/eval/accuracy.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

Recipe two_updates(const std::string& variant, Device device) {
  Recipe r = tiny_recipe();
  r.shapes_train = 4, r.batch_size = 2, r.shapes_test = 2, r.epochs = 1, r.warmup_epochs = 0, r.shards = 1;
  r.patch_size = 4, r.dim = 12, r.heads = 3, r.mlp_ratio = 1;
  r.device = name_of(device);
  return variant_of(r, variant);
}

// Of the model that a run has left, on its device, for images of twice the side that it was trained at.
std::vector<float> answers_at_twice_the_side(const std::string& run, Device device) {
  ViT model = load_model(run + "/last.safetensors", Dtype::f32, device);
  const long side = 2 * model.config().height;
  return to_vector<float>(logits_of(model, random({1, 3, side, side}, 7, Dtype::f32)));
}

// Of both updates, as AdamW's mean of them, relative to the largest of each tensor. Weights would not do: of a gradient
// that is 0 but for rounding, as that of the keys' bias, AdamW makes a whole step.
void expect_about_the_same_gradients(const std::string& got, const std::string& want) {
  const Safetensors a(got + "/last.safetensors"), b(want + "/last.safetensors");
  long compared = 0;
  for (const auto& entry : b.entries()) {
    if (!entry.name.starts_with("optimizer.exp_avg.")) continue;
    const auto x = to_vector<double>(a.read(entry.name).to(Dtype::f64)),
               y = to_vector<double>(b.read(entry.name).to(Dtype::f64));
    double largest = 0;
    for (const double value : y) largest = std::max(largest, std::abs(value));
    EXPECT_GT(largest, 1e-6) << entry.name;
    EXPECT_LT(worst_error(x, y, largest), 1e-4) << entry.name;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

class OnEveryDevice : public ::testing::TestWithParam<std::string> {};

TEST_P(OnEveryDevice, TrainsSavesLoadsAndExtrapolates) {
  const std::string& variant = GetParam();
  const TemporaryFolder folder;
  const std::string cpu = folder / "cpu", guarded = folder / "guarded", cuda = folder / "cuda";
  train(two_updates(variant, Device::cpu), cpu);
  train(two_updates(variant, Device::guarded), guarded);
  train(two_updates(variant, Device::cuda), cuda);
  for (const char* name : {"best.safetensors", "summary.csv", "metrics.jsonl"})
    EXPECT_TRUE(read_file(cpu + "/" + name) == read_file(guarded + "/" + name)) << name;
  expect_about_the_same_gradients(cuda, cpu);
  const std::vector<float> want = answers_at_twice_the_side(cpu, Device::cpu);
  EXPECT_EQ(answers_at_twice_the_side(guarded, Device::guarded), want);
  EXPECT_LT(worst_error(answers_at_twice_the_side(cuda, Device::cuda), want), 1e-5);
}

std::vector<std::string> all_variants() {
  std::vector<std::string> all = all_positions();
  all.emplace_back("lh90:attention=sigmoid");
  return all;
}

INSTANTIATE_TEST_SUITE_P(, OnEveryDevice, ::testing::ValuesIn(all_variants()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace lookhere
