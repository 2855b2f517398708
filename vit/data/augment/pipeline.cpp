// One stream of random numbers per step.
#include "vit/data/augment/pipeline.h"

#include <utility>

#include "tensor/shape.h"
#include "vit/data/augment.h"
#include "vit/data/augment/blur.h"
#include "vit/data/augment/colour.h"
#include "vit/data/augment/levels.h"
#include "vit/data/augment/rand_augment.h"

namespace lookhere {
namespace {

void check_within(const char* name, double low, double value, double high) {
  check(low <= value && value <= high, "augmentation: ", name, " must lie in [", low, ", ", high, "], got ", value);
}
void check_range(const char* name, double low, double begin, double end, double high) {
  check(low <= begin && begin <= end && end <= high, "augmentation: ", name, " must be a range in [", low, ", ", high,
        "], got ", begin, " to ", end);
}

void check_options(const AugmentOptions& o) {
  check_range("the crop's scale", 1e-6, o.crop.min_scale, o.crop.max_scale, 1);
  check_range("the crop's ratio", 1e-3, o.crop.min_ratio, o.crop.max_ratio, 1e3);
  check_within("hflip", 0, o.hflip, 1);
  check_within("RandAugment's number of operations", 0, o.operations, 100);
  check_within("RandAugment's level", 0, o.level, kRandAugmentLevels - 1);
  check_within("the probability of timm's operations", 0, o.timm.probability, 1);
  check_within("the number of timm's operations", 0, o.timm.operations, 100);
  check_within("the magnitude of timm's operations", 0, o.timm.magnitude, 1000);
  check_within("the largest magnitude of timm's operations", 0, o.timm.most, 1000);
  check_within("the deviation of timm's magnitudes", 0, o.timm.deviation, 1e10);
  check_within("jitter of brightness", 0, o.jitter.brightness, 100);
  check_within("jitter of contrast", 0, o.jitter.contrast, 100);
  check_within("jitter of saturation", 0, o.jitter.saturation, 100);
  check_within("jitter of hue", 0, o.jitter.hue, 0.5);
  check_within("the probability of erasing", 0, o.erase.probability, 1);
  check_range("the erased area", 0, o.erase.min_area, o.erase.max_area, 1);
  check_range("the erased aspect", 1e-3, o.erase.min_aspect, o.erase.max_aspect, 1e3);
}

void one_of_three(Picture& picture, Rng& rng) {
  const std::uint32_t choice = rng.below(3);
  if (choice == 0) grayscale(picture);
  if (choice == 1) solarize(picture);
  if (choice == 2) gaussian_blur(picture, rng.uniform(0.1F, 2));
}

Rng stream(Purpose purpose, std::uint64_t seed, long epoch, long index) {
  return Rng(seed, purpose, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(index));
}

Window window_of(Rng rng, const AugmentOptions& options, Extent stored) {
  if (options.crop_mode != CropMode::random_resized) return {0, 0, stored.height, stored.width};
  return random_resized_crop(rng, options.crop, stored.height, stored.width);
}

}  // namespace

AugmentOptions three_augment_options() {
  return {.crop_mode = CropMode::random_resized,
          .hflip = 0.5,
          .policy = AugmentPolicy::three_augment,
          .jitter = {.brightness = 0.3, .contrast = 0.3, .saturation = 0.3}};
}
AugmentOptions rand_augment_options() {
  return {.crop_mode = CropMode::random_resized, .hflip = 0.5, .policy = AugmentPolicy::rand_augment};
}

Extent enough_for_crop(Extent stored, const AugmentOptions& options, std::uint64_t seed, long epoch, long index,
                       long height, long width) {
  check_options(options);
  const Window window = window_of(stream(Purpose::crop, seed, epoch, index), options, stored);
  const auto enough = [](long out, long whole, long part) { return (checked_mul(out, whole) + part - 1) / part; };
  return {enough(height, stored.height, window.height), enough(width, stored.width, window.width)};
}

Augmented augment(const Image& image, const AugmentOptions& options, std::uint64_t seed, long epoch, long index,
                  long height, long width, Extent stored) {
  check_options(options);
  check(image.numel() > 0, "augmentation: an image without pixels");
  check(options.fill.empty() || std::ssize(options.fill) == image.channels, "augmentation: wanted a fill of ",
        image.channels, " channels, got ", options.fill.size());
  const auto draw = [&](Purpose purpose) { return stream(purpose, seed, epoch, index); };
  Rng flip = draw(Purpose::mirror), policy = draw(Purpose::policy), jitter = draw(Purpose::jitter),
      erase = draw(Purpose::erase);
  if (stored == Extent{}) stored = {image.height, image.width};
  Rng crop = draw(Purpose::crop);
  Picture picture =
      options.crop_mode == CropMode::simple
          ? simple_random_crop(crop, image, options.interpolation, height, width)
          : crop_and_resize(image, window_of(crop, options, stored), stored, options.interpolation, height, width);
  if (flip.uniform() < options.hflip) mirror(picture);
  if (options.policy == AugmentPolicy::three_augment) one_of_three(picture, policy);
  if (options.policy == AugmentPolicy::rand_augment) rand_augment(picture, policy, options.operations, options.level);
  if (options.policy == AugmentPolicy::timm_rand_augment)
    timm_rand_augment(picture, policy, options.timm, {.interpolation = options.interpolation, .fill = options.fill});
  colour_jitter(picture, jitter, options.jitter);
  const Window erased = erased_window(erase, options.erase, height, width);
  return {.picture = std::move(picture), .erased = erased, .erase_noise = erase, .noise = options.erase.noise};
}

void normalise(const Augmented& augmented, const std::vector<float>& mean, const std::vector<float>& std, float* out) {
  const Picture& picture = augmented.picture;
  normalise(picture.image(), mean, std, out);
  Rng rng = augmented.erase_noise;
  erase(out, picture.channels, picture.height, picture.width, augmented.erased, augmented.noise, rng);
}

}  // namespace lookhere
