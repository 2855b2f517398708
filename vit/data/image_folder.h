// Photographs in folders named after their classes, as torchvision's ImageFolder has them:
// FOLDER/train/CLASS/.../x.jpg (or training), and for testing FOLDER/val (validation, valid) or else FOLDER/test
// (testing) alike, whatever their capitals. Without a folder for testing, or with FOLDER/CLASS/... alone,
// options.val_split of each class is held out (vit/data/photographs.h).
#pragma once
#include <string>

#include "vit/data/sources.h"

namespace lookhere {

bool is_image_folder(const std::string& folder, bool train);

// Names are listed; images are read when they are needed. Classes are called as their folders are. Throws Error as
// list_images (vit/data/image_files.h) and photographs do, and for training images of one class, which is what a folder
// one level too high has.
Dataset read_image_folder(const std::string& folder, bool train, const DatasetOptions& options);

// Would something in `path` belong to a class of this image folder?
bool is_among_classes(const std::string& folder, const std::string& path);

// "5 files passed over: .heic, .gif", those in class folders that are no images by their names; "": none.
std::string passed_over(const std::string& folder);

}  // namespace lookhere
