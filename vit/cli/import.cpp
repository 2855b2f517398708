// lookhere import: another program's weights as a model file.
#include "vit/model/import/import.h"

#include <fmt/format.h>

#include "nn/activation.h"
#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

class Import : public Command {
 public:
  Page page() const override {
    return {
        .name = "import",
        .summary = "A model file of the weights of timm, Hugging Face, DINOv2 or LookHere's authors",
        .examples =
            "  lookhere import vit_tiny.pth --model vit_tiny_patch16_224 --output model.safetensors\n"
            "  lookhere import hub/model.safetensors --output model.safetensors    # with its config.json beside it\n"
            "  lookhere import checkpoint.pth --heads 6 --norm-eps 1e-6 --activation gelu --pool cls --output m"};
  }
  void add_options(Options& o) override;
  void run() const override;

 private:
  Facts given() const;

  std::string file, output, model, activation, pool, position, interpolation;
  long heads = 0, img_size = 0;
  double norm_eps = 0, crop_pct = 0;
  std::vector<double> mean, std;
  bool use_ema = false;
};

void Import::add_options(Options& o) {
  o.add({.names = "file",
         .help = "safetensors, or what torch.save wrote (.pth, .pt, .bin)",
         .required = true,
         .file = File::model},
        file);
  o.add({.names = "--output", .help = "model file (safetensors)", .required = true, .file = File::written}, output);
  o.add({.names = "--model", .help = "timm's name of the architecture, for what weights do not say"}, model);
  o.add({.names = "--heads", .help = "attention heads (0: as --model or config.json says)", .range = {0, 1024}}, heads);
  o.add({.names = "--norm-eps", .help = "added to the variance in norms (0: as they say)", .range = {0, 1}}, norm_eps);
  o.add({.names = "--activation", .help = "of the MLPs: " + mlp_activation_names() + " (empty: as they say)"},
        activation);
  o.add({.names = "--pool",
         .help =
             "cls, mean or map; mean_prefix, map_prefix: over the tokens before the patches too (empty: as they say)"},
        pool);
  o.add({.names = "--img-size", .help = "image side in pixels (0: as pos_embed says)", .range = {0, 16384}}, img_size);
  o.add({.names = "--position", .help = "where the weights have no pos_embed: " + position_help()}, position);
  o.add({.names = "--mean", .help = "per channel, of pixels from 0 to 1"}, mean);
  o.add({.names = "--std", .help = "per channel, of pixels from 0 to 1"}, std);
  o.add(
      {.names = "--crop-pct", .help = "image side by that of what it is cropped from (0: not said)", .range = {0, 16}},
      crop_pct);
  o.add({.names = "--interpolation", .help = "bilinear or bicubic (empty: not said)"}, interpolation);
  o.add({.names = "--use-ema", .help = "the averaged weights of a checkpoint"}, use_ema);
}

Facts Import::given() const {
  check(interpolation.empty() || interpolation == "bilinear" || interpolation == "bicubic",
        "--interpolation: wanted bilinear or bicubic, got ", interpolation);
  Facts facts{.heads = heads,
              .norm_eps = norm_eps,
              .activation = activation,
              .pool = pool,
              .position = {},
              .height = img_size,
              .width = img_size,
              .mean = mean,
              .std = std,
              .crop_pct = crop_pct,
              .interpolation = interpolation,
              .class_names = {}};
  if (!position.empty()) facts.position = position_preset(position);
  return facts;
}

void Import::run() const {
  Imported imported = import_model(file, given(), model, use_ema);
  const ViTConfig& config = imported.model.config();
  save_model(output, imported.model, imported.metadata);
  print("file      {} ({})\n", file, imported.format);
  for (const std::string& source : imported.from) print("known by  {}\n", source);
  if (!imported.left_out.empty()) print("left out  {}\n", joined(imported.left_out));
  print("model     {}: {} parameters, {}x{} px, {} blocks of {} features and {} heads, {} classes\n", output,
        imported.model.parameter_count(), config.height, config.width, config.depth, config.dim, config.heads,
        config.classes);
  const auto preprocessing = imported.metadata.find("preprocessing");
  if (preprocessing != imported.metadata.end()) return print("images    {}\n", preprocessing->second);
  say("note: nobody says how images were normalised: give --mean and --std, or normalise them yourself\n");
}

}  // namespace

std::unique_ptr<Command> make_import() { return std::make_unique<Import>(); }

}  // namespace lookhere
