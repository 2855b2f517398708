// The text's form decides which of the three it is.
#include "vit/cli/picture.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <span>

#include "tensor/file.h"
#include "vit/cli/images.h"
#include "vit/cli/test_image.h"
#include "vit/data/photo/decode.h"
#include "vit/eval/test_set.h"

namespace lookhere {
namespace {

bool is_photo(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(".jpg") || name.ends_with(".jpeg") || name.ends_with(".png");
}

// "fashion:12": image 12 of the test set
CommandImage read_from_data(const char* command, const std::string& text, std::size_t colon, const Safetensors& model) {
  long index = 0;
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, index);
  check(first != last && end == last && error == std::errc(), command,
        ": wanted a JPEG, PNG or npy file or DATA:INDEX such as fashion:12, got '", text, "'");
  const ViTConfig config = config_of(model);
  const Dataset dataset = load_test_set(text.substr(0, colon), model, config.height);
  CommandImage picture{.image = image_of(dataset, index, config),
                       .class_names = dataset.class_names,
                       .answer = {},
                       .preprocessing = Preprocessing{.mean = dataset.mean, .std = dataset.std}};
  picture.answer = dataset.class_names[static_cast<std::size_t>(dataset.labels[static_cast<std::size_t>(index)])];
  return picture;
}

Tensor read_photo(const std::string& path, const ViTConfig& config, const Preprocessing& preprocessing) {
  const MappedFile file(path);
  std::vector<std::uint8_t> pixels;
  const Image image = decode_photo({file.data(), static_cast<std::size_t>(file.size())}, path, pixels);
  check(image.channels == config.channels, path, ": has ", image.channels, " channels, the model wants ",
        config.channels);
  Dataset one;
  one.name = path, one.classes = 1, one.labels = {0}, one.class_names = {path};
  take(one, preprocessing);
  one.set_images(std::vector(image.pixels, image.pixels + image.numel()), image.channels, image.height, image.width);
  return image_of(one, 0, config);
}

}  // namespace

CommandImage read_picture(const char* command, const std::string& text, const Safetensors& model) {
  const std::size_t colon = text.rfind(':');
  std::error_code ignored;
  const bool photo = is_photo(text) || (!text.ends_with(".npy") && std::filesystem::is_regular_file(text, ignored));
  if (!photo && !text.ends_with(".npy") && colon != std::string::npos)
    return read_from_data(command, text, colon, model);
  const ViTConfig config = config_of(model);
  CommandImage picture{.image = {},
                       .class_names = class_names_of(model, config.classes),
                       .answer = {},
                       .preprocessing = preprocessing_of(model, config.channels)};
  check(!photo || picture.preprocessing, text, ": photographs are normalised as the model says, but ", model.path(),
        " does not say how: normalise it and store float32 (npy)");
  picture.image = photo ? read_photo(text, config, *picture.preprocessing) : load_images(text, model, true);
  return picture;
}

std::vector<std::uint8_t> pixels_of(const CommandImage& picture) {
  const Tensor& image = picture.image;
  const long channels = image.shape()[1], size = image.shape()[2] * image.shape()[3];
  const std::span<const float> values(image.host<float>(), image.numel());
  const auto [low, high] = std::ranges::minmax(values);
  std::vector<std::uint8_t> pixels;
  for (long i = 0; i < std::ssize(values); ++i) {
    const float value = picture.preprocessing ? values[i] * picture.preprocessing->std[i / size % channels] +
                                                    picture.preprocessing->mean[i / size % channels]
                        : high > low ? (values[i] - low) / (high - low)
                                     : 0;
    pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F))));
  }
  return pixels;
}

}  // namespace lookhere
