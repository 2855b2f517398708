// augment, normalise and evaluation_view on any small image with any options, and Resample on any box.
#include "tests/fuzz/fuzz.h"
#include "vit/data/augment/mix.h"
#include "vit/data/augment/pipeline.h"

namespace lookhere {
namespace {

AugmentOptions any_options(FuzzedDataProvider& from) {
  const auto number = [&](double most) { return from.ConsumeFloatingPointInRange<double>(0, most); };
  AugmentOptions o;
  o.crop_mode = from.PickValueInArray({CropMode::whole, CropMode::random_resized, CropMode::simple});
  o.crop = {.min_scale = number(1), .max_scale = number(1), .min_ratio = number(4), .max_ratio = number(1000)};
  o.interpolation = from.ConsumeBool() ? Interpolation::bicubic : Interpolation::bilinear;
  o.hflip = number(1);
  o.policy = from.PickValueInArray({AugmentPolicy::none, AugmentPolicy::three_augment, AugmentPolicy::rand_augment,
                                    AugmentPolicy::timm_rand_augment});
  o.operations = from.ConsumeIntegralInRange(0, 5);
  o.level = from.ConsumeIntegralInRange(-1, 31);
  o.timm = {.magnitude = number(1001),
            .operations = from.ConsumeIntegralInRange(0, 5),
            .probability = number(1),
            .deviation = number(200),
            .most = number(1001),
            .increasing = from.ConsumeBool()};
  o.jitter = {.brightness = number(101), .contrast = number(101), .saturation = number(101), .hue = number(0.51)};
  o.erase = {.probability = number(1),
             .min_area = number(1),
             .max_area = number(1),
             .min_aspect = number(2),
             .max_aspect = number(1000),
             .noise = from.ConsumeBool()};
  return o;
}

void fuzz(FuzzedDataProvider& from) {
  const auto side = [&] { return from.ConsumeIntegralInRange<long>(1, 40); };
  Picture p{{}, from.ConsumeIntegralInRange<long>(1, 3), side(), side()};
  const long height = side() - 1, width = side(), shorter = side() - 1, size = side() - 1;
  const AugmentOptions options = any_options(from);
  const auto seed = from.ConsumeIntegral<std::uint64_t>();
  const long index = from.ConsumeIntegral<std::uint32_t>();
  const auto edge = [&] { return from.ConsumeFloatingPointInRange<float>(-1, 41); };
  const SourceBox box{.left = edge(), .top = edge(), .right = edge(), .bottom = edge()};
  const MixOptions mixing{.mixup_alpha = from.ConsumeFloatingPointInRange<double>(0, 1001),
                          .cutmix_alpha = from.ConsumeFloatingPoint<double>()};
  p.pixels = from.ConsumeRemainingBytes<std::uint8_t>();
  p.pixels.resize(p.channels * p.plane());
  accepted([&] {
    const Augmented augmented = augment(p.image(), options, seed, 1, index, height, width);
    const Picture& picture = augmented.picture;
    require(std::ssize(picture.pixels) == p.channels * height * width, "an augmented image of another size");
    const std::vector<float> half(p.channels, 0.5F);
    std::vector<float> out(picture.pixels.size());
    normalise(augmented, half, half, out.data());
    const Mix mix = draw_mix(mixing, seed, index, height, width);
    require(0 <= mix.lambda && mix.lambda <= 1, "a lambda that is no share");
    mix_images(mix, out.data(), p.channels, 1, height, width);
  });
  accepted([&] { evaluation_view(p.image(), shorter, size); });
  accepted([&] {
    const Resample resample(options.interpolation, p.height, p.width, box, height, width);
    std::vector<std::uint8_t> out(p.channels * height * width), scratch;
    resample(out.data(), p.image(), scratch);
  });
}

}  // namespace
}  // namespace lookhere

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider from(data, size);
  lookhere::fuzz(from);
  return 0;
}
