// Which files of a folder are the images and labels of an IDX data set: MNIST's names, EMNIST's with the set's name in
// front (emnist-letters-train-images-idx3-ubyte), with dashes, dots or underscores, plain or as .gz.
#pragma once
#include <optional>

#include "vit/data/dataset.h"

namespace lookhere {

struct IdxFiles {
  std::string images, labels;  // paths
};

// Those of training ("train") or of testing ("t10k" or "test"); nothing if there are none. A plain file comes before
// its .gz. Throws Error if the folder holds several sets, or images without labels, naming the files.
std::optional<IdxFiles> find_idx(const std::string& folder, bool train);

bool is_idx_folder(const std::string& folder, bool train);
// As read_idx_dataset (vit/data/idx.h) reads the files that find_idx finds. Throws Error if there are none.
Dataset read_idx_folder(const std::string& folder, bool train);

}  // namespace lookhere
