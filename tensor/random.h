// Counter-based random numbers (Philox4x32-10, Salmon et al. 2011): a value depends on its key and counter alone, never
// on what was drawn before or on which thread drew it.
#pragma once
#include <Random123/philox.h>

#include <cstdint>

namespace lookhere {

// What a number is for. Different purposes never share a stream; append only, since checkpoints rely on the values.
enum class Purpose : std::uint32_t {
  init,
  shuffle,
  augment,
  drop_path,
  dropout,
  shapes,
  test,
  crop,
  mirror,
  policy,
  jitter,
  erase,
  mix
};

// A stream of numbers named by (seed, purpose, a, b), e.g. (seed, augment, epoch, sample).
class Rng {
 public:
  Rng(std::uint64_t seed, Purpose purpose, std::uint32_t a = 0, std::uint32_t b = 0)
      : key_{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}},
        counter_{{0, b, a, static_cast<std::uint32_t>(purpose)}} {}

  std::uint32_t next_u32() {
    if (left_ == 0) {
      block_ = r123::Philox4x32()(counter_, key_);
      ++counter_[0];
      left_ = 4;
    }
    return block_[4 - left_--];
  }
  // Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>(next_u32() >> 8) * 0x1p-24F; }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  // Uniform in {0, ..., n-1} for n >= 1.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((std::uint64_t{next_u32()} * n) >> 32); }
  // Standard normal (Box-Muller; one of the pair is used).
  double normal();
  // Normal with this standard deviation, redrawn until it lies within +-2 (absolute), as timm initialises.
  double truncated_normal(double std);

 private:
  r123::Philox4x32::key_type key_;
  r123::Philox4x32::ctr_type counter_, block_{};
  int left_ = 0;
};

}  // namespace lookhere
