// Photographs in folders named after their classes, as torchvision's ImageFolder has them:
// FOLDER/train/CLASS/.../x.jpg, and FOLDER/val or else FOLDER/test alike. Without a folder for testing, or with
// FOLDER/CLASS/... alone, options.val_split of each class is held out (vit/data/photographs.h).
#pragma once
#include <string>

#include "vit/data/sources.h"

namespace lookhere {

bool is_image_folder(const std::string& folder, bool train);

// Names are listed; images are read when they are needed. Classes are called as their folders are. Throws Error as
// list_images (vit/data/image_files.h) and photographs do.
Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options);

}  // namespace lookhere
