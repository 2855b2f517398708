// last.safetensors: a model file that also holds everything needed to go on as if nothing had happened.
#pragma once
#include <string>

#include "nn/optim.h"
#include "vit/model/weights.h"
#include "vit/train/recipe.h"

namespace lookhere {

// Where a run stands. Random numbers need no state of their own: they follow from the recipe's seed and these counts.
struct TrainingState {
  long epoch = 0, images_in_epoch = 0;  // the next update begins with this image of the epoch's order
  long step = 0;                        // updates so far, skipped ones included
  long updates = 0;                     // updates made
  long skipped = 0, skipped_in_a_row = 0;
  // Summed over this epoch's updates that were not skipped, and how many; as in ShardedModel::Losses.
  double epoch_loss = 0, epoch_cross_entropy = 0;
  long epoch_losses = 0, epoch_cross_entropies = 0;
  double best_top1 = -1;
  long best_epoch = -1;
  long summary_bytes = 0, metrics_bytes = 0;  // the log files' sizes at this moment

  void visit(auto&& f) {
    f("epoch", epoch), f("images_in_epoch", images_in_epoch), f("step", step), f("updates", updates);
    f("skipped", skipped), f("skipped_in_a_row", skipped_in_a_row);
    f("epoch_loss", epoch_loss), f("epoch_losses", epoch_losses);
    f("epoch_cross_entropy", epoch_cross_entropy), f("epoch_cross_entropies", epoch_cross_entropies);
    f("best_top1", best_top1), f("best_epoch", best_epoch);
    f("summary_bytes", summary_bytes), f("metrics_bytes", metrics_bytes);
  }
};

void save_checkpoint(const std::string& path, ViT& model, const AdamW& optimizer, const Recipe& recipe,
                     const TrainingState& state, const Metadata& more = {});
// What a run's best model is to be judged by: its loss, and how its data sets are split and drawn. The rest of its
// recipe is left out, so that the file does not depend on where its data lies, on workers or devices.
Metadata judging_metadata(const Recipe& recipe);
// The recipe of the run that a model file is of, as far as the file tells; the rest is as usual.
Recipe recipe_behind(const Safetensors& model);
// Throws Error if the file is a model without a run ("progress" in its metadata is missing).
Recipe recipe_of(const Safetensors& checkpoint);
TrainingState training_state_of(const Safetensors& checkpoint);
// Throws Error, naming tensor and element, for what is missing, does not fit the model, or is not finite.
void restore(const Safetensors& checkpoint, ViT& model, AdamW& optimizer);

// DIR, or DIR/last.safetensors: the checkpoint's path.
std::string checkpoint_path(const std::string& run);

}  // namespace lookhere
