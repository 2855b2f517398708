// lookhere eval: accuracy of a model at the training or another resolution.
#include "vit/eval/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vit/cli/commands.h"
#include "vit/eval/test_set.h"
#include "vit/model/json.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {

namespace {

class Eval : public Command {
 public:
  Page page() const override {
    return {.name = "eval",
            .summary = "Accuracy of a model on a test set, at any resolution",
            .examples =
                "  lookhere eval --model runs/fashion/best.safetensors --data fashion\n"
                "  lookhere eval --model runs/fashion/best.safetensors --data fashion --img-size 56"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true}, model);
    o.add({.names = "--data", .help = source_help()}, data);
    o.add({.names = "--img-size", .help = "resize the images to this side (0: the model's)", .range = {.low = 0}},
          img_size);
    o.add({.names = "-b,--batch-size", .help = "images at a time"}, batch_size);
    o.add({.names = "--on-bad-image", .help = "error, or skip: another image of the class in its place"}, on_bad_image);
    o.add({.names = "-j,--workers", .help = "threads that prepare batches", .range = {1, 256}}, workers);
    add_global_slope(o, global_slope);
    add_device(o, device);
    o.add({.names = "--use-ema", .help = "the averaged weights of a checkpoint"}, use_ema);
    o.add({.names = "--json", .help = "one JSON object instead of a table"}, json);
  }
  void run() const override;

 private:
  std::string model, data = "fashion", on_bad_image = "error";
  DeviceChoice device;
  double global_slope = -1;
  long img_size = 0, batch_size = 256, workers = 1;
  bool use_ema = false, json = false;
};

void Eval::run() const {
  const Device on = device.use();
  announce();
  const Safetensors file(model);
  ViT vit = load_model(file, with_global_slope(config_of(file), global_slope), Dtype::f32, on);
  if (use_ema) {
    check(std::ranges::any_of(file.entries(), [](const auto& entry) { return entry.name.starts_with("ema."); }), model,
          ": has no averaged weights (train with --model-ema-decay)");
    load_weights(vit, file, "ema.");
  }
  const ViTConfig& config = vit.config();
  const long height = img_size ? img_size : config.height, width = img_size ? img_size : config.width;
  check(height % config.patch == 0 && width % config.patch == 0, "--img-size: wanted a multiple of the patch size ",
        config.patch, ", got ", img_size);
  DatasetOptions options;
  options.shapes_size = options.glyphs_size = height, options.on_bad_image = on_bad_image;
  const Dataset dataset = load_test_set(data, file, options);
  Loader loader(dataset, {.batch_size = batch_size,
                          .image_height = height,
                          .image_width = width,
                          .workers = static_cast<int>(workers),
                          .device = on});
  Progress progress("evaluate", dataset.size());
  const Accuracy result = evaluate(vit, loader,
                                   {.progress = [&](long done) { progress.update(done); },
                                    .stop = {},
                                    .note = [&](const std::string& line) { progress.note(line); }});
  check(result.first_bad < 0, data, ": the model's answer to image ", result.first_bad, " is not finite");
  check(std::isfinite(result.loss), data, ": the loss is not finite");
  progress.finish();
  if (const std::string note = dataset.skipped("test"); !note.empty()) say("note: {}\n", note);
  if (json) {
    // ASCII: whatever stands in a path, the terminal is safe and the JSON valid.
    const nlohmann::ordered_json object{{"model", model},          {"data", data},        {"img_size", {height, width}},
                                        {"images", result.images}, {"loss", result.loss}, {"top1", result.top1},
                                        {"top5", result.top5}};
    print("{}\n", to_text(object));
    return;
  }
  print("images {}\nsize   {}x{}\nloss   {:.4f}\ntop-1  {:.2f} %\ntop-5  {:.2f} %\n", result.images, height, width,
        result.loss, result.top1, result.top5);
}

}  // namespace

std::unique_ptr<Command> make_eval() { return std::make_unique<Eval>(); }

}  // namespace lookhere
