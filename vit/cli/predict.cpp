// lookhere predict, lookhere gallery: what a model takes images for.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tensor/file.h"
#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/eval/accuracy.h"
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

Dataset test_set(const std::string& data, const ViTConfig& config) {
  DatasetOptions options;
  if (data == "shapes") options.shapes_size = config.height;
  Dataset dataset = load_dataset(data, false, options);
  check(dataset.channels == config.channels && dataset.classes == config.classes, data, ": has ", dataset.channels,
        " channels and ", dataset.classes, " classes, the model wants ", config.channels, " and ", config.classes);
  return dataset;
}

// Image `index`, normalised and at the model's size: [1, C, Y, X]
Tensor image_of(const Dataset& dataset, long index, const ViTConfig& config) {
  check(0 <= index && index < dataset.size(), dataset.name, ": wanted an image from 0 to ", dataset.size() - 1,
        ", got ", index);
  Tensor stored = empty({dataset.channels, dataset.height, dataset.width});
  load_image(dataset, index, stored.data<float>());
  Tensor image = empty({1, config.channels, config.height, config.width});
  const Resize resize(dataset.height, dataset.width, config.height, config.width);
  std::vector<float> scratch(static_cast<std::size_t>(resize.scratch_size()));
  resize(image.data<float>(), stored.data<float>(), dataset.channels, scratch.data());
  return image;
}

struct Question {
  Tensor image;  // [1, C, Y, X]
  std::vector<std::string> class_names;
  std::string answer;  // the true class, if known
};

Question read_npy(const std::string& path, const std::vector<std::string>& class_names) {
  Tensor image = load_npy(path).to(Dtype::f32);
  const Shape shape = image.shape();
  if (shape.rank() == 3) image = image.reshape({1, shape[0], shape[1], shape[2]});
  check(image.shape().rank() == 4 && image.shape()[0] == 1, path, ": wanted one image [channels, height, width], got ",
        shape);
  return {.image = image, .class_names = class_names, .answer = {}};
}

// "fashion:12": image 12 of the test set
Question read_from_data(const std::string& text, std::size_t colon, const ViTConfig& config) {
  long index = 0;
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, index);
  check(first != last && end == last && error == std::errc(),
        "predict: wanted FILE.npy or DATA:INDEX such as fashion:12, got '", text, "'");
  const Dataset dataset = test_set(text.substr(0, colon), config);
  Question question{.image = image_of(dataset, index, config), .class_names = dataset.class_names, .answer = {}};
  question.answer = dataset.class_names[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(index)])];
  return question;
}

}  // namespace

void PredictCommand::run() const {
  check(top_k >= 1, "--top-k: wanted at least 1, got ", top_k);
  const Safetensors file(model);
  ViT vit = load_model(file);
  const std::size_t colon = image.rfind(':');
  const bool is_file = image.ends_with(".npy") || colon == std::string::npos;
  const Question question = is_file ? read_npy(image, class_names_of(file, vit.config().classes))
                                    : read_from_data(image, colon, vit.config());
  const Tensor logits = logits_of(vit, question.image);
  const std::vector<float> p = softmax(logits.data<float>(), vit.config().classes);
  print("{}", top_k_bars(question.class_names, p, top_k));
  if (!question.answer.empty()) print("it is: {}\n", question.answer);
}

void GalleryCommand::run() const {
  check(count >= 1, "--count: wanted at least 1, got ", count);
  ViT vit = load_model(model);
  const Dataset dataset = test_set(data, vit.config());
  std::vector<Prediction> predictions;
  const long shown_count = std::min(count, dataset.size());
  Progress progress("gallery", shown_count);
  for (long index = 0; index < shown_count; ++index) {
    const Tensor logits = logits_of(vit, image_of(dataset, index, vit.config()));
    const std::vector<float> p = softmax(logits.data<float>(), vit.config().classes);
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
