// lookhere predict, lookhere gallery: what a model takes images for.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/file.h"
#include "tensor/finite.h"
#include "vit/cli/commands.h"
#include "vit/cli/images.h"
#include "vit/eval/accuracy.h"
#include "vit/eval/test_set.h"
#include "vit/model/weights.h"
#include "vit/show/bars.h"
#include "vit/show/console.h"
#include "vit/show/gallery.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

std::vector<float> softmax(const float* logits, long classes) {
  const float max = *std::max_element(logits, logits + classes);
  std::vector<float> p(logits, logits + classes);
  float sum = 0;
  for (float& v : p) sum += v = std::exp(v - max);
  for (float& v : p) v /= sum;
  return p;
}

// Image `index`, normalised and at the model's size: [1, C, Y, X]
Tensor image_of(const Dataset& dataset, long index, const ViTConfig& config) {
  check(0 <= index && index < dataset.size(), dataset.name, ": wanted an image from 0 to ", dataset.size() - 1,
        ", got ", index);
  Tensor stored = empty({dataset.channels, dataset.height, dataset.width}, Dtype::f32, Device::cpu);
  load_image(dataset, index, stored.host<float>());
  Tensor image = empty({1, config.channels, config.height, config.width}, Dtype::f32, Device::cpu);
  const Resize resize(dataset.height, dataset.width, config.height, config.width);
  std::vector<float> scratch(static_cast<std::size_t>(resize.scratch_size()));
  resize(image.host<float>(), stored.host<float>(), dataset.channels, scratch.data());
  return image;
}

struct Question {
  Tensor image;  // [1, C, Y, X]
  std::vector<std::string> class_names;
  std::string answer;  // the true class, if known
};

// "fashion:12": image 12 of the test set
Question read_from_data(const std::string& text, std::size_t colon, const Safetensors& model) {
  long index = 0;
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, index);
  check(first != last && end == last && error == std::errc(),
        "predict: wanted FILE.npy or DATA:INDEX such as fashion:12, got '", text, "'");
  const ViTConfig config = config_of(model);
  const Dataset dataset = load_test_set(text.substr(0, colon), model, config.height);
  Question question{.image = image_of(dataset, index, config), .class_names = dataset.class_names, .answer = {}};
  question.answer = dataset.class_names[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(index)])];
  return question;
}

}  // namespace

void PredictCommand::run() const {
  check(top_k >= 1, "--top-k: wanted at least 1, got ", top_k);
  const Device on = device_from_name(device);
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const std::size_t colon = image.rfind(':');
  const bool is_file = image.ends_with(".npy") || colon == std::string::npos;
  const Question question =
      is_file ? Question{load_images(image, file, true), class_names_of(file, vit.config().classes), {}}
              : read_from_data(image, colon, file);
  const Tensor logits = logits_of(vit, question.image);
  check_finite(logits, image, ": the model's answer");
  const std::vector<float> p = softmax(logits.host<float>(), vit.config().classes);
  write_to_stdout(top_k_bars(question.class_names, p, top_k));
  if (!question.answer.empty()) print("it is: {}\n", question.answer);
}

void GalleryCommand::run() const {
  check(count >= 1, "--count: wanted at least 1, got ", count);
  const Device on = device_from_name(device);
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

}  // namespace lookhere
