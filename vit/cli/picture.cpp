// The text's form decides which of the three it is.
#include "vit/cli/picture.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <span>

#include "tensor/file.h"
#include "tensor/system/posix.h"
#include "vit/cli/images.h"
#include "vit/cli/test_image.h"
#include "vit/data/photo/decode.h"
#include "vit/eval/test_set.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

bool is_photo(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(".jpg") || name.ends_with(".jpeg") || name.ends_with(".png");
}

Tensor seen(const Dataset& dataset, long index, const InputSize& size) {
  ViTConfig resized;
  resized.channels = dataset.channels, resized.height = size.height.resized, resized.width = size.width.resized;
  return fitted(image_of(dataset, index, resized), size.height.seen, size.width.seen);
}

// "fashion:12": image 12 of the test set
CommandImage read_from_data(const char* command, const std::string& text, std::size_t colon, const Safetensors& model,
                            const PictureOptions& chosen) {
  long index = 0;
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, index);
  check(first != last && end == last && error == std::errc(), command,
        ": wanted a JPEG, PNG or npy file or DATA:INDEX such as fashion:12, got '", text, "'");
  return TestPictures(text.substr(0, colon), model, chosen).read(index);
}

Tensor read_photo(const std::string& path, const ViTConfig& config, const Preprocessing& preprocessing,
                  const PictureOptions& chosen) {
  const MappedFile file(path);
  std::vector<std::uint8_t> pixels;
  const Image image = decode_photo({file.data(), static_cast<std::size_t>(file.size())}, path, pixels);
  check(image.channels == config.channels, path, ": has ", image.channels, " channels, the model wants ",
        config.channels);
  Dataset one;
  one.name = path, one.classes = 1, one.labels = {0}, one.class_names = {path};
  take(one, preprocessing);
  one.set_images(std::vector(image.pixels, image.pixels + image.numel()), image.channels, image.height, image.width);
  const InputSize size = input_size(config, chosen, preprocessing.size_rule);
  crop_as_chosen(one, config, size, chosen);
  return seen(one, 0, size);
}

}  // namespace

TestPictures::TestPictures(const std::string& data, const Safetensors& model, const PictureOptions& chosen) {
  const ViTConfig config = config_of(model);
  size_ = input_size(config, chosen, preprocessing_of(model, config.channels).value_or(Preprocessing()).size_rule);
  DatasetOptions options = dataset_options(recipe_behind(model));
  options.shapes_size = options.glyphs_size = size_.height.resized;
  dataset_ = load_test_set(data, model, options);
  crop_as_chosen(dataset_, config, size_, chosen);
}

CommandImage TestPictures::read(long index) const {
  check(0 <= index && index < size(), dataset_.name, ": wanted an image from 0 to ", size() - 1, ", got ", index);
  return {.image = seen(dataset_, index, size_),
          .class_names = dataset_.class_names,
          .label = dataset_.labels[static_cast<std::size_t>(index)],
          .preprocessing = Preprocessing{.mean = dataset_.mean, .std = dataset_.std}};
}

void add_picture_options(Options& o, PictureOptions& chosen) {
  o.add({.names = "--img-size", .help = "resize images to this side (0: the model's)", .range = {0, 16384}},
        chosen.img_size);
  o.add({.names = "--size-rule",
         .help =
             "for sizes that are no multiple of the patch: resize (to the nearest), crop or pad (empty: the model's)"},
        chosen.size_rule);
  o.add({.names = "--crop-pct",
         .help = "part of the shorter side that is seen (0: the model's, at other sizes than its own 1; where it has "
                 "none, the "
                 "whole, resized)",
         .range = {0, 16}},
        chosen.crop_pct);
  o.add({.names = "--interpolation", .help = "of these crops: bilinear or bicubic (empty: the model's)"},
        chosen.interpolation);
}

InputSize input_size(const ViTConfig& model, const PictureOptions& chosen, SizeRule own) {
  const SizeRule rule = chosen.size_rule.empty() ? own : size_rule_from_name(chosen.size_rule);
  const long height = chosen.img_size ? chosen.img_size : model.height;
  const long width = chosen.img_size ? chosen.img_size : model.width;
  return {input_side(height, model.patch, rule), input_side(width, model.patch, rule)};
}

void crop_as_chosen(Dataset& images, const ViTConfig& model, const InputSize& size, const PictureOptions& chosen) {
  crop_for_side(images, model, size.height.resized);
  if (chosen.crop_pct > 0) images.crop_ratio = chosen.crop_pct;
  if (!chosen.interpolation.empty()) images.interpolation = interpolation_from_name(chosen.interpolation);
}

std::vector<std::string> pictures_in(const std::vector<std::string>& words) {
  std::vector<std::string> all;
  for (const std::string& word : words) {
    std::error_code error;
    if (!std::filesystem::is_directory(word, error)) {
      all.push_back(word);
      continue;
    }
    const auto begin = static_cast<long>(all.size());
    for (std::filesystem::recursive_directory_iterator it(word, error), end; !error && it != end; it.increment(error))
      if (std::error_code ignored; it->is_regular_file(ignored) && is_photo(it->path().string()))
        all.push_back(it->path().string());
    check_system(error, "list", word);
    std::sort(all.begin() + begin, all.end());
    check(static_cast<long>(all.size()) > begin, word, ": wanted JPEG or PNG files in or below this folder, got none");
  }
  return all;
}

CommandImage read_picture(const char* command, const std::string& text, const Safetensors& model,
                          const PictureOptions& chosen) {
  const std::size_t colon = text.rfind(':');
  std::error_code ignored;
  const bool photo = is_photo(text) || (!text.ends_with(".npy") && std::filesystem::is_regular_file(text, ignored));
  if (!photo && !text.ends_with(".npy") && colon != std::string::npos)
    return read_from_data(command, text, colon, model, chosen);
  const ViTConfig config = config_of(model);
  CommandImage picture{.image = {},
                       .class_names = class_names_of(model, config.classes),
                       .preprocessing = preprocessing_of(model, config.channels)};
  check(!photo || picture.preprocessing, text, ": photographs are normalised as the model says, but ", model.path(),
        " does not say how: normalise it and store float32 (npy)");
  picture.image = photo ? read_photo(text, config, *picture.preprocessing, chosen) : load_images(text, model, true);
  return picture;
}

std::vector<std::uint8_t> pixels_of(const CommandImage& picture) {
  const Tensor& image = picture.image;
  if (picture.preprocessing) return pixels_of(image, *picture.preprocessing);
  const std::span<const float> values(image.host<float>(), image.numel());
  const auto [low, high] = std::ranges::minmax(values);
  const float spread = high > low ? high - low : 1;
  const auto channels = static_cast<std::size_t>(image.shape()[1]);
  return pixels_of(
      image, {.mean = std::vector<float>(channels, -low / spread), .std = std::vector<float>(channels, 1 / spread)});
}

}  // namespace lookhere
