// Beta numbers from gamma numbers (Marsaglia and Tsang 2000), by logarithms: for small alpha those are too small for a
// double.
#include "vit/data/augment/mix.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/error.h"

namespace lookhere {
namespace {

double uniform(Rng& rng) { return (rng.next_u32() + 0.5) * 0x1p-32; }  // in (0, 1)

double log_gamma_number(Rng& rng, double alpha) {
  if (alpha < 1) return log_gamma_number(rng, alpha + 1) + std::log(uniform(rng)) / alpha;
  const double d = alpha - 1 / 3.0, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = rng.normal(), v = 1 + c * x;
    const double log_u = std::log(uniform(rng));
    if (v <= 0) continue;
    const double log_v = 3 * std::log(v);
    if (log_u < x * x / 2 + d * (1 - v * v * v + log_v)) return std::log(d) + log_v;
  }
}

// Of a random place, cut off at the borders; its area is 1 - lambda of the image before that.
Window cutmix_box(Rng& rng, double lambda, long height, long width) {
  const double ratio = std::sqrt(1 - lambda);
  const auto along = [&](long size) {
    const long half = static_cast<long>(static_cast<double>(size) * ratio) / 2;
    const long centre = rng.below(static_cast<std::uint32_t>(size));
    return std::pair(std::clamp(centre - half, 0L, size), std::clamp(centre + half, 0L, size));
  };
  const auto [top, bottom] = along(height);
  const auto [left, right] = along(width);
  return {top, left, bottom - top, right - left};
}

}  // namespace

double draw_beta(Rng& rng, double alpha) {
  const double a = log_gamma_number(rng, alpha), b = log_gamma_number(rng, alpha);
  return 1 / (1 + std::exp(b - a));
}

Mix draw_mix(const MixOptions& options, std::uint64_t seed, long step, long height, long width) {
  for (const double alpha : {options.mixup_alpha, options.cutmix_alpha})
    check(0 <= alpha && alpha <= 1000, "mixing: alpha must lie in [0, 1000], got ", alpha);
  for (const double probability : {options.probability, options.switch_probability})
    check(0 <= probability && probability <= 1, "mixing: a probability must lie in [0, 1], got ", probability);
  Rng rng(seed, Purpose::mix, static_cast<std::uint32_t>(step >> 32), static_cast<std::uint32_t>(step));
  const bool mixed = uniform(rng) < options.probability, switched = uniform(rng) < options.switch_probability;
  const bool cutmix = options.cutmix_alpha > 0 && (switched || options.mixup_alpha == 0);
  const double alpha = cutmix ? options.cutmix_alpha : options.mixup_alpha;
  if (!mixed || alpha == 0) return {};
  const double lambda = draw_beta(rng, alpha);
  if (!cutmix) return {.lambda = lambda};
  const Window box = cutmix_box(rng, lambda, height, width);
  const double share = static_cast<double>(box.height) / static_cast<double>(height) *
                       (static_cast<double>(box.width) / static_cast<double>(width));
  return {.lambda = 1 - share, .cutmix = true, .box = box};
}

void mix_images(const Mix& mix, float* images, long batch, long channels, long height, long width) {
  const long size = channels * height * width;
  const auto own = static_cast<float>(mix.lambda), other = static_cast<float>(1 - mix.lambda);
  for (long i = 0; i < batch / 2; ++i) {
    float *const a = images + i * size, *const b = images + (batch - 1 - i) * size;
    if (!mix.cutmix) {
      for (long k = 0; k < size; ++k) {
        const float x = a[k], y = b[k];
        a[k] = own * x + other * y;
        b[k] = own * y + other * x;
      }
      continue;
    }
    for (long row = 0; row < channels * mix.box.height; ++row) {
      const long y = row / mix.box.height * height + mix.box.top + row % mix.box.height;
      std::swap_ranges(a + y * width + mix.box.left, a + y * width + mix.box.left + mix.box.width,
                       b + y * width + mix.box.left);
    }
  }
}

void soft_targets(const Mix& mix, double smoothing, const i64* labels, long batch, long classes, float* out) {
  check(0 <= smoothing && smoothing <= 1, "label smoothing must lie in [0, 1], got ", smoothing);
  const double off = smoothing / static_cast<double>(classes), on = 1 - smoothing;
  for (long i = 0; i < batch; ++i)
    check(0 <= labels[i] && labels[i] < classes, "soft targets: label ", labels[i], " of image ", i, " is not below ",
          classes);
  for (long i = 0; i < batch; ++i, out += classes) {
    std::fill(out, out + classes, static_cast<float>(off));
    const i64 own = labels[i], other = labels[batch - 1 - i];
    out[own] = static_cast<float>(off + on * (own == other ? 1 : mix.lambda));
    if (other != own) out[other] = static_cast<float>(off + on * (1 - mix.lambda));
  }
}

}  // namespace lookhere
