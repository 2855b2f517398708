// A line for each format.
#include "vit/data/cifar.h"
#include "vit/data/format.h"
#include "vit/data/idx_folder.h"

namespace lookhere {

std::span<const Format> formats() {
  static constexpr Format kFormats[]{
      {"IDX", "train-images-idx...", "t10k-images-idx...", is_idx_folder, read_idx_folder},
      {"CIFAR-10", "data_batch_1.bin", "test_batch.bin", is_cifar10, read_cifar10},
      {"CIFAR-100", "train.bin", "test.bin", is_cifar100, read_cifar100},
  };
  return kFormats;
}

}  // namespace lookhere
