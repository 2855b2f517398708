// lookhere gallery: test images, or pictures, and what a model takes them for, as a picture.
#include "vit/show/gallery.h"

#include <algorithm>

#include "tensor/file.h"
#include "vit/cli/answers.h"
#include "vit/cli/commands.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

class Gallery : public Command {
 public:
  Page page() const override {
    return {.name = "gallery",
            .summary = "Test images, or pictures, and what the model takes them for, as a picture",
            .examples =
                "  lookhere gallery --model best.safetensors --data fashion --output predictions.svg\n"
                "  lookhere gallery --model best.safetensors holiday/ --output holiday.svg"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "pictures",
           .help = "instead of --data: " + std::string(kPictureDescription) + "; or a folder",
           .file = File::read},
          words);
    o.add({.names = "--data", .help = source_help(), .file = File::read, .not_with = "pictures"}, data);
    o.add({.names = "--count", .help = "how many images, from the first", .range = {.low = 1}}, count);
    o.add({.names = "--output", .help = "picture (svg)", .file = File::written}, output);
    add_picture_options(o, chosen);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, data = "fashion", output = "predictions.svg";
  std::vector<std::string> words;
  PictureOptions chosen;
  DeviceChoice device;
  long count = 40;
};

void Gallery::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  Answers answers(words.empty() ? data : "pictures");
  const std::vector<std::string> given = pictures_in(words);
  const std::unique_ptr<TestPictures> test =
      words.empty() ? std::make_unique<TestPictures>(data, file, chosen) : nullptr;
  const long shown = std::min(count, test ? test->size() : static_cast<long>(given.size()));
  Progress progress("gallery", shown);
  for (long i = 0; i < shown; ++i) {
    const CommandImage picture = test ? test->read(i) : read_picture("gallery", given[i], file, chosen);
    answers.add(picture, answer_to(vit, picture,
                                   test ? concat(data, ": the model's answer to image ", i)
                                        : given[i] + ": the model's answer"));
    progress.update(i + 1);
  }
  progress.finish_quietly();
  const std::string svg = answers.svg();
  write_atomically(output, [&](FileWriter& out) { out.write(svg); });
  print("{}\n", output);
}

}  // namespace

std::unique_ptr<Command> make_gallery() { return std::make_unique<Gallery>(); }

}  // namespace lookhere
