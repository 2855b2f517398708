// lookhere gradients: the gradient of every parameter, for other programs to compare with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/finite.h"
#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/cli/images.h"
#include "vit/model/weights.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

class Gradients : public Command {
 public:
  Page page() const override {
    return {.name = "gradients",
            .summary = "Gradient of the mean cross-entropy for every parameter",
            .examples =
                "  lookhere gradients --model best.safetensors --images x.npy --labels y.npy "
                "--output grads.safetensors"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "--images", .help = "npy, NCHW, float32 normalised or uint8", .required = true, .file = File::read},
          images);
    o.add({.names = "--labels", .help = "npy, integers", .required = true, .file = File::read}, labels);
    o.add({.names = "--output",
           .help = "where the gradients go (safetensors; the loss is in the metadata)",
           .required = true,
           .file = File::written},
          output);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, images, labels, output;
  DeviceChoice device;
};

void Gradients::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const Tensor x = load_images(images, file), y = load_npy(labels);
  const long count = x.shape()[0];
  check(y.dtype() == Dtype::i64 && y.shape() == Shape{count}, labels, ": wanted ", count,
        " integer labels (one per image), got ", y.dtype(), " ", y.shape());
  double loss = 0;
  // Always the same chunks: sums of gradients depend on them.
  Progress progress("gradients", count);
  for (long begin = 0; begin < count; begin += kImagesAtATime) {
    const long end = std::min(begin + kImagesAtATime, count);
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const Var logits = vit(Var(x.rows(begin, end).to(on)));
    check_finite(logits.value(), images, ": the model's answer to images ", begin, " to ", end - 1);
    const Var part = scale(softmax_cross_entropy(logits, y.rows(begin, end)), share);
    loss += part.value().item();
    part.backward();
    progress.update(end);
  }
  progress.finish_quietly();
  check(std::isfinite(loss), images, ": the loss is not finite");
  NamedTensors gradients;
  for_each_parameter(vit, [&](const std::string& name, const Var& p) {
    gradients.emplace_back(name, p.grad().defined() ? p.grad() : zeros_like(p.value()));
    check_finite(gradients.back().second, images, ": the gradient of ", name);
  });
  save_safetensors(output, gradients, {{"loss", fmt::format("{:.9g}", loss)}});
}

}  // namespace

std::unique_ptr<Command> make_gradients() { return std::make_unique<Gradients>(); }

}  // namespace lookhere
