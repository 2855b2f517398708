// lookhere predict: what a model takes one image for.
#include "tensor/finite.h"
#include "vit/cli/commands.h"
#include "vit/cli/picture.h"
#include "vit/cli/test_image.h"
#include "vit/eval/accuracy.h"
#include "vit/model/weights.h"
#include "vit/show/bars.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

class Predict : public Command {
 public:
  Page page() const override {
    return {.name = "predict",
            .summary = "The most probable classes of one image, as bars",
            .examples =
                "  lookhere predict --model best.safetensors fashion:0\n"
                "  lookhere predict --model best.safetensors image.npy\n"
                "  lookhere predict --model best.safetensors photo.jpg"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true}, model);
    o.add({.names = "image", .help = kPictureDescription, .required = true}, image);
    o.add({.names = "--top-k", .help = "how many classes", .range = {.low = 1}}, top_k);
    add_global_slope(o, global_slope);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, image;
  DeviceChoice device;
  double global_slope = -1;
  long top_k = 5;
};

void Predict::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, with_global_slope(config_of(file), global_slope), Dtype::f32, on);
  const CommandImage picture = read_picture("predict", image, file);
  const Tensor logits = logits_of(vit, picture.image);
  check_finite(logits, image, ": the model's answer");
  const std::vector<float> p = softmax(logits.host<float>(), vit.config().classes);
  write_to_stdout(top_k_bars(picture.class_names, p, top_k));
  if (!picture.answer.empty()) print("it is: {}\n", picture.answer);
}

}  // namespace

std::unique_ptr<Command> make_predict() { return std::make_unique<Predict>(); }

}  // namespace lookhere
