// lookhere predict: what a model takes pictures for.
#include "tensor/file.h"
#include "vit/cli/answers.h"
#include "vit/cli/commands.h"
#include "vit/model/weights.h"
#include "vit/show/bars.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

class Predict : public Command {
 public:
  Page page() const override {
    return {.name = "predict",
            .summary = "The most probable classes of pictures, as bars",
            .examples =
                "  lookhere predict --model best.safetensors fashion:0\n"
                "  lookhere predict --model best.safetensors image.npy\n"
                "  lookhere predict --model best.safetensors photo.jpg holiday/ --output answers.svg"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "pictures",
           .help = std::string(kPictureDescription) + "; or a folder of photographs",
           .required = true,
           .file = File::read},
          words);
    o.add({.names = "--top-k", .help = "how many classes", .range = {.low = 1}}, top_k);
    o.add(
        {.names = "--output", .help = "also a picture of all with their likeliest class (svg)", .file = File::written},
        output);
    o.add({.names = "--on-bad-image", .help = "error, or skip: go on without it"}, on_bad_image);
    add_picture_options(o, chosen);
    add_global_slope(o, global_slope);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, output, on_bad_image = "error";
  std::vector<std::string> words;
  PictureOptions chosen;
  DeviceChoice device;
  double global_slope = -1;
  long top_k = 5;
};

void Predict::run() const {
  check(on_bad_image == "error" || on_bad_image == "skip", "--on-bad-image: wanted error or skip, got ",
        shown(on_bad_image));
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, with_global_slope(config_of(file), global_slope), Dtype::f32, on);
  const std::vector<std::string> all = pictures_in(words);
  Answers answers(all.size() == 1 ? all[0] : "pictures");
  long skipped = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CommandImage picture;
    try {
      picture = read_picture("predict", all[i], file, chosen);
    } catch (const Error& error) {
      if (on_bad_image == "error") throw;
      say("{}\n", error.what());
      ++skipped;
      continue;
    }
    const std::vector<float> p = answer_to(vit, picture, all[i] + ": the model's answer");
    if (i) print("\n");
    if (all.size() > 1) print("{}\n", all[i]);
    write_to_stdout(top_k_bars(picture.class_names, p, top_k));
    if (!picture.answer().empty()) print("it is: {}\n", picture.answer());
    if (!output.empty()) answers.add(picture, p);
  }
  if (skipped) say("note: {} of {} pictures were skipped\n", skipped, all.size());
  check(skipped < static_cast<long>(all.size()), "predict: none of ", all.size(), " pictures can be read");
  if (output.empty()) return;
  const std::string svg = answers.svg();
  write_atomically(output, [&](FileWriter& out) { out.write(svg); });
  print("{}\n", output);
}

}  // namespace

std::unique_ptr<Command> make_predict() { return std::make_unique<Predict>(); }

}  // namespace lookhere
