// Photographs in folders named after their classes, as torchvision's ImageFolder has them:
// FOLDER/train/CLASS/.../x.jpg, and FOLDER/val or else FOLDER/test alike. Without a folder for testing, or with
// FOLDER/CLASS/... alone, options.val_split of each class is held out: those whose names hash lowest, so that they stay
// the same while others come.
#pragma once
#include <string>

#include "vit/data/sources.h"

namespace lookhere {

bool is_image_folder(const std::string& folder, bool train);

// Names are listed; images are read when they are needed, by whoever needs them, and differ in size. Classes are called
// as their folders are. mean and std are ImageNet's, as torchvision's models want them, and of test images 7/8 of the
// shorter side are seen. Throws Error as list_images
// does (vit/data/image_files.h), for options out of range, and if the split has no image.
Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options);

}  // namespace lookhere
