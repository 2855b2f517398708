// A data set of encoded pictures, wherever they are stored: what is held out of them, and what is known of them.
#pragma once
#include <array>

#include "vit/data/dataset.h"
#include "vit/data/image_files.h"

namespace lookhere {

// What the test pictures' folder is called, whatever its capitals, or a word in the names of their archives: those of
// validation before those of a test.
inline constexpr std::array kValidationNames{"val", "validation", "valid"};
inline constexpr std::array kTestNames{"test", "testing"};

enum class Part { all, kept, held_out };  // of each class

// kept, held_out: all but options.val_split of each class, or that share: those whose names hash lowest, so that they
// stay the same while others come. Images are read when they are needed, by whoever needs them, and differ in size.
// mean and std are ImageNet's, as torchvision's models want them, and of test images 7/8 of the shorter side are seen.
// Throws Error for options out of range, and if the part has no image; `source` is for its message.
Dataset photographs(ImageFiles files, Part part, const DatasetOptions& options, const std::string& source);

}  // namespace lookhere
