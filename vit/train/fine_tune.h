// Fine-tuning: the model file that a run begins with, which parameters are trained, and how fast each.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"
#include "tensor/safetensors.h"
#include "vit/train/recipe.h"

namespace lookhere {

// The file that says what no option does: --initial-checkpoint or, where a run goes on, its own checkpoint `resume`;
// null for a recipe without the former.
std::unique_ptr<const Safetensors> open_origin(const Recipe& recipe, const std::string& resume);

// load_training_data(recipe), normalised and cropped as the origin says. Throws Error if the images have other channels
// than the origin's model.
Dataset load_training_data(const Recipe& recipe, const Safetensors* origin);

// The recipe's model for this data, configured as the origin where no option says otherwise; what --freeze freezes has
// no gradient. A new run begins with the origin's weights (take_weights_of), and `notes` gets lines about them.
ViT begin_model(const Recipe& recipe, const Dataset& data, const Safetensors* origin, bool new_run,
                std::vector<std::string>& notes);

// --freeze: nothing but the head has a gradient.
void freeze_all_but_head(ViT& model);

// Gives the model the weights of the file wherever names and shapes agree; what an encoding has learned for another
// grid is resized, so that images of the new size mean what they meant (but for sincos, whose table belongs to the
// size). A head, or parameters of positions, of another shape stay as they are; for all else that is an Error naming
// the tensor and what the configurations differ in. Returns a line: what was taken, resized, left new and not used.
std::string take_weights_of(const Safetensors& file, ViT& model);

// What the optimizer is given: timm's layer-wise learning rates. `decay` to the power of 0 for the head and what pools
// before it, of `depth` - i for block i, of 1 for the norm behind the last block, and of depth + 1 for all in front.
std::vector<Parameter> trained_parameters(ViT& model, double decay);

}  // namespace lookhere
