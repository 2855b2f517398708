// A test set as a model sees it.
#pragma once
#include <string>

#include "vit/data/sources.h"
#include "vit/model/vit.h"
#include "vit/model/weights.h"

namespace lookhere {

// The test split of `source` (as load_dataset has it), normalised with the model's constants, its classes called what
// the model calls them; no training files are needed. A model without constants gets those that are published for the
// data or, in a folder, those of its training images, and stderr says so. Classes of other names are taken by number,
// and stderr says so. Throws Error if channels or classes do not fit the model.
Dataset load_test_set(const std::string& source, const Safetensors& model, const DatasetOptions& options);

}  // namespace lookhere
