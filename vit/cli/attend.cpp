// lookhere attend: where a model's heads look in one image, as a picture and as numbers.
#include <fmt/format.h>

#include <algorithm>

#include "tensor/file.h"
#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/cli/pair.h"
#include "vit/cli/picture.h"
#include "vit/cli/test_image.h"
#include "vit/model/weights.h"
#include "vit/show/attention.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

class Attend : public Command {
 public:
  Page page() const override {
    return {.name = "attend",
            .summary = "Where the heads of a model look in one image, as a picture",
            .examples =
                "  lookhere attend --model best.safetensors fashion:0 --output maps.svg\n"
                "  lookhere attend --model best.safetensors photo.jpg --query 3,5 --npy rows.npy"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "image", .help = kPictureDescription, .required = true, .file = File::read}, image);
    o.add({.names = "--query", .help = "row,column of the patch that looks (default: what the classifier reads)"},
          query);
    o.add({.names = "--output", .help = "picture (svg)", .file = File::written}, output);
    o.add({.names = "--npy",
           .help = "also the rows that are drawn, float32 [layers, heads, tokens]",
           .file = File::written},
          npy);
    add_picture_options(o, chosen);
    add_device(o, device);
  }
  void run() const override;

 private:
  std::string model, image, query, output = "attention.svg", npy;
  PictureOptions chosen;
  DeviceChoice device;
};

void Attend::run() const {
  const Device on = device.use();
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const ViTConfig& config = vit.config();
  const CommandImage picture = read_picture("attend", image, file, chosen);
  const Shape shape = picture.image.shape();
  const Grid grid{shape[2] / config.patch, shape[3] / config.patch};
  std::optional<long> patch;
  if (!query.empty()) {
    const Grid at = parse_pair("--query", query, 0, ',');
    check(at.y < grid.y && at.x < grid.x, "--query: no patch in row ", at.y, " and column ", at.x, " of ", grid.y, "×",
          grid.x);
    patch = at.y * grid.x + at.x;
  }
  const AttentionMaps maps = attention_maps(vit, picture.image, patch);
  const std::vector<float> p = softmax(maps.logits.host<float>(), config.classes);
  const auto best = std::max_element(p.begin(), p.end());
  const std::string truth = picture.answer().empty() ? "" : fmt::format("; it is: {}", picture.answer());
  const std::vector<std::uint8_t> pixels = pixels_of(picture);
  const std::string svg = attention_svg(
      maps, config,
      {.title = "Attention in " + image.substr(image.rfind('/') + 1),
       .answer = fmt::format("taken for: {} ({:.0f} %){}", picture.class_names[best - p.begin()], 100 * *best, truth),
       .image = {.pixels = pixels.data(), .channels = shape[1], .height = shape[2], .width = shape[3]},
       .patch = patch});
  write_atomically(output, [&](FileWriter& out) { out.write(svg); });
  print("{}\n", output);
  if (npy.empty()) return;
  save_npy(npy, maps.rows);
  print("{}\n", npy);
}

}  // namespace

std::unique_ptr<Command> make_attend() { return std::make_unique<Attend>(); }

}  // namespace lookhere
