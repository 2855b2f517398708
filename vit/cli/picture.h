// The one image of a command line: an array, a photograph or one of a test set.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "vit/model/preprocessing.h"
#include "vit/model/vit.h"

namespace lookhere {

inline constexpr const char* kPictureDescription =
    "FILE.npy (CHW: float32 normalised, or uint8), a JPEG or PNG file, or DATA:INDEX of a test set";

struct CommandImage {
  Tensor image;  // f32 [1, C, Y, X], normalised
  std::vector<std::string> class_names;
  std::string answer;                          // the true class, if known
  std::optional<Preprocessing> preprocessing;  // how it was normalised, if known
};

// Photographs and images of test sets are resized to the model's size, arrays are taken as they are. Throws Error,
// beginning with the command's name or naming the file, for what is none of the three or does not fit the model.
CommandImage read_picture(const char* command, const std::string& text, const Safetensors& model);

// The pixels from 0 to 255, (C, Y, X): what normalising has made of them undone or, where that is not known, the image
// stretched from its smallest value to its largest.
std::vector<std::uint8_t> pixels_of(const CommandImage& picture);

}  // namespace lookhere
