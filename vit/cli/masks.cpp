// lookhere masks: every head's field of view and penalty as a picture.
#include "vit/show/masks.h"

#include "tensor/file.h"
#include "vit/cli/commands.h"
#include "vit/cli/pair.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/train/synthetic_step.h"

namespace lookhere {
namespace {

// The model that the options describe, at the paper's 12 heads and 12 layers unless they say otherwise.
ViTConfig described(const Recipe& recipe) {
  Recipe complete = recipe;
  complete.model = "vit_base";
  return model_without_data(complete);
}

class Masks : public Command {
 public:
  Page page() const override {
    return {.name = "masks",
            .summary = "Every head's field of view and penalty as a picture",
            .examples =
                "  lookhere masks --position lh45 --grid 14x14 --output masks.svg\n"
                "  lookhere masks --position lookhere --directions halves-none --heads 6 --layer all\n"
                "  lookhere masks --model best.safetensors --layer all"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "draw the masks of this file", .file = File::model}, model);
    o.add({.names = "--grid", .help = "rows x columns of patches (default: the model's, 14x14)"}, grid);
    o.add({.names = "--query", .help = "row,column of the patch that looks (default: the centre)"}, query);
    o.add({.names = "--layer", .help = "a layer from 0, or all"}, layer);
    o.add({.names = "--output", .help = "picture (svg)", .file = File::written}, output);
    add_fields(o, recipe, {kPositionGroup, "heads", "depth"}, "--model");
  }
  void run() const override;

 private:
  std::string model;  // a file whose masks to draw; else the position described by the recipe
  Recipe recipe;
  std::string grid, output = "masks.svg", query, layer = "0";
};

void Masks::run() const {
  recipe.validate();
  ViTConfig config = described(recipe);
  if (!model.empty()) {
    const Safetensors file(model);
    config = config_of(file), config.position = trained_position_of(file);
  }
  MaskOptions options;
  if (layer == "all") {
    options.layer = kAllLayers;
  } else {
    check(layer.size() < 4 && !layer.empty() && layer.find_first_not_of("0123456789") == std::string::npos,
          "--layer: wanted a number or all, got '", layer, "'");
    options.layer = std::stol(layer);
  }
  const Grid patches = grid.empty() ? config.grid() : parse_pair("--grid", grid, 1, 'x');
  if (!query.empty()) {
    const Grid patch = parse_pair("--query", query, 0, ',');
    options.query_row = patch.y, options.query_column = patch.x;
  }
  const std::string svg = masks_svg(config.position, config.heads, config.depth, patches, options);
  write_atomically(output, [&](FileWriter& out) { out.write(svg); });
  print("{}\n", output);
}

}  // namespace

std::unique_ptr<Command> make_masks() { return std::make_unique<Masks>(); }

}  // namespace lookhere
