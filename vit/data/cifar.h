// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one or two label bytes and 32 x 32 pixels,
// the red plane first, then green and blue.
#pragma once
#include <string>

#include "vit/data/dataset.h"

namespace lookhere {

// Whether any of the set's files is there, whatever the split.
bool is_cifar10(const std::string& folder, bool train);
bool is_cifar100(const std::string& folder, bool train);

// data_batch_1.bin ... data_batch_5.bin for training or test_batch.bin; class names from batches.meta.txt if present.
Dataset read_cifar10(const std::string& folder, bool train);
// train.bin or test.bin with the fine labels; class names from fine_label_names.txt if present.
Dataset read_cifar100(const std::string& folder, bool train);
// Both give the published mean and std, take any number of records >= 1, name classes by number where there is no file
// of names, and throw Error if a file is missing, is no whole number of records, or holds a label out of range.

}  // namespace lookhere
