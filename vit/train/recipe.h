// Recipe: everything that decides a training run. One list of fields serves the command line, the run's config.toml and
// the checkpoint. Names are timm's where timm has the option.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "nn/activation.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "vit/data/loader.h"
#include "vit/data/sources.h"
#include "vit/data/subset.h"
#include "vit/model/vit.h"

namespace lookhere {

inline constexpr const char* kDeviceDescription = "where to compute: cpu or cuda";
inline constexpr const char* kTf32Description = "on a GPU multiply f32 as TF32: faster, with 10 bits of mantissa";

inline constexpr const char *kPositionGroup = "Position", *kDataGroup = "Data";

// A field as the command line, config.toml and the checkpoint have it.
struct RecipeOption {
  const char *name, *group, *help;
  Range range;  // of a number
};

struct Recipe {
  // what to learn, with which model; 0 or empty: as the preset has it
  std::string data = "fashion", model = "nano", position = "lh180";
  PositionOptions position_options;
  std::string head, pool, activation, attention;
  long img_size = 0, patch_size = 0, dim = 0, depth = 0, heads = 0;
  double mlp_ratio = 0, layer_scale = -1, init_std = 0;
  // which model it begins with, and what of it is trained; with one, an empty model or position is the file's
  std::string initial_checkpoint;
  bool freeze = false;
  double layer_decay = 1;
  // how
  std::string sched_style = "plain";
  long epochs = 10, batch_size = 64, grad_accum_steps = 1, seed = 42;
  double lr_base_size = 0;
  double lr = 2e-3, warmup_lr = 1e-6, min_lr = 1e-5, warmup_epochs = 0.5;
  double weight_decay = 0.05, clip_grad = 1, smoothing = 0.1, drop = 0, drop_path = 0, model_ema_decay = 0.998;
  bool bce_loss = false, tf32 = false, cuda_graph = false, tensorboard = false, deterministic_reduce = true;
  std::string dtype = "f32", device = "cpu";
  double hflip = -1;
  long crop_padding = 0;
  std::vector<double> scale, ratio{0.75, 4.0 / 3};
  std::string train_crop_mode = "rrc", train_interpolation;
  long aug_repeats = 0;
  std::string aa = "none", interpolation = "bicubic", class_order = "plain", class_map, on_bad_image = "error",
              decode = "full";
  long ra_ops = 2, ra_magnitude = 15;
  double color_jitter = 0, reprob = 0, mixup = 0, cutmix = 0, mixup_prob = 1, mixup_switch_prob = 0.5;
  double crop_pct = 0, val_split = 0.1, holdout = 0;
  long shapes_train = 8192, shapes_test = 2048;
  long glyphs_train = 18400, glyphs_test = 4600;
  std::vector<double> glyphs_zoom{0.4, 0.7};
  long eval_batch_size = 256, workers = 1, log_interval = 1, recovery_interval = 0, shards = 0;

  // f(option, field) for every field, f(const RecipeOption&, T&).
  void visit(auto&& f) {
    constexpr double kMany = 1e9;
    const char* group = kDataGroup;
    const auto add = [&](const char* name, auto& field, const char* help, Range range = {}) {
      f(RecipeOption{.name = name, .group = group, .help = help, .range = range}, field);
    };
    add("data", data, source_help());
    group = "Model";
    add("model", model, "nano, vit_tiny, vit_small, vit_base, vit_base_lookhere");
    group = kPositionGroup;
    static const std::string positions = position_help();
    add("position", position, positions.c_str());
    position_options.visit([&](const PositionOption& option, PositionValue& value) {
      std::visit([&](auto& field) { add(option.name, field, option.help, option.range); }, value);
    });
    group = "Model";
    add("img-size", img_size, "image side in pixels (0: the data's for nano, else 224)", {0, 16384});
    add("patch-size", patch_size, "patch side in pixels (0: the model's)", {0, 1024});
    add("dim", dim, "features per token (0: the model's)", {0, 1 << 16});
    add("depth", depth, "blocks (0: the model's)", {0, 256});
    add("heads", heads, "attention heads (0: the model's)", {0, 1024});
    add("mlp-ratio", mlp_ratio, "hidden features of the MLP per feature (0: the model's)", {0, 64});
    static const std::string activations = "of the MLP: " + mlp_activation_names() + " (empty: the model's)";
    add("activation", activation, activations.c_str());
    add("attention", attention, "softmax or sigmoid: what a token takes of others (empty: the model's)");
    add("layer-scale", layer_scale, "LayerScale's first value, 0: none (negative: the model's)", {-kMany, 1e3});
    add("init-std", init_std, "standard deviation of the first linear weights (0: the model's)", {0, 10});
    add("head", head, "linear or mlp (empty: the model's)");
    add("pool", pool, "cls or mean (empty: the model's)");
    group = "Fine-tuning";
    add("initial-checkpoint", initial_checkpoint,
        "model file whose weights and configuration a new run begins with, where no option says otherwise");
    add("freeze", freeze, "train the head alone; a new linear one begins at zero");
    add("layer-decay", layer_decay, "learning rate of a block by that of the block after it", {1e-6, 1});
    group = "Training";
    add("epochs", epochs, "passes over the training data", {1, 1e6});
    add("batch-size", batch_size, "images per forward pass", {1, 1 << 20});
    add("grad-accum-steps", grad_accum_steps, "forward passes per update", {1, 1 << 20});
    add("lr", lr, "learning rate after warm-up", {0, 1e3});
    add("lr-base-size", lr_base_size, "images per update that --lr is for; others scale it (0: it stays)", {0, 1e9});
    add("warmup-lr", warmup_lr, "learning rate of the first step", {0, 1e3});
    add("min-lr", min_lr, "learning rate of the last step", {0, 1e3});
    add("warmup-epochs", warmup_epochs, "epochs of linear warm-up; then half a cosine", {0, kMany});
    add("sched-style", sched_style, "plain, or timm: the cosine begins at epoch 0, and warm-up hides its first epochs");
    add("weight-decay", weight_decay, "AdamW's decay, for matrices only", {0, 1e3});
    add("clip-grad", clip_grad, "largest norm of the gradient (0: no clipping)", {0, kMany});
    add("smoothing", smoothing, "label smoothing", {0, 0.999});
    add("bce-loss", bce_loss, "binary cross-entropy, summed over classes, instead of softmax cross-entropy");
    add("drop", drop, "dropout in attention's output and the MLP", {0, 0.999});
    add("drop-path", drop_path, "stochastic depth, the same in every block", {0, 0.999});
    add("model-ema-decay", model_ema_decay, "moving average of the weights, used for evaluation (0: off)",
        {0, 0.999999});
    group = kDataGroup;
    add("val-split", val_split, "of photographs: share of each class to test with, where no folder is", {0, 1});
    add("holdout", holdout, "share of the training images, evenly spread, that is left out, for compare to tune with",
        {0, 0.5});
    add("class-order", class_order, "of folders of photographs: plain, or natural (class10 after class2)");
    add("class-map", class_map, "file with a class folder per line: these, in this order");
    add("on-bad-image", on_bad_image, "error, or skip: another image of the class in its place");
    group = "Augmentation";
    add("hflip", hflip, "probability of mirroring an image (negative: 0.5 for cifar and photographs, else 0)", {-1, 1});
    add("crop-padding", crop_padding, "random crops from the image padded by this many pixels", {0, 1024});
    add("scale", scale, "random resized crops of LOW to HIGH of the area (none given: 0.08 1 for photographs)", {0, 1});
    add("ratio", ratio, "LOW to HIGH of width by height of these crops", {0.001, 1000});
    add("train-crop-mode", train_crop_mode,
        "rrc: random resized crops, where there are any, or src: DeiT III's simple ones");
    add("interpolation", interpolation, "of these crops, and of test images that are cropped: bilinear or bicubic");
    add("train-interpolation", train_interpolation, "of crops in training alone (empty: that of --interpolation)");
    add("decode", decode, "of JPEGs in training: full, or scaled: n/8 of the size where that is enough for the crop");
    add("crop-pct", crop_pct, "test images: part of the shorter side that is seen (0: 0.875 of photographs)", {0, 16});
    add("aug-repeats", aug_repeats, "views of an image in a row, of fewer images per epoch (0: one of each)", {0, 64});
    add("aa", aa,
        "none, 3a (3-Augment: grey, solarized or blurred), rand (torchvision's RandAugment), or timm's, as "
        "rand-m9-mstd0.5-inc1");
    add("ra-ops", ra_ops, "torchvision's RandAugment: operations per image", {0, 100});
    add("ra-magnitude", ra_magnitude, "torchvision's RandAugment: how strong", {0, 30});
    add("color-jitter", color_jitter, "of brightness, contrast and saturation", {0, 10});
    add("reprob", reprob, "probability of erasing a rectangle", {0, 1});
    add("mixup", mixup, "alpha of mixup (0: off)", {0, 1000});
    add("cutmix", cutmix, "alpha of CutMix (0: off)", {0, 1000});
    add("mixup-prob", mixup_prob, "probability that a batch is mixed", {0, 1});
    add("mixup-switch-prob", mixup_switch_prob, "probability of CutMix where both are on", {0, 1});
    group = kDataGroup;
    add("shapes-train", shapes_train, "training images of --data shapes", {1, 1e7});
    add("shapes-test", shapes_test, "test images of --data shapes", {1, 1e7});
    add("glyphs-train", glyphs_train, "training images of --data glyphs", {1, 1e7});
    add("glyphs-test", glyphs_test, "test images of --data glyphs", {1, 1e7});
    add("glyphs-zoom", glyphs_zoom, "LOW to HIGH of a glyph's longer side by the image's side", {0.05, 0.75});
    group = "Run";
    add("dtype", dtype, "f32, or bf16 inside of the blocks (weights and sums stay f32)");
    add("device", device, kDeviceDescription);
    add("tf32", tf32, kTf32Description);
    add("deterministic-reduce", deterministic_reduce,
        "add gradients of several GPUs in one order, whatever their number; without it NCCL adds them, faster");
    add("cuda-graph", cuda_graph, "on a GPU launch each batch's hundreds of kernels as one CUDA graph");
    add("seed", seed, "decides initial weights, order and augmentation", {0, 9e15});
    add("eval-batch-size", eval_batch_size, "images per evaluation pass", {1, 1 << 20});
    add("workers", workers, "threads that prepare batches", {1, 256});
    add("shards", shards,
        "parts of a batch computed side by side (0: one per thread, 1 on a GPU); results depend on it", {0, 1024});
    add("tensorboard", tensorboard, "also writes the logs as a file of events for TensorBoard");
    add("log-interval", log_interval, "updates between the lines of metrics.jsonl and TensorBoard's points",
        {1, kMany});
    add("recovery-interval", recovery_interval, "updates between checkpoints (0: one per epoch)", {0, kMany});
  }

  void validate() const;  // throws Error naming the first option out of range
  // One line for each option that another one limits, in a run of so many ranks.
  std::vector<std::string> notes(long ranks = 1) const;
};

std::string to_json(const Recipe& recipe);
// Overwrites the fields that the JSON object has; Error for wrong types.
void update_from_json(Recipe& recipe, const std::string& text);
std::string to_toml(const Recipe& recipe);  // what `-c` reads
// Overwrites the fields that a file like to_toml's has (vit/train/recipe_file.h). Throws Error naming the line for what
// it cannot read, for names that no option has and for values out of range.
void update_from_toml(Recipe& recipe, const std::string& path);
void update_from_toml_text(Recipe& recipe, std::string_view text, const std::string& path);  // path: for messages

// Recipes with names: "lookhere, deit, small-data". Overwrites the fields that the recipe is about
// (recipe_presets.cpp). Throws Error for other names.
std::string preset_names();
void update_from_preset(Recipe& recipe, const std::string& name);

// The recipe's model for this data. What no option says is as in `begun`, or else as in the recipe's preset.
ViTConfig model_config(const Recipe& recipe, const Dataset& data, const std::optional<ViTConfig>& begun = {});
Dtype dtype_of(const Recipe& recipe);    // what --dtype names
long shards_of(const Recipe& recipe);    // as many as it says or, by itself, as threads have work; 1 on a GPU
Device device_of(const Recipe& recipe);  // what --device names; Error if it is not here
LoaderOptions training_loader(const Recipe& recipe, const ViTConfig& model, const Dataset& data);
// The same without a model: images of --img-size or else the data's size.
LoaderOptions training_loader(const Recipe& recipe, const Dataset& data);
// What training images go through; nothing if crop_padding and hflip are all.
std::optional<AugmentOptions> augmentation_of(const Recipe& recipe, const Dataset& data);
// The training images as the recipe has them, and what --holdout leaves out; the test split is described by them.
Split load_training_split(const Recipe& recipe);
Dataset load_training_data(const Recipe& recipe);  // without what is left out
LoaderOptions evaluation_loader(const Recipe& recipe, const ViTConfig& model);
DatasetOptions dataset_options(const Recipe& recipe);
AdamWOptions optimizer_options(const Recipe& recipe);
double peak_lr_of(const Recipe& recipe);  // after warm-up, scaled by images per update where the recipe says so
Schedule schedule_of(const Recipe& recipe, long steps_per_epoch);

}  // namespace lookhere
