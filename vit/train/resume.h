// What a resumed run owes to whoever resumes it: the same data, and a word about everything that is not as it was.
#pragma once
#include <string>
#include <vector>

#include "tensor/safetensors.h"
#include "vit/data/dataset.h"
#include "vit/train/recipe.h"
#include "vit/train/run_folder.h"

namespace lookhere {

// Hashes of a run's images and labels, for its checkpoint's metadata.
Metadata data_hashes(const Dataset& train, const Dataset& test);
// Throws Error if the checkpoint's run saw other images or labels.
void require_same_data(const Safetensors& checkpoint, const Dataset& train, const Dataset& test);

// Throws Error if the folder's config.toml says neither what the checkpoint does nor what is asked for now: it was
// edited, and would have no effect. Or if another file of the folder is not one that a run has written.
void require_own_files(const RunFolder& folder, const Recipe& saved, const Recipe& now, const ViTConfig& model);

// Each option that differs, as text.
struct OptionChange {
  std::string name, before, after;
};
std::vector<OptionChange> differences(const Recipe& before, const Recipe& after);
// The same as lines, "epochs 2 -> 3".
std::vector<std::string> changed_options(const Recipe& saved, const Recipe& now);

}  // namespace lookhere
