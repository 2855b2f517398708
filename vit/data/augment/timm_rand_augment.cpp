// Magnitudes to the numbers of operations, as timm/data/auto_augment.py of version 1.0 has them.
#include "vit/data/augment/timm_rand_augment.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "tensor/error.h"
#include "tensor/file.h"
#include "vit/data/augment/colour.h"
#include "vit/data/augment/levels.h"

namespace lookhere {
namespace {

constexpr double kUniform = 100;  // a deviation above this one

// The whole text as a number of that kind in [low, high].
template <class T>
bool read(std::string_view text, T low, T high, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && low <= number && number <= high;
}

bool read_section(std::string_view name, std::string_view value, TimmRandAugment& o) {
  constexpr double kMany = std::numeric_limits<int>::max();
  int whole = 0;
  if (name == "m" || name == "mmax") {
    const bool good = read(value, name == "m" ? 0 : 1, 1000, whole);
    (name == "m" ? o.magnitude : o.most) = whole;
    return good;
  }
  if (name == "n") return read(value, 0, 100, o.operations);
  if (name == "p") return read(value, 0.0, 1.0, o.probability);
  if (name == "mstd") return read(value, 0.0, kMany, o.deviation);
  const bool good = name == "inc" && read(value, 0, 1, whole);
  o.increasing = whole == 1;
  return good;
}

}  // namespace

TimmRandAugment timm_rand_augment_from_text(const std::string& text) {
  TimmRandAugment options;
  std::set<std::string_view> seen;
  std::string_view rest = text;
  const auto next = [&] {
    const std::string_view section = rest.substr(0, rest.find('-'));
    rest.remove_prefix(std::min(section.size() + 1, rest.size()));
    return section;
  };
  bool good = next() == "rand" && !text.ends_with('-');
  while (good && !rest.empty()) {
    const std::string_view section = next(), name = section.substr(0, section.find_first_of("0123456789"));
    good = seen.insert(name).second && read_section(name, section.substr(name.size()), options);
  }
  check(good, "--aa: wanted rand with any of -m9 -n2 -p0.5 -mstd0.5 -mmax10 -inc1, each once, got ", shown(text));
  return options;
}

void timm_operation(Picture& picture, int operation, double magnitude, bool increasing, bool negative,
                    const Sampling& sampling) {
  const double level = magnitude / 10, sign = negative ? -1 : 1;
  const double factor = increasing ? std::max(0.1, 1 + sign * (level * 0.9)) : level * 1.8 + 0.1;
  const int bits = static_cast<int>(level * 4), threshold = std::min(256, static_cast<int>(level * 256));
  const double shear = sign * (level * 0.3), shift = sign * (level * 0.45);
  switch (operation) {
    case 0:
      return auto_contrast(picture);
    case 1:
      return equalize(picture);
    case 2:
      return invert(picture);
    case 3:
      return rotate(picture, sign * (level * 30), sampling);
    case 4:
      return posterize(picture, std::clamp(increasing ? 4 - bits : bits, 0, 8));
    case 5:
      return solarize(picture, increasing ? 256 - threshold : threshold);
    case 6:
      return solarize_add(picture, std::min(128, static_cast<int>(level * 110)));
    case 7:
      return adjust_saturation(picture, factor);
    case 8:
      return adjust_contrast(picture, factor);
    case 9:
      return adjust_brightness(picture, factor);
    case 10:
      return adjust_sharpness(picture, factor);
    case 11:
      return affine(picture, {1, shear, 0, 0, 1, 0}, sampling);
    case 12:
      return affine(picture, {1, 0, 0, shear, 1, 0}, sampling);
    case 13:
      return affine(picture, {1, 0, shift * static_cast<double>(picture.width), 0, 1, 0}, sampling);
    default:
      return affine(picture, {1, 0, 0, 0, 1, shift * static_cast<double>(picture.height)}, sampling);
  }
}

void timm_rand_augment(Picture& picture, Rng& rng, const TimmRandAugment& o, const Sampling& sampling) {
  for (int i = 0; i < o.operations; ++i) {  // each draws the same numbers, whether it is used or not
    const auto operation = static_cast<int>(rng.below(kTimmOperations));
    const bool used = rng.uniform() < o.probability;
    const double noisy =
        o.deviation > kUniform ? o.magnitude * rng.uniform() : o.magnitude + o.deviation * rng.normal();
    const bool negative = rng.below(2) == 1;
    if (used) timm_operation(picture, operation, std::clamp(noisy, 0.0, o.most), o.increasing, negative, sampling);
  }
}

}  // namespace lookhere
