// lookhere gallery: test images and what a model takes them for, as a picture.
#include "vit/show/gallery.h"

#include <algorithm>

#include "tensor/file.h"
#include "tensor/finite.h"
#include "vit/cli/commands.h"
#include "vit/cli/test_image.h"
#include "vit/eval/accuracy.h"
#include "vit/eval/test_set.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

class Gallery : public Command {
 public:
  Page page() const override {
    return {.name = "gallery",
            .summary = "Test images and what the model takes them for, as a picture",
            .examples = "  lookhere gallery --model best.safetensors --data fashion --output predictions.svg"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true}, model);
    o.add({.names = "--data", .help = source_help()}, data);
    o.add({.names = "--count", .help = "how many images, from the first", .range = {.low = 1}}, count);
    o.add({.names = "--output", .help = "picture (svg)"}, output);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, data = "fashion", output = "predictions.svg";
  DeviceChoice device;
  long count = 40;
};

void Gallery::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const Dataset dataset = load_test_set(data, file, vit.config().height);
  std::vector<Prediction> predictions;
  const long shown_count = std::min(count, dataset.size());
  Progress progress("gallery", shown_count);
  for (long index = 0; index < shown_count; ++index) {
    const Tensor logits = logits_of(vit, image_of(dataset, index, vit.config()));
    check_finite(logits, data, ": the model's answer to image ", index);
    const std::vector<float> p = softmax(logits.host<float>(), vit.config().classes);
    const auto best = std::max_element(p.begin(), p.end());
    predictions.push_back({.index = index, .predicted = best - p.begin(), .probability = *best});
    progress.update(index + 1);
  }
  progress.finish_quietly();
  const std::string svg = gallery_svg(dataset, predictions);
  write_atomically(output, [&](FileWriter& out) { out.write(svg); });
  print("{}\n", output);
}

}  // namespace

std::unique_ptr<Command> make_gallery() { return std::make_unique<Gallery>(); }

}  // namespace lookhere
