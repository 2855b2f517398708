// lookhere augment: what a model will see of its training images, as one picture to look at.
#include <algorithm>

#include "tensor/file.h"
#include "vit/cli/commands.h"
#include "vit/data/image_loader.h"
#include "vit/show/console.h"
#include "vit/show/png.h"

namespace lookhere {
namespace {

class AugmentCommand : public RecipeCommand {
 public:
  Page page() const override {
    return {.name = "augment",
            .summary = "A sheet of training images: a row for each, whole and then as some epochs see it",
            .examples =
                "  lookhere augment photos --img-size 128 --output sheet.png\n"
                "  lookhere augment fashion --recipe small-data --rows 4"};
  }
  void add_options(Options& o) override {
    o.add({.names = "data", .help = source_help(), .required = true, .file = File::read}, recipe.data);
    o.add({.names = "--output", .help = "PNG file", .file = File::written}, output);
    o.add({.names = "--rows", .help = "images", .range = {1, 100}}, rows);
    o.add({.names = "--epochs", .help = "views of each", .range = {1, 100}}, epochs);
    add_beginnings(o);
    add_fields(o, recipe,
               {"Augmentation", "img-size", "val-split", "class-order", "class-map", "on-bad-image", "seed"});
  }
  void run() const override;

 private:
  std::string output = "augment.png";
  long rows = 6, epochs = 7;
};

// The planes of an image in floats from 0 to 1, as pixels of the sheet at (top, left).
void put(std::vector<std::uint8_t>& sheet, long sheet_width, long top, long left, const Tensor& image) {
  const long channels = image.shape()[1], height = image.shape()[2], width = image.shape()[3];
  const float* values = image.host<float>();
  for (long y = 0; y < height; ++y)
    for (long x = 0; x < width; ++x)
      for (long c = 0; c < 3; ++c) {
        const float value = values[((channels == 3 ? c : 0) * height + y) * width + x];
        sheet[((top + y) * sheet_width + left + x) * 3 + c] =
            static_cast<std::uint8_t>(std::clamp(value * 255 + 0.5F, 0.F, 255.F));
      }
}

void AugmentCommand::run() const {
  Recipe chosen = recipe;
  chosen.validate();
  Dataset data = load_training_data(chosen);
  check(data.channels == 1 || data.channels == 3, "augment: wanted images of 1 or 3 channels, got ", data.channels);
  data.mean.assign(data.channels, 0), data.std.assign(data.channels, 1);  // to be seen as they are
  const LoaderOptions seen = training_loader(chosen, data);
  const long height = seen.image_height, width = seen.image_width;
  constexpr long kGap = 4;
  const long shown_rows = std::min(rows, data.size()), sheet_height = shown_rows * (height + kGap) - kGap,
             sheet_width = (epochs + 1) * (width + kGap) - kGap;
  std::vector<std::uint8_t> sheet(checked_mul(checked_mul(sheet_height, sheet_width), 3), 255);
  std::vector<std::uint32_t> order(data.size());
  shuffle_order(order, seen.seed, 0);
  ImageLoader loader(data, height, width);
  Tensor image = empty({1, data.channels, height, width}, Dtype::f32, Device::cpu);
  for (long row = 0; row < shown_rows; ++row)
    for (long column = 0; column <= epochs; ++column) {
      const long index = order[row], epoch = (column - 1) * seen.repeats;
      const View view =
          draw_view({.crop_padding = seen.crop_padding, .hflip = seen.hflip}, seen.seed, std::max(epoch, 0L), index);
      if (column == 0 || !seen.augment)
        loader.load(index, image.host<float>(), column == 0 ? View{} : view);
      else
        loader.load_augmented(index, image.host<float>(), *seen.augment, seen.seed, epoch);
      put(sheet, sheet_width, row * (height + kGap), column * (width + kGap), image);
    }
  write_atomically(output, [&](FileWriter& out) { out.write(png_bytes(sheet, sheet_height, sheet_width, 3)); });
  say("{} of {} images: the test's view, then {} epochs of training\n", shown_rows, data.size(), epochs);
  print("{}\n", output);
}

}  // namespace

std::unique_ptr<Command> make_augment() { return std::make_unique<AugmentCommand>(); }

}  // namespace lookhere
