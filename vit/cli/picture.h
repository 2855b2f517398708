// The pictures of a command line: arrays, photographs, folders of them, or images of test sets.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "vit/cli/command.h"
#include "vit/eval/input_size.h"

namespace lookhere {

inline constexpr const char* kPictureDescription =
    "FILE.npy (CHW: float32 normalised, or uint8), a JPEG or PNG file, or DATA:INDEX of a test set";

// How a picture becomes what the model sees; what is not given is as the model's file says.
struct PictureOptions {
  long img_size = 0;
  std::string size_rule, interpolation;
  double crop_pct = 0;
};
void add_picture_options(Options& options, PictureOptions& chosen);

// The two sides of what the model sees.
struct InputSize {
  InputSide height, width;
};
// Of --img-size or, without, of the model, by --size-rule or, without, the model's own. Throws Error as input_side, and
// for a rule that is none.
InputSize input_size(const ViTConfig& model, const PictureOptions& chosen, SizeRule own);
// Cropped as crop_for_side says, unless something else was chosen. Throws Error for an interpolation that is none.
void crop_as_chosen(Dataset& images, const ViTConfig& model, const InputSize& size, const PictureOptions& chosen);

struct CommandImage {
  Tensor image;  // f32 [1, C, Y, X], normalised
  std::vector<std::string> class_names;
  long label = -1;                             // the true class, if known
  std::optional<Preprocessing> preprocessing;  // how it was normalised, if known
  std::string answer() const { return label < 0 ? "" : class_names[static_cast<std::size_t>(label)]; }
};

// Photographs and images of test sets are resized, arrays are taken as they are. Throws Error, beginning with the
// command's name or naming the file, for what is none of the three or does not fit the model.
CommandImage read_picture(const char* command, const std::string& text, const Safetensors& model,
                          const PictureOptions& chosen = {});

// The images of a test set, one by one.
class TestPictures {
 public:
  TestPictures(const std::string& data, const Safetensors& model, const PictureOptions& chosen = {});
  long size() const { return dataset_.size(); }
  CommandImage read(long index) const;  // throws Error if there is no such image

 private:
  InputSize size_;
  Dataset dataset_;
};

// The words, and instead of a folder all JPEG and PNG files in and below it, told by their endings, in the order of
// their bytes. Throws Error for a folder without any.
std::vector<std::string> pictures_in(const std::vector<std::string>& words);

// The pixels from 0 to 255, (C, Y, X): what normalising has made of them undone or, where that is not known, the image
// stretched from its smallest value to its largest.
std::vector<std::uint8_t> pixels_of(const CommandImage& picture);

}  // namespace lookhere
