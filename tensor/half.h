// IEEE half precision (binary16) as files store it, to float: exactly, all 65536 of them.
#pragma once
#include <bit>
#include <cstdint>

namespace lookhere {

// The fields move to their places, and a product with a power of two mends the exponent, also that of denormals.
inline float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, magnitude = (half & 0x7fffU) << 13;
  const bool finite = (half & 0x7c00U) != 0x7c00U;
  const float value =
      finite ? std::bit_cast<float>(magnitude) * 0x1p112F : std::bit_cast<float>(magnitude | 0x7f800000U);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

}  // namespace lookhere
