// lookhere forward: logits of arrays, for other programs to compare with.
#include "tensor/finite.h"
#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/cli/images.h"
#include "vit/eval/accuracy.h"
#include "vit/model/weights.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

class Forward : public Command {
 public:
  Page page() const override {
    return {.name = "forward",
            .summary = "Logits of images",
            .examples = "  lookhere forward --model best.safetensors --images x.npy --output logits.npy"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "--images",
           .help = "npy, NCHW, float32 normalised or uint8, any height and width divisible by the patch",
           .required = true,
           .file = File::read},
          images);
    o.add({.names = "--output",
           .help = "where the logits go (npy, images x classes)",
           .required = true,
           .file = File::written},
          output);
    add_global_slope(o, global_slope);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, images, output;
  DeviceChoice device;
  double global_slope = -1;
};

void Forward::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, with_global_slope(config_of(file), global_slope), Dtype::f32, on);
  const Tensor x = load_images(images, file);
  const NoGrad evaluation;
  Tensor logits = empty({x.shape()[0], vit.config().classes}, Dtype::f32, Device::cpu);
  Progress progress("forward", x.shape()[0]);
  Parts parts(kImagesAtATime, on);
  parts.for_each(x.shape()[0], [&](long begin, long end) {
    logits.rows(begin, end).copy_from(vit(Var(x.rows(begin, end).to(on))).value());
    if (const std::string note = parts.take_note(); !note.empty()) progress.note("forward: " + note);
    progress.update(end);
  });
  progress.finish_quietly();
  check_finite(logits, images, ": the model's answer");
  save_npy(output, logits);
}

}  // namespace

std::unique_ptr<Command> make_forward() { return std::make_unique<Forward>(); }

}  // namespace lookhere
