// bf16: the upper half of a float, a storage type. Arithmetic happens in float; rounding is to nearest, ties to even.
// constexpr, so that nvcc compiles it for a GPU as well.
#pragma once
#include <bit>
#include <cstdint>

namespace kernels {

struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  [[gnu::always_inline]] constexpr explicit bf16(float value) : bits(round(value)) {}
  [[gnu::always_inline]] constexpr explicit operator float() const {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
  bool operator==(const bf16&) const = default;

 private:
  // Straight-line, so that loops over it vectorise. A NaN is made quiet: cutting it off could turn it into infinity.
  [[gnu::always_inline]] static constexpr std::uint16_t round(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>(value != value ? (u >> 16) | 0x40U : (u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
  }
};

}  // namespace kernels
