// lookhere predict: what a model takes one image for.
#include <charconv>
#include <filesystem>

#include "tensor/finite.h"
#include "vit/cli/commands.h"
#include "vit/cli/images.h"
#include "vit/cli/test_image.h"
#include "vit/eval/accuracy.h"
#include "vit/eval/test_set.h"
#include "vit/model/weights.h"
#include "vit/show/bars.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

struct LabelledImage {
  Tensor image;  // [1, C, Y, X]
  std::vector<std::string> class_names;
  std::string answer;  // the true class, if known
};

// "fashion:12": image 12 of the test set
LabelledImage read_from_data(const std::string& text, std::size_t colon, const Safetensors& model) {
  long index = 0;
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, index);
  check(first != last && end == last && error == std::errc(),
        "predict: wanted a JPEG, PNG or npy file or DATA:INDEX such as fashion:12, got '", text, "'");
  const ViTConfig config = config_of(model);
  const Dataset dataset = load_test_set(text.substr(0, colon), model, config.height);
  LabelledImage labelled{.image = image_of(dataset, index, config), .class_names = dataset.class_names, .answer = {}};
  labelled.answer = dataset.class_names[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(index)])];
  return labelled;
}

class Predict : public Command {
 public:
  Page page() const override {
    return {.name = "predict",
            .summary = "The most probable classes of one image, as bars",
            .examples =
                "  lookhere predict --model best.safetensors fashion:0\n"
                "  lookhere predict --model best.safetensors holiday.jpg"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true}, model);
    o.add({.names = "image",
           .help = "a JPEG, PNG or npy file (CHW: float32 normalised, or uint8) or DATA:INDEX of a test set",
           .required = true},
          image);
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
  const std::size_t colon = image.rfind(':');
  std::error_code ignored;
  const bool array = image.ends_with(".npy"), photo = !array && std::filesystem::is_regular_file(image, ignored);
  check(array || photo || colon != std::string::npos, "predict: there is no file ", shown(image));
  const LabelledImage labelled = array || photo
                                     ? LabelledImage{array ? load_images(image, file, true) : load_photo(image, file),
                                                     class_names_of(file, vit.config().classes),
                                                     {}}
                                     : read_from_data(image, colon, file);
  const Tensor logits = logits_of(vit, labelled.image);
  check_finite(logits, image, ": the model's answer");
  const std::vector<float> p = softmax(logits.host<float>(), vit.config().classes);
  write_to_stdout(top_k_bars(labelled.class_names, p, top_k));
  if (!labelled.answer.empty()) print("it is: {}\n", labelled.answer);
}

}  // namespace

std::unique_ptr<Command> make_predict() { return std::make_unique<Predict>(); }

}  // namespace lookhere
