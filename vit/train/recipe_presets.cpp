// Recipes with names, as the options that they set.
#include <array>

#include "tensor/file.h"
#include "vit/train/recipe.h"

namespace lookhere {
namespace {

struct Preset {
  const char *name, *options;
};

constexpr std::array kPresets{
    // LookHere (arXiv 2405.13985, section 4.1 and appendix A.4.1): ImageNet at 224 px, 2048 images per update.
    Preset{"lookhere", R"(
epochs = 150
lr = 3e-3
lr-base-size = 2048
warmup-epochs = 15
warmup-lr = 0
min-lr = 0
weight-decay = 0.05
clip-grad = 0
smoothing = 0
bce-loss = true
drop-path = 0.1
model-ema-decay = 0
scale = [0.08, 1]
hflip = 0.5
aa = "3a"
color-jitter = 0.3
mixup = 0.8
cutmix = 1
crop-pct = 0.875
)"},
    // DeiT (arXiv 2012.12877, table 9).
    Preset{"deit", R"(
epochs = 300
lr = 5e-4
lr-base-size = 512
warmup-epochs = 5
warmup-lr = 1e-6
min-lr = 1e-5
weight-decay = 0.05
clip-grad = 0
smoothing = 0.1
drop-path = 0.1
model-ema-decay = 0.99996
scale = [0.08, 1]
hflip = 0.5
train-interpolation = "bicubic"
aug-repeats = 3
aa = "rand-m9-mstd0.5-inc1"
reprob = 0.25
mixup = 0.8
cutmix = 1
crop-pct = 0.875
)"},
    // A few thousand photographs: larger crops, less mixing, more epochs than the demo's.
    Preset{"small-data", R"(
epochs = 100
lr = 2e-3
lr-base-size = 64
warmup-epochs = 5
weight-decay = 0.05
smoothing = 0.1
drop-path = 0.1
model-ema-decay = 0.998
scale = [0.35, 1]
hflip = 0.5
aa = "3a"
color-jitter = 0.3
cutmix = 1
mixup-prob = 0.5
crop-pct = 0.875
)"}};

}  // namespace

std::string preset_names() {
  std::string names;
  for (const Preset& preset : kPresets) names += concat(names.empty() ? "" : ", ", preset.name);
  return names;
}

void update_from_preset(Recipe& recipe, const std::string& name) {
  for (const Preset& preset : kPresets)
    if (name == preset.name) return update_from_toml_text(recipe, preset.options, "--recipe " + name);
  fail("--recipe: wanted one of ", preset_names(), ", got ", shown(name));
}

}  // namespace lookhere
