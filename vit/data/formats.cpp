// A line for each format.
#include "vit/data/cifar.h"
#include "vit/data/format.h"
#include "vit/data/idx_folder.h"
#include "vit/data/image_folder.h"
#include "vit/data/webdataset.h"

namespace lookhere {
namespace {

// Of a format that leaves nothing to choose.
template <Dataset (*kRead)(const std::string&, bool)>
Dataset plain(const std::string& folder, bool train, const DatasetOptions&) {
  return kRead(folder, train);
}

}  // namespace

std::span<const Format> formats() {
  static constexpr Format kFormats[]{
      {"IDX", "train-images-idx...", "t10k-images-idx...", is_idx_folder, plain<read_idx_folder>},
      {"CIFAR-10", "data_batch_1.bin", "test_batch.bin", is_cifar10, plain<read_cifar10>},
      {"CIFAR-100", "train.bin", "test.bin", is_cifar100, plain<read_cifar100>},
      {"JPEG/PNG", "train/CLASS/....jpg or CLASS/....jpg", "val/CLASS/....jpg or CLASS/....jpg", is_image_folder,
       read_image_folder},
      {"webdataset", "train-0000.tar", "val-0000.tar", is_webdataset, read_webdataset},
  };
  return kFormats;
}

}  // namespace lookhere
