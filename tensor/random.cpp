// Normal variates from uniform ones.
#include "tensor/random.h"

#include <cmath>
#include <numbers>

namespace lookhere {

double Rng::normal() {
  const double u = (next_u32() + 1.0) * 0x1p-32;  // in (0, 1]: its logarithm is finite
  const double v = next_u32() * 0x1p-32;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

double Rng::truncated_normal(double std) {
  for (;;) {
    const double value = std * normal();
    if (std::abs(value) <= 2) return value;
  }
}

}  // namespace lookhere
